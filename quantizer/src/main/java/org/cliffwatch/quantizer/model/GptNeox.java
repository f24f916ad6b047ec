package org.cliffwatch.quantizer.model;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.OptionalInt;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.kernel.Activation;
import org.cliffwatch.quantizer.kernel.AttentionShape;
import org.cliffwatch.quantizer.kernel.Normalization;
import org.cliffwatch.quantizer.kernel.Projection;

/** GPT-NeoX and Pythia: LayerNorm, parallel residual, rotary on a part of each head. */
final class GptNeox extends Family {
  GptNeox() {
    super("gpt_neox", "gpt_neox");
  }

  @Override
  Architecture read(ConfigFields config) {
    int hidden = config.positive("hidden_size");
    int heads = config.positive("num_attention_heads");
    int headSize = headSize(config, "num_attention_heads", hidden, heads);
    int context = config.positive("max_position_embeddings", 2048);
    int rotated = rotated(config, "rotary_pct", 0.25, headSize);
    Activation activation = activation(config, "hidden_act", "gelu");
    config.flag("attention_bias", true);
    config.flag("tie_word_embeddings", false);
    AttentionShape shape = new AttentionShape(heads, heads, headSize, scale(headSize), 0, null, 0);
    return new Architecture(
        config.text("model_type"),
        config.positive("vocab_size"),
        hidden,
        hidden,
        config.positive("intermediate_size"),
        new Architecture.Norm(Normalization.LAYER, epsilon(config, "layer_norm_eps", 1e-5)),
        config.flag("use_parallel_residual", true)
            ? Architecture.Residual.PARALLEL
            : Architecture.Residual.BEFORE,
        activation,
        false,
        Collections.nCopies(config.positive("num_hidden_layers"), shape),
        Rotary.of(config, rotated, context, config.number("rotary_emb_base", 10_000)),
        0,
        0,
        OptionalInt.of(context));
  }

  @Override
  Weights find(Tensors t, Architecture a, ConfigFields config) {
    int hidden = a.hidden();
    int headSize = a.attention().get(0).headSize();
    boolean bias = config.flag("attention_bias", true);
    t.ignore(".*\\.attention\\.(bias|masked_bias|rotary_emb\\.inv_freq)");
    List<Weights.Layer> layers = new ArrayList<>();
    for (int i = 0; i < a.layers(); i++) {
      String layer = "layers." + i + ".";
      Projection qkv = t.projection(layer + "attention.query_key_value", 3 * hidden, hidden, bias);
      layers.add(
          Weights.Layer.plain(
              t.layerNorm(layer + "input_layernorm", hidden),
              Tensors.select(qkv, 0, headSize, 3 * headSize, hidden),
              Tensors.select(qkv, headSize, headSize, 3 * headSize, hidden),
              Tensors.select(qkv, 2 * headSize, headSize, 3 * headSize, hidden),
              t.projection(layer + "attention.dense", hidden, hidden, bias),
              t.layerNorm(layer + "post_attention_layernorm", hidden),
              t.projection(layer + "mlp.dense_h_to_4h", a.intermediate(), hidden, true),
              t.projection(layer + "mlp.dense_4h_to_h", hidden, a.intermediate(), true)));
    }
    var tokens = t.tokens("embed_in.weight", a.vocabulary(), hidden);
    return Weights.of(
        tokens,
        null,
        layers,
        t.layerNorm("final_layer_norm", hidden),
        t.head("embed_out", tokens, config.flag("tie_word_embeddings", false), false));
  }
}
