package org.cliffwatch.quantizer.scheme;

import java.util.Set;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.WeightRows;

/**
 * The algorithm that makes a precision's tensors: from a layer's weight to the {@link LinearForm} a
 * backend multiplies by. A scheme knows numbers and no backend; a backend knows forms and no
 * scheme. A scheme whose result is an existing form is one class, one line in {@link Schemes} and
 * one row of {@code conf/precisions.yaml}.
 */
public interface Scheme {
  /** As precisions name it. */
  String name();

  /**
   * Refuses a row of {@code conf/precisions.yaml} that this scheme cannot make, naming the key,
   * what was found and what was expected.
   */
  void check(Precision precision) throws InvalidInputException;

  /**
   * Bits that a weight takes, its share of scales and zero points included.
   *
   * @param columns of its matrix
   */
  double bits(int columns, Precision precision);

  /**
   * Bits that a weight takes in memory, about, where backends keep it wider than it need be: else
   * those of {@link #bits}.
   *
   * @param columns of its matrix
   */
  default double packedBits(int columns, Precision precision) {
    return bits(columns, precision);
  }

  /** Whether products are of integers, for what they are expected to cost. */
  default boolean multipliesIntegers(Precision precision) {
    return false;
  }

  /**
   * What it wants to know of the inputs that {@link Calibration} text gives every linear layer;
   * empty: it looks at no data.
   */
  default Set<Statistic> statistics(Precision precision) {
    return Set.of();
  }

  /** Whose quantization the inputs that it looks at have gone through. */
  default QuantizedBefore quantizedBefore(Precision precision) {
    return QuantizedBefore.NOTHING;
  }

  /**
   * How often calibration text goes through a model for this alone, about, beside the once that
   * schemes which look at the checkpoint's own inputs share: what it is expected to cost.
   */
  default double calibrationWalks(Precision precision) {
    return 0;
  }

  /**
   * Finds what {@link #prepare} needs of a block. What is put in for a layer is part of its weight
   * there, which is a {@link CalibratedWeight}.
   *
   * @param block with the {@link #statistics} of its layers
   * @throws InvalidInputException when weights or inputs cannot be used, naming them
   */
  default void calibrate(CalibrationBlock block, Precision precision, Findings findings) {}

  /**
   * Makes one linear layer's weight.
   *
   * @param weight (outputs, inputs); read a row at a time, in order
   * @throws InvalidInputException when a weight is NaN or infinite, naming tensor and place
   */
  LinearForm prepare(WeightRows weight, Precision precision);
}
