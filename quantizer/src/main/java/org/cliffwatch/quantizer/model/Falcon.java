package org.cliffwatch.quantizer.model;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.OptionalInt;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.kernel.AttentionShape;
import org.cliffwatch.quantizer.kernel.Normalization;
import org.cliffwatch.quantizer.kernel.Projection;

/**
 * Falcon: LayerNorm, rotary, GELU, and grouped queries stored beside their key and value. The 7B
 * has one key head and one norm for both parallel halves, the 40B and its successors ({@code
 * new_decoder_architecture}) a norm for each, of {@code modeling_falcon.py}.
 */
final class Falcon extends Family {
  Falcon() {
    super("falcon", "transformer");
  }

  @Override
  Architecture read(ConfigFields config) {
    int hidden = config.positive("n_embed", config.positive("hidden_size", 4544));
    int heads = config.positive("num_attention_heads", 71);
    int headSize = headSize(config, "num_attention_heads", hidden, heads);
    int context = config.positive("max_position_embeddings", 2048);
    int layers = config.positive("num_hidden_layers", 32);
    config.flag("tie_word_embeddings", true);
    config.flag("bias", false);
    // Its biases are rounded to bfloat16, of absolute positions and scaled as scores are.
    config.require("alibi", !config.flag("alibi", false), "false");
    int norms = parallelNorms(config);
    boolean isParallel = config.flag("parallel_attn", true);
    config.require(
        "parallel_attn",
        isParallel || !config.flag("new_decoder_architecture", false),
        "true in the new decoder architecture");
    config.require(
        "num_ln_in_parallel_attn",
        norms == 1 || config.flag("new_decoder_architecture", false),
        "1 outside the new decoder architecture");
    int keyHeads = keyHeads(config, heads);
    AttentionShape shape =
        new AttentionShape(heads, keyHeads, headSize, scale(headSize), 0, null, 0);
    return new Architecture(
        "falcon",
        config.positive("vocab_size", 65_024),
        hidden,
        hidden,
        config.positive("ffn_hidden_size", 4 * hidden),
        new Architecture.Norm(Normalization.LAYER, epsilon(config, "layer_norm_epsilon", 1e-5)),
        isParallel ? Architecture.Residual.PARALLEL : Architecture.Residual.BEFORE,
        activation(config, "activation", "gelu"),
        false,
        Collections.nCopies(layers, shape),
        Rotary.of(config, headSize, context, config.number("rope_theta", 10_000)),
        0,
        0,
        OptionalInt.of(context));
  }

  /** Norms of a block whose halves are parallel. */
  private static int parallelNorms(ConfigFields config) {
    boolean isNew = config.flag("new_decoder_architecture", false);
    int norms = config.positive("num_ln_in_parallel_attn", isNew ? 2 : 1);
    config.require("num_ln_in_parallel_attn", norms <= 2, "1 or 2");
    return norms;
  }

  private static int keyHeads(ConfigFields config, int heads) {
    int stated = config.positive("num_kv_heads", heads);
    boolean single = config.flag("multi_query", true);
    if (config.flag("new_decoder_architecture", false)) {
      config.require("num_kv_heads", heads % stated == 0, "a divisor of " + heads);
      return stated;
    }
    config.require("num_kv_heads", single || stated == heads, heads + ", one a head");
    return single ? 1 : heads;
  }

  @Override
  Weights find(Tensors t, Architecture a, ConfigFields config) {
    int hidden = a.hidden();
    AttentionShape s = a.attention().get(0);
    boolean bias = config.flag("bias", false);
    t.ignore(".*\\.self_attention\\.rotary_emb\\.inv_freq");
    // Each key head's queries lie together, and its key and its value after them.
    int keys = s.keyHeads() * s.headSize();
    int queries = hidden / s.keyHeads();
    int group = queries + 2 * s.headSize();
    List<Weights.Layer> layers = new ArrayList<>();
    for (int i = 0; i < a.layers(); i++) {
      String layer = "h." + i + ".";
      Projection qkv =
          t.projection(
              layer + "self_attention.query_key_value", s.keyHeads() * group, hidden, bias);
      Weights.Norms norms = norms(t, layer, a, config);
      layers.add(
          Weights.Layer.plain(
              norms.attention(),
              Tensors.select(qkv, 0, queries, group, hidden),
              Tensors.select(qkv, queries, s.headSize(), group, keys),
              Tensors.select(qkv, queries + s.headSize(), s.headSize(), group, keys),
              t.projection(layer + "self_attention.dense", hidden, hidden, bias),
              norms.feedForward(),
              t.projection(layer + "mlp.dense_h_to_4h", a.intermediate(), hidden, bias),
              t.projection(layer + "mlp.dense_4h_to_h", hidden, a.intermediate(), bias)));
    }
    var tokens = t.tokens("word_embeddings.weight", a.vocabulary(), hidden);
    return Weights.of(
        tokens,
        null,
        layers,
        t.layerNorm("ln_f", hidden),
        t.head("lm_head", tokens, config.flag("tie_word_embeddings", true), false));
  }

  private static Weights.Norms norms(Tensors t, String layer, Architecture a, ConfigFields config) {
    int hidden = a.hidden();
    if (parallelNorms(config) == 2) {
      return new Weights.Norms(
          t.layerNorm(layer + "ln_attn", hidden), t.layerNorm(layer + "ln_mlp", hidden));
    }
    return new Weights.Norms(
        t.layerNorm(layer + "input_layernorm", hidden),
        a.residual() == Architecture.Residual.PARALLEL
            ? null
            : t.layerNorm(layer + "post_attention_layernorm", hidden));
  }
}
