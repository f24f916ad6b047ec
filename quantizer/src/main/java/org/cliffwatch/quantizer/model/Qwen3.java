package org.cliffwatch.quantizer.model;

import org.cliffwatch.quantizer.checkpoint.ConfigFields;

/** Qwen3: Qwen2 with an RMSNorm of every head's query and key, and biases only where stated. */
class Qwen3 extends Qwen2 {
  Qwen3() {
    this("qwen3");
  }

  Qwen3(String modelType) {
    super(modelType);
  }

  @Override
  int defaultHeadSize(ConfigFields config, int hidden, int heads) {
    return 128;
  }

  @Override
  Biases biases(ConfigFields config) {
    return Biases.ofAttention(config);
  }

  @Override
  Weights.Norm headNorm(Tensors t, String name, int heads, int headSize) {
    return t.rmsNorm(name, headSize);
  }
}
