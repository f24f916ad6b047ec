package org.cliffwatch.quantizer.kernel;

/**
 * A weight matrix (rows = outputs, columns = inputs) whose rows can be read as float32, one at a
 * time.
 */
public interface WeightRows {
  /** The tensor's name in the checkpoint, for messages. */
  String name();

  int rows();

  int columns();

  /**
   * The axis of the checkpoint's tensor that columns lie along: 1, or 0 where it has (inputs,
   * outputs).
   */
  default int inputAxis() {
    return 1;
  }

  /** Writes row {@code r}, widened exactly to float32, to {@code out[0 .. columns())}. */
  void row(int r, float[] out);

  /** Rows {@code source[0]}, {@code source[1]}, … of it. */
  default WeightRows select(int[] source) {
    return new SelectedRows(this, source);
  }
}
