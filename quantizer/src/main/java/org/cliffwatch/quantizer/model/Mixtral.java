package org.cliffwatch.quantizer.model;

import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.kernel.Normalization;

/** Mixtral: Mistral with experts in every layer, the weights of the chosen always normalized. */
final class Mixtral extends Llama {
  Mixtral() {
    super("mixtral");
  }

  @Override
  int defaultContextLength() {
    return 131_072;
  }

  @Override
  int defaultKeyHeads(int heads) {
    return 8;
  }

  @Override
  double defaultTheta() {
    return 1_000_000;
  }

  @Override
  Biases biases(ConfigFields config) {
    return Biases.NONE;
  }

  @Override
  Architecture.Norm norm(ConfigFields config) {
    return new Architecture.Norm(Normalization.RMS, epsilon(config, "rms_norm_eps", 1e-5));
  }

  @Override
  int window(ConfigFields config, int layer) {
    return config.positive("sliding_window", 0);
  }

  @Override
  Architecture.Experts experts(ConfigFields config) {
    ignoreRouterTraining(config);
    int count = named(config, "num_experts", "num_local_experts", 8);
    return new Architecture.Experts(
        count, chosen(config, count, 2), intermediate(config), true, false);
  }

  @Override
  Weights.FeedForward feedForward(
      Tensors t, int number, String layer, Architecture a, ConfigFields config) {
    return routed(t, layer + "block_sparse_moe.", "w1", "w3", "w2", a);
  }
}
