package org.cliffwatch.quantizer.scheme;

import org.cliffwatch.quantizer.kernel.WeightRows;

/** A weight whose rows are another's, each changed. */
public interface ChangedRows extends WeightRows {
  /** The other. */
  WeightRows weight();

  @Override
  default String name() {
    return weight().name();
  }

  @Override
  default int rows() {
    return weight().rows();
  }

  @Override
  default int columns() {
    return weight().columns();
  }

  @Override
  default int inputAxis() {
    return weight().inputAxis();
  }
}
