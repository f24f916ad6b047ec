package org.cliffwatch.quantizer.kernel;

/** Some rows of a weight. */
public class SelectedRows implements WeightRows {
  private final WeightRows whole;
  private final int[] source;

  /**
   * @param source which rows of {@code whole}, in their order
   */
  public SelectedRows(WeightRows whole, int[] source) {
    this.whole = whole;
    this.source = source;
  }

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
  public int inputAxis() {
    return whole.inputAxis();
  }

  @Override
  public void row(int r, float[] out) {
    whole.row(source[r], out);
  }
}
