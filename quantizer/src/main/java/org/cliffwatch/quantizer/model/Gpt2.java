package org.cliffwatch.quantizer.model;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.kernel.Activation;
import org.cliffwatch.quantizer.kernel.AttentionShape;
import org.cliffwatch.quantizer.kernel.Normalization;
import org.cliffwatch.quantizer.kernel.Projection;

/** GPT-2 and Cerebras-GPT: LayerNorm, learned positions, weights stored (inputs, outputs). */
final class Gpt2 extends Family {
  Gpt2() {
    super("gpt2", "transformer");
  }

  @Override
  Architecture read(ConfigFields config) {
    int hidden = named(config, "hidden_size", "n_embd", 768);
    int heads = named(config, "num_attention_heads", "n_head", 12);
    int headSize = headSize(config, "n_head", hidden, heads);
    int positions = named(config, "max_position_embeddings", "n_positions", 1024);
    Activation activation = activation(config, "activation_function", "gelu_new");
    config.flag("tie_word_embeddings", true);
    boolean scaled = config.flag("scale_attn_weights", true);
    boolean byLayer = config.flag("scale_attn_by_inverse_layer_idx", false);
    // Where and in which type the scale is applied, not what it is.
    config.ignore("reorder_and_upcast_attn");
    ignoreDropoutAndSummary(config);
    List<AttentionShape> attention = new ArrayList<>();
    for (int i = 0; i < named(config, "num_hidden_layers", "n_layer", 12); i++) {
      double scale = (scaled ? 1 / Math.sqrt(headSize) : 1) / (byLayer ? i + 1 : 1);
      attention.add(new AttentionShape(heads, heads, headSize, (float) scale, 0, null, 0));
    }
    return new Architecture(
        "gpt2",
        config.positive("vocab_size", 50_257),
        hidden,
        hidden,
        config.positive("n_inner", 4 * hidden),
        new Architecture.Norm(Normalization.LAYER, epsilon(config, "layer_norm_epsilon", 1e-5)),
        Architecture.Residual.BEFORE,
        activation,
        false,
        List.copyOf(attention),
        null,
        positions,
        0,
        OptionalInt.of(positions));
  }

  /** What OpenAI's descendants carry along: dropout, a head for classification, an older name. */
  static void ignoreDropoutAndSummary(ConfigFields config) {
    config.ignore(
        "attn_pdrop",
        "embd_pdrop",
        "resid_pdrop",
        "embed_dropout",
        "resid_dropout",
        "summary_activation",
        "summary_first_dropout",
        "summary_proj_to_labels",
        "summary_type",
        "summary_use_proj",
        "n_ctx",
        "n_special",
        "predict_special_tokens");
  }

  @Override
  Weights find(Tensors t, Architecture a, ConfigFields config) {
    int hidden = a.hidden();
    t.ignore("(transformer\\.)?h\\.\\d+\\.attn\\.(bias|masked_bias)");
    List<Weights.Layer> layers = new ArrayList<>();
    for (int i = 0; i < a.layers(); i++) {
      String layer = "h." + i + ".";
      Projection qkv = t.transposed(layer + "attn.c_attn", 3 * hidden, hidden);
      layers.add(
          Weights.Layer.plain(
              t.layerNorm(layer + "ln_1", hidden),
              Tensors.slice(qkv, 0, hidden),
              Tensors.slice(qkv, hidden, hidden),
              Tensors.slice(qkv, 2 * hidden, hidden),
              t.transposed(layer + "attn.c_proj", hidden, hidden),
              t.layerNorm(layer + "ln_2", hidden),
              t.transposed(layer + "mlp.c_fc", a.intermediate(), hidden),
              t.transposed(layer + "mlp.c_proj", hidden, a.intermediate())));
    }
    var tokens = t.tokens("wte.weight", a.vocabulary(), hidden);
    return Weights.of(
        tokens,
        t.matrix("wpe.weight", a.learnedPositions(), hidden),
        layers,
        t.layerNorm("ln_f", hidden),
        t.head("lm_head", tokens, config.flag("tie_word_embeddings", true), false));
  }
}
