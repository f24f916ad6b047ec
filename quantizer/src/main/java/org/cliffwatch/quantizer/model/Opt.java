package org.cliffwatch.quantizer.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.OptionalInt;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.kernel.Activation;
import org.cliffwatch.quantizer.kernel.AttentionShape;
import org.cliffwatch.quantizer.kernel.Normalization;
import org.cliffwatch.quantizer.kernel.Projection;

/**
 * OPT: LayerNorm, ReLU, learned positions that begin at row 2. The 350m normalizes after each half
 * and projects its embeddings in and out.
 */
final class Opt extends Family {
  private static final int POSITION_OFFSET = 2;

  /** torch.nn.LayerNorm's; no field states it. */
  private static final float EPSILON = 1e-5f;

  Opt() {
    super("opt", "model");
  }

  @Override
  Architecture read(ConfigFields config) {
    int hidden = config.positive("hidden_size", 768);
    int heads = config.positive("num_attention_heads", 12);
    int headSize = headSize(config, "num_attention_heads", hidden, heads);
    int positions = config.positive("max_position_embeddings", 2048);
    Activation activation = activation(config, "activation_function", "relu");
    config.flag("tie_word_embeddings", true);
    config.flag("enable_bias", true);
    config.flag("layer_norm_elementwise_affine", true);
    config.flag("_remove_final_layer_norm", false);
    config.ignore("dropout", "activation_dropout", "layerdrop");
    AttentionShape shape = new AttentionShape(heads, heads, headSize, scale(headSize), 0, null, 0);
    return new Architecture(
        "opt",
        config.positive("vocab_size", 50_272),
        hidden,
        config.positive("word_embed_proj_dim", hidden),
        config.positive("ffn_dim", 3072),
        new Architecture.Norm(Normalization.LAYER, EPSILON),
        config.flag("do_layer_norm_before", true)
            ? Architecture.Residual.BEFORE
            : Architecture.Residual.AFTER,
        activation,
        false,
        Collections.nCopies(config.positive("num_hidden_layers", 12), shape),
        null,
        positions,
        POSITION_OFFSET,
        OptionalInt.of(positions));
  }

  @Override
  Weights find(Tensors t, Architecture a, ConfigFields config) {
    int hidden = a.hidden();
    int width = a.embeddingWidth();
    boolean bias = config.flag("enable_bias", true);
    boolean affine = config.flag("layer_norm_elementwise_affine", true);
    List<Weights.Layer> layers = new ArrayList<>();
    for (int i = 0; i < a.layers(); i++) {
      String layer = "decoder.layers." + i + ".";
      layers.add(
          Weights.Layer.plain(
              norm(t, layer + "self_attn_layer_norm", hidden, affine),
              t.projection(layer + "self_attn.q_proj", hidden, hidden, bias),
              t.projection(layer + "self_attn.k_proj", hidden, hidden, bias),
              t.projection(layer + "self_attn.v_proj", hidden, hidden, bias),
              t.projection(layer + "self_attn.out_proj", hidden, hidden, bias),
              norm(t, layer + "final_layer_norm", hidden, affine),
              t.projection(layer + "fc1", a.intermediate(), hidden, bias),
              t.projection(layer + "fc2", hidden, a.intermediate(), bias)));
    }
    boolean last =
        a.residual() == Architecture.Residual.BEFORE
            && !config.flag("_remove_final_layer_norm", false);
    Projection in = width == hidden ? null : project(t, "decoder.project_in", hidden, width);
    Projection out = width == hidden ? null : project(t, "decoder.project_out", width, hidden);
    var tokens = t.tokens("decoder.embed_tokens.weight", a.vocabulary(), width);
    return new Weights(
        tokens,
        t.matrix("decoder.embed_positions.weight", a.learnedPositions() + POSITION_OFFSET, hidden),
        null,
        in,
        layers,
        last ? norm(t, "decoder.final_layer_norm", hidden, affine) : null,
        out,
        t.head("lm_head", tokens, config.flag("tie_word_embeddings", true), false));
  }

  private static Projection project(Tensors t, String name, int outputs, int inputs) {
    return t.projection(name, outputs, inputs, false);
  }

  private static Weights.Norm norm(Tensors t, String name, int width, boolean affine) {
    if (affine) {
      return t.layerNorm(name, width);
    }
    float[] ones = new float[width];
    Arrays.fill(ones, 1);
    return new Weights.Norm(null, ones, null);
  }
}
