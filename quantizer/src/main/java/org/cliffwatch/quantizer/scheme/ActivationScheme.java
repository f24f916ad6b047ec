package org.cliffwatch.quantizer.scheme;

import java.util.Set;
import org.cliffwatch.quantizer.kernel.WeightRows;

/** When the scale of inputs is found, as quantized checkpoints' configurations call it. */
enum ActivationScheme {
  /** As they come, a scale a token. */
  DYNAMIC,
  /** By calibration, one for all. */
  STATIC;

  static ActivationScheme of(Options options) {
    return options.choice("activation_scheme", DYNAMIC, values());
  }

  /**
   * What must be known of inputs.
   *
   * @param scheme null: they are not quantized
   */
  static Set<Statistic> statistics(ActivationScheme scheme) {
    return scheme == STATIC ? Set.of(Statistic.LARGEST) : Set.of();
  }

  /**
   * Finds the static scale of every layer's inputs: the largest magnitude, once the inputs are
   * divided by what their weights' columns are multiplied by, over the largest number; 2⁻²³ for 0.
   *
   * @param largest number of the inputs' type
   */
  static void findScales(CalibrationBlock block, float largest, Findings findings) {
    for (CalibrationBlock.Group group : block.groups()) {
      float[] magnitudes = group.inputs().largest();
      float[] factor =
          findings.numbers(group.layers().get(0).name(), Findings.INPUT_FACTOR).orElse(null);
      float max = 0;
      for (int c = 0; c < magnitudes.length; c++) {
        max = Math.max(max, factor == null ? magnitudes[c] : magnitudes[c] / factor[c]);
      }
      float scale = max / largest;
      for (CalibrationBlock.Layer layer : group.layers()) {
        findings.put(
            layer.name(), Findings.INPUT_SCALE, scale == 0 ? RowQuantizer.SMALLEST : scale);
      }
    }
  }

  /** The quantizer of a calibrated layer's inputs. */
  static RowQuantizer fixed(Element element, WeightRows weight, Precision precision) {
    float[] scale = CalibratedWeight.of(weight, precision).require(Findings.INPUT_SCALE, 1);
    return RowQuantizer.fixed(element, scale[0], 0);
  }
}
