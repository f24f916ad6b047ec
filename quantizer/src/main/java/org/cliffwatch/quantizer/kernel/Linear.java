package org.cliffwatch.quantizer.kernel;

/**
 * One linear layer, or several that share their input, with weights packed for a backend: {@code y
 * = x Wᵀ + b}, W (outputs, inputs).
 *
 * <p>Safe for concurrent calls. A row of y depends on that row of x alone: products whose sums
 * round are made in tiles of one fixed number of rows, so the bits do not change with {@code rows}
 * or with the row's place. A row of x that holds NaN or an infinity makes no other row wrong.
 */
public interface Linear extends AutoCloseable {
  int inputs();

  /** Outputs of each projection, in the order they were given. */
  int[] outputs();

  /**
   * Multiplies {@code rows} rows.
   *
   * @param x (rows, inputs) float32, row-major; already rounded to the precision's compute type
   * @param rows at least 1
   * @param watch products are {@link Stage#PRODUCTS}, what is around them {@link
   *     Stage#QUANTIZATION}
   * @param y a projection each: (rows, outputs) float32, row-major, overwritten; rounded to the
   *     precision's compute type after the bias
   */
  void apply(float[] x, int rows, Stopwatch watch, float[]... y);

  /** As {@link #apply(float[], int, Stopwatch, float[]...)}, its time given to nobody. */
  default void apply(float[] x, int rows, float[]... y) {
    apply(x, rows, new Stopwatch(), y);
  }

  /** Bytes of native and heap memory the packed weights take. */
  long bytes();

  /**
   * Frees the weights, once however often it is called; no call may be running. {@link #apply}
   * throws IllegalStateException from then on.
   */
  @Override
  void close();
}
