package org.cliffwatch.quantizer.model;

import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.kernel.LogitTransform;
import org.cliffwatch.quantizer.kernel.Normalization;

/**
 * Command R and Aya: LLaMA with a parallel residual of one LayerNorm without bias, rotated pairs
 * that are neighbours and logits multiplied by {@code logit_scale}, of {@code modeling_cohere.py}.
 */
class Cohere extends Llama {
  Cohere() {
    this("cohere");
  }

  Cohere(String modelType) {
    super(modelType);
  }

  @Override
  Architecture read(ConfigFields config) {
    config.require("use_qk_norm", !config.flag("use_qk_norm", false), "false");
    return super.read(config);
  }

  @Override
  int defaultContextLength() {
    return 8192;
  }

  @Override
  double defaultTheta() {
    return 500_000;
  }

  @Override
  Biases biases(ConfigFields config) {
    return Biases.ofAttention(config);
  }

  @Override
  boolean tied(ConfigFields config) {
    return config.flag("tie_word_embeddings", true);
  }

  @Override
  Architecture.Norm norm(ConfigFields config) {
    return new Architecture.Norm(Normalization.LAYER, epsilon(config, "layer_norm_eps", 1e-5));
  }

  @Override
  Architecture.Residual residual(ConfigFields config) {
    return Architecture.Residual.PARALLEL;
  }

  @Override
  Rotary adapted(Rotary stated) {
    return stated.inPairs();
  }

  @Override
  Architecture.Multipliers multipliers(ConfigFields config) {
    float scale = (float) config.number("logit_scale", 0.0625);
    return Architecture.Multipliers.ofLogits(new LogitTransform(scale, 0));
  }

  /** LayerNorm without bias. */
  @Override
  Weights.Norm norm(Tensors t, String name, int width) {
    return t.rmsNorm(name, width);
  }

  @Override
  Weights.Norms norms(Tensors t, String layer, Architecture a) {
    return new Weights.Norms(norm(t, layer + "input_layernorm", a.hidden()), null);
  }
}
