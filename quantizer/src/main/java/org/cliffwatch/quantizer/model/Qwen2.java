package org.cliffwatch.quantizer.model;

import org.cliffwatch.quantizer.checkpoint.ConfigFields;

/**
 * Qwen2 and 2.5: LLaMA with biases of query, key and value, and a sliding window in some layers.
 */
class Qwen2 extends Llama {
  Qwen2() {
    this("qwen2");
  }

  Qwen2(String modelType) {
    super(modelType);
  }

  @Override
  int defaultContextLength() {
    return 32_768;
  }

  @Override
  int defaultKeyHeads(int heads) {
    return 32;
  }

  @Override
  Biases biases(ConfigFields config) {
    return new Biases(true, false, false);
  }

  @Override
  int window(ConfigFields config, int layer) {
    boolean used = config.flag("use_sliding_window", false);
    int stated = config.integer("sliding_window", config.isNull("sliding_window") ? 0 : 4096);
    int window = used ? stated : 0;
    int from = config.integer("max_window_layers", 28);
    boolean slides = slides(config, layer, layer >= from && window != 0);
    return used(config, window, slides);
  }
}
