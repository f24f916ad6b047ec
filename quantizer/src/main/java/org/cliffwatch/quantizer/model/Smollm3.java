package org.cliffwatch.quantizer.model;

import java.util.ArrayList;
import java.util.Collections;
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
    if (slides && window == 0) {
      throw config.error(
          "layer_types", "found " + SLIDING + " without a sliding_window that is used");
    }
    return slides ? window : 0;
  }

  @Override
  List<Rotary> rotary(ConfigFields config, int headSize, int context) {
    List<Rotary> rotary = new ArrayList<>(super.rotary(config, headSize, context));
    for (int i = 0; i < rotary.size(); i++) {
      if (!rotates(config, i)) {
        rotary.set(i, null);
      }
    }
    return Collections.unmodifiableList(rotary);
  }

  /**
   * What {@code no_rope_layers} says, where 1 means that there is rotary; without it, all layers
   * but each {@code no_rope_layer_interval}th have it.
   */
  private static boolean rotates(ConfigFields config, int layer) {
    int interval = config.positive("no_rope_layer_interval", 4);
    List<Double> stated = config.numbers("no_rope_layers");
    if (config.has("no_rope_layers")) {
      int layers = config.positive("num_hidden_layers");
      require(config, "no_rope_layers", stated.size() >= layers, "a 0 or 1 for each of " + layers);
      return stated.get(layer) != 0;
    }
    return (layer + 1) % interval != 0;
  }
}
