package org.cliffwatch.quantizer.scheme;

import java.util.List;
import java.util.Map;
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

  /** In the order in which rows go through them. */
  List<Foldable> foldables();

  /**
   * What becomes of the inputs of a group with other weights: the output of attention for query,
   * key and value, of the feed-forward for gate and up, else the layer's own.
   *
   * @param weights by name, in place of the block's own
   * @return (rows of a sample, outputs) of every sample
   */
  List<float[]> outputs(Group group, Map<String, WeightRows> weights);
}
