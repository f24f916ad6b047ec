package org.cliffwatch.quantizer.model;

import java.util.HashSet;
import java.util.Set;
import java.util.stream.IntStream;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;

/**
 * Qwen3 with experts: in every layer, or in some, of {@code modeling_qwen3_moe.py}. A window is
 * every layer's, if it is used.
 */
final class Qwen3Moe extends Qwen3 {
  Qwen3Moe() {
    super("qwen3_moe");
  }

  @Override
  Architecture read(ConfigFields config) {
    config.ignore("max_window_layers");
    return super.read(config);
  }

  @Override
  int defaultKeyHeads(int heads) {
    return 4;
  }

  @Override
  int defaultHeadSize(ConfigFields config, int hidden, int heads) {
    return headSize(config, "num_attention_heads", hidden, heads);
  }

  @Override
  int window(ConfigFields config, int layer) {
    config.integer("sliding_window", 0);
    return config.flag("use_sliding_window", false) ? statedWindow(config) : 0;
  }

  /** The layers of {@code mlp_only_layers}; what is none changes nothing, as in transformers. */
  private static Set<Double> withoutExperts(ConfigFields config) {
    return new HashSet<>(config.numbers("mlp_only_layers"));
  }

  private static boolean hasExperts(ConfigFields config, Set<Double> without, int layer) {
    boolean isSparse = (layer + 1) % config.positive("decoder_sparse_step", 1) == 0;
    return isSparse && !without.contains((double) layer);
  }

  @Override
  int intermediate(ConfigFields config) {
    int stated = config.positive("intermediate_size", 6144);
    int layers = config.positive("num_hidden_layers");
    Set<Double> without = withoutExperts(config);
    boolean areAll =
        IntStream.range(0, layers).allMatch(layer -> hasExperts(config, without, layer));
    return areAll ? experts(config).intermediate() : stated;
  }

  @Override
  Architecture.Experts experts(ConfigFields config) {
    ignoreRouterTraining(config);
    int count = named(config, "num_local_experts", "num_experts", 128);
    return new Architecture.Experts(
        count,
        chosen(config, count, 8),
        config.positive("moe_intermediate_size", 768),
        config.flag("norm_topk_prob", false),
        true);
  }

  @Override
  Weights.FeedForward feedForward(
      Tensors t, int number, String layer, Architecture a, ConfigFields config) {
    return hasExperts(config, withoutExperts(config), number)
        ? routed(t, layer + "mlp.", "gate_proj", "up_proj", "down_proj", a)
        : super.feedForward(t, number, layer, a, config);
  }
}
