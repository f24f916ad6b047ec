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

/** BLOOM: LayerNorm, also of the embeddings, and ALiBi for positions (arXiv 2108.12409). */
final class Bloom extends Family {
  Bloom() {
    super("bloom", "transformer");
  }

  @Override
  Architecture read(ConfigFields config) {
    int hidden = config.positive("n_embed", config.positive("hidden_size", 64));
    int heads = named(config, "num_attention_heads", "n_head", 8);
    int layers = named(config, "num_hidden_layers", "n_layer", 2);
    int headSize = headSize(config, "n_head", hidden, heads);
    config.flag("tie_word_embeddings", true);
    int inner = config.positive("n_inner", 4 * hidden);
    config.require("n_inner", inner == 4 * hidden, "four times the hidden size, or none");
    boolean fromNormalized = config.flag("apply_residual_connection_post_layernorm", false);
    // How training split and fused the operations.
    config.ignore(
        "pretraining_tp",
        "slow_but_exact",
        "masked_softmax_fusion",
        "bias_dropout_fusion",
        "attention_softmax_in_fp32",
        "skip_bias_add",
        "skip_bias_add_qkv",
        "offset_alibi",
        "seq_length");
    AttentionShape shape =
        new AttentionShape(heads, heads, headSize, scale(headSize), 0, slopes(heads), 0);
    return new Architecture(
        "bloom",
        config.positive("vocab_size", 250_880),
        hidden,
        hidden,
        inner,
        new Architecture.Norm(Normalization.LAYER, epsilon(config, "layer_norm_epsilon", 1e-5)),
        fromNormalized ? Architecture.Residual.FROM_NORMALIZED : Architecture.Residual.BEFORE,
        Activation.GELU_TANH,
        false,
        Collections.nCopies(layers, shape),
        null,
        0,
        0,
        stated(config, "n_positions", "max_position_embeddings", "n_ctx"));
  }

  private static OptionalInt stated(ConfigFields config, String... names) {
    OptionalInt stated = OptionalInt.empty();
    for (String name : names) {
      if (config.has(name) && stated.isEmpty()) {
        stated = OptionalInt.of(config.positive(name));
      }
      config.ignore(name);
    }
    return stated;
  }

  /**
   * A geometric series from 2^(−8/n) for a power of two n heads; for others the series of the power
   * below, and every second of the one above.
   */
  static float[] slopes(int heads) {
    int power = Integer.highestOneBit(heads);
    double base = StrictMath.pow(2, -8.0 / power);
    double between = StrictMath.pow(2, -4.0 / power);
    float[] slopes = new float[heads];
    for (int h = 0; h < heads; h++) {
      slopes[h] =
          (float)
              (h < power
                  ? StrictMath.pow(base, h + 1)
                  : StrictMath.pow(between, 2 * (h - power) + 1));
    }
    return slopes;
  }

  @Override
  Weights find(Tensors t, Architecture a, ConfigFields config) {
    int hidden = a.hidden();
    int headSize = a.attention().get(0).headSize();
    List<Weights.Layer> layers = new ArrayList<>();
    for (int i = 0; i < a.layers(); i++) {
      String layer = "h." + i + ".";
      Projection qkv =
          t.projection(layer + "self_attention.query_key_value", 3 * hidden, hidden, true);
      layers.add(
          Weights.Layer.plain(
              t.layerNorm(layer + "input_layernorm", hidden),
              Tensors.select(qkv, 0, headSize, 3 * headSize, hidden),
              Tensors.select(qkv, headSize, headSize, 3 * headSize, hidden),
              Tensors.select(qkv, 2 * headSize, headSize, 3 * headSize, hidden),
              t.projection(layer + "self_attention.dense", hidden, hidden, true),
              t.layerNorm(layer + "post_attention_layernorm", hidden),
              t.projection(layer + "mlp.dense_h_to_4h", a.intermediate(), hidden, true),
              t.projection(layer + "mlp.dense_4h_to_h", hidden, a.intermediate(), true)));
    }
    var tokens = t.tokens("word_embeddings.weight", a.vocabulary(), hidden);
    return new Weights(
        tokens,
        null,
        t.layerNorm("word_embeddings_layernorm", hidden),
        null,
        layers,
        t.layerNorm("ln_f", hidden),
        null,
        t.head("lm_head", tokens, config.flag("tie_word_embeddings", true), false));
  }
}
