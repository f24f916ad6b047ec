package org.cliffwatch.quantizer.model;

import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.kernel.Normalization;

/**
 * OLMoE: LLaMA with experts in every layer and an RMSNorm of all heads' queries as one, and of
 * keys; in some, queries, keys and values are clamped.
 */
final class Olmoe extends Llama {
  Olmoe() {
    super("olmoe");
  }

  @Override
  int defaultContextLength() {
    return 4096;
  }

  @Override
  Biases biases(ConfigFields config) {
    return Biases.ofAttention(config);
  }

  @Override
  Architecture.Norm norm(ConfigFields config) {
    return new Architecture.Norm(Normalization.RMS, epsilon(config, "rms_norm_eps", 1e-5));
  }

  @Override
  float clip(ConfigFields config) {
    float clip = (float) config.number("clip_qkv", 0);
    config.require("clip_qkv", !config.has("clip_qkv") || clip > 0, "a positive number, or null");
    return clip;
  }

  @Override
  Architecture.Experts experts(ConfigFields config) {
    ignoreRouterTraining(config);
    int count = named(config, "num_local_experts", "num_experts", 64);
    return new Architecture.Experts(
        count,
        chosen(config, count, 8),
        intermediate(config),
        config.flag("norm_topk_prob", false),
        true);
  }

  @Override
  Weights.Norm headNorm(Tensors t, String name, int heads, int headSize) {
    return t.rmsNorm(name, heads * headSize);
  }

  @Override
  Weights.FeedForward feedForward(
      Tensors t, int number, String layer, Architecture a, ConfigFields config) {
    return routed(t, layer + "mlp.", "gate_proj", "up_proj", "down_proj", a);
  }
}
