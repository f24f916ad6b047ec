package org.cliffwatch.quantizer.model;

import java.util.List;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;

/**
 * SmolLM3: LLaMA without rotary embeddings in some layers, where a sliding window may be used, of
 * {@code configuration_smollm3.py}.
 */
final class Smollm3 extends Llama {
  Smollm3() {
    super("smollm3");
  }

  @Override
  int defaultContextLength() {
    return 32_768;
  }

  @Override
  int defaultKeyHeads(int heads) {
    return 4;
  }

  @Override
  double defaultTheta() {
    return 2_000_000;
  }

  @Override
  boolean tied(ConfigFields config) {
    return config.flag("tie_word_embeddings", true);
  }

  @Override
  int window(ConfigFields config, int layer) {
    int stated = config.positive("sliding_window", 0);
    int window = config.flag("use_sliding_window", false) ? stated : 0;
    boolean slides = slides(config, layer, window != 0 && !rotates(config, layer));
    return used(config, window, slides);
  }

  /**
   * What {@code no_rope_layers} says, where 1 means that there is rotary; without it, all layers
   * but each {@code no_rope_layer_interval}th have it.
   */
  @Override
  boolean rotates(ConfigFields config, int layer) {
    int interval = config.positive("no_rope_layer_interval", 4);
    List<Double> stated = config.numbers("no_rope_layers");
    if (config.has("no_rope_layers")) {
      int layers = config.positive("num_hidden_layers");
      config.require("no_rope_layers", stated.size() >= layers, "a 0 or 1 for each of " + layers);
      return stated.get(layer) != 0;
    }
    return (layer + 1) % interval != 0;
  }
}
