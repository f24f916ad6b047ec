package org.cliffwatch.quantizer.kernel;

/** Some rows of a weight. */
record SelectedRows(WeightRows whole, int[] source) implements WeightRows {
  @Override
  public String name() {
    return whole.name();
  }

  @Override
  public int rows() {
    return source.length;
  }

  @Override
  public int columns() {
    return whole.columns();
  }

  @Override
  public void row(int r, float[] out) {
    whole.row(source[r], out);
  }
}
