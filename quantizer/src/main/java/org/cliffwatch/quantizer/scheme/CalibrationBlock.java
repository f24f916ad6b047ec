package org.cliffwatch.quantizer.scheme;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntConsumer;
import java.util.stream.Collectors;
import org.cliffwatch.quantizer.kernel.WeightRows;

/** A decoder block as calibration finds it: its linear layers and what text gives them. */
public interface CalibrationBlock {
  /**
   * A linear layer.
   *
   * @param name {@code layers.3.query}; the same in every family
   * @param weight (outputs, inputs); can be read as often as wanted
   */
  record Layer(String name, WeightRows weight) {}

  /** Linear layers that share an input. */
  record Group(List<Layer> layers, InputStatistics inputs) {}

  /**
   * Where the outputs of a producer can be divided by a factor each and the same inputs of all that
   * read them multiplied by it: the function stays.
   *
   * @param producer name of a norm, {@code layers.3.attention_norm}, or of a linear layer
   * @param isNorm whether it is a norm
   * @param consumers all that read what it gives, those that no precision quantizes too
   * @param inputs of the consumers
   */
  record Foldable(String producer, boolean isNorm, List<Layer> consumers, InputStatistics inputs) {}

  /** Those that precisions quantize, in the order in which rows go through them. */
  List<Group> groups();

  /** The names of those that precisions quantize. */
  default Set<String> quantizable() {
    return groups().stream()
        .flatMap(group -> group.layers().stream())
        .map(Layer::name)
        .collect(Collectors.toSet());
  }

  /** In the order in which rows go through them. */
  List<Foldable> foldables();

  /**
   * Which other weights of consumers change least what becomes of what they read: the first whose Σ
   * (y' − y)² over all samples, in float64, is smallest. y is what attention gives, where query,
   * key and value read it; what the feed-forward gives, with all its experts, where that does; the
   * sum of both, where one norm feeds both; else what the only consumer gives.
   *
   * @param candidates weights by name, in place of the block's own; each is read once. Those in the
   *     middle are tried first, and others given up once they have changed more
   * @return its index, or −1 where no sum is finite
   */
  int leastChanging(Foldable foldable, List<Map<String, WeightRows>> candidates);

  /** Does work 0, 1, … n − 1, of which none needs another's, several at a time. */
  void inParallel(int n, IntConsumer work);
}
