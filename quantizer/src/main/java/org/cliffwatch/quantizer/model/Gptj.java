package org.cliffwatch.quantizer.model;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.OptionalInt;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.kernel.Activation;
import org.cliffwatch.quantizer.kernel.AttentionShape;
import org.cliffwatch.quantizer.kernel.Normalization;

/** GPT-J: one LayerNorm before parallel halves, rotary on neighbouring pairs. */
final class Gptj extends Family {
  Gptj() {
    super("gptj", "transformer");
  }

  @Override
  Architecture read(ConfigFields config) {
    int hidden = named(config, "hidden_size", "n_embd", 4096);
    int heads = named(config, "num_attention_heads", "n_head", 16);
    int headSize = headSize(config, "n_head", hidden, heads);
    int context = named(config, "max_position_embeddings", "n_positions", 2048);
    int rotated = config.isNull("rotary_dim") ? headSize : config.positive("rotary_dim", 64);
    if (rotated > headSize || rotated % 2 != 0) {
      throw config.error(
          "rotary_dim", "found " + rotated + ", expected an even number up to " + headSize);
    }
    Activation activation = activation(config, "activation_function", "gelu_new");
    config.flag("tie_word_embeddings", false);
    config.require("rotary", config.flag("rotary", true), "true");
    config.require("scale_attn_weights", config.flag("scale_attn_weights", true), "true");
    Gpt2.ignoreDropoutAndSummary(config);
    AttentionShape shape = new AttentionShape(heads, heads, headSize, scale(headSize), 0, null, 0);
    return new Architecture(
        "gptj",
        config.positive("vocab_size", 50_400),
        hidden,
        hidden,
        config.positive("n_inner", 4 * hidden),
        new Architecture.Norm(Normalization.LAYER, epsilon(config, "layer_norm_epsilon", 1e-5)),
        Architecture.Residual.PARALLEL,
        activation,
        false,
        Collections.nCopies(named(config, "num_hidden_layers", "n_layer", 28), shape),
        Rotary.interleaved(rotated),
        0,
        0,
        OptionalInt.of(context));
  }

  @Override
  Weights find(Tensors t, Architecture a, ConfigFields config) {
    int hidden = a.hidden();
    t.ignore("(transformer\\.)?h\\.\\d+\\.attn\\.(bias|masked_bias|embed_positions)");
    List<Weights.Layer> layers = new ArrayList<>();
    for (int i = 0; i < a.layers(); i++) {
      String layer = "h." + i + ".";
      layers.add(
          Weights.Layer.plain(
              t.layerNorm(layer + "ln_1", hidden),
              t.projection(layer + "attn.q_proj", hidden, hidden, false),
              t.projection(layer + "attn.k_proj", hidden, hidden, false),
              t.projection(layer + "attn.v_proj", hidden, hidden, false),
              t.projection(layer + "attn.out_proj", hidden, hidden, false),
              null,
              t.projection(layer + "mlp.fc_in", a.intermediate(), hidden, true),
              t.projection(layer + "mlp.fc_out", hidden, a.intermediate(), true)));
    }
    var tokens = t.tokens("wte.weight", a.vocabulary(), hidden);
    return Weights.of(
        tokens,
        null,
        layers,
        t.layerNorm("ln_f", hidden),
        t.head("lm_head", tokens, config.flag("tie_word_embeddings", false), true));
  }
}
