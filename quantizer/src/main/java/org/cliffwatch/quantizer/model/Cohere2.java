package org.cliffwatch.quantizer.model;

import org.cliffwatch.quantizer.checkpoint.ConfigFields;

/**
 * Command R7B and Command A: Cohere whose layers either see a window of keys and have rotary
 * embeddings, or see all keys and have none, of {@code modeling_cohere2.py}.
 */
final class Cohere2 extends Cohere {
  Cohere2() {
    super("cohere2");
  }

  @Override
  Architecture read(ConfigFields config) {
    // What published configurations say of the family as a whole.
    config.ignore(
        "cache_implementation",
        "layer_switch",
        "order_of_interleaved_layers",
        "position_embedding_type",
        "use_embedding_sharing",
        "use_gated_activation",
        "use_parallel_block",
        "use_parallel_embedding");
    Architecture read = super.read(config);
    int headSize = read.attention().get(0).headSize();
    int heads = read.attention().get(0).heads();
    config.require(
        "head_dim", heads * headSize == read.hidden(), "the hidden size over num_attention_heads");
    return read;
  }

  @Override
  double defaultTheta() {
    return 10_000;
  }

  @Override
  int window(ConfigFields config, int layer) {
    return window(config, slides(config, layer));
  }

  @Override
  boolean rotates(ConfigFields config, int layer) {
    return slides(config, layer);
  }

  private static boolean slides(ConfigFields config, int layer) {
    int pattern = config.positive("sliding_window_pattern", 4);
    return slides(config, layer, (layer + 1) % pattern != 0);
  }
}
