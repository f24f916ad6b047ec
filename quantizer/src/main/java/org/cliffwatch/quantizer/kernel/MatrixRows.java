package org.cliffwatch.quantizer.kernel;

/** A matrix in an array: {@code values} is (rows, columns), row-major. */
public record MatrixRows(String name, int rows, int columns, float[] values) implements WeightRows {
  @Override
  public void row(int r, float[] out) {
    System.arraycopy(values, r * columns, out, 0, columns);
  }
}
