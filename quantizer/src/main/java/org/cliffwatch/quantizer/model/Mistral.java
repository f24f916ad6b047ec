package org.cliffwatch.quantizer.model;

import org.cliffwatch.quantizer.checkpoint.ConfigFields;

/** Mistral: LLaMA without biases, with a sliding window in every layer. */
final class Mistral extends Llama {
  Mistral() {
    super("mistral");
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
  Biases biases(ConfigFields config) {
    return Biases.NONE;
  }

  @Override
  int window(ConfigFields config, int layer) {
    return statedWindow(config);
  }
}
