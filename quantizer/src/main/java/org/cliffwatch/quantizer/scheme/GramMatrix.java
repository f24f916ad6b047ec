package org.cliffwatch.quantizer.scheme;

import java.util.stream.IntStream;

/**
 * Σ x xᵀ over rows x of a linear layer's inputs, in float64: what GPTQ has to know of a layer.
 *
 * <p>An element is a sum in the order of the rows. The product of two float32 is exact in float64,
 * so there is one rounding a row, with or without fma, and the bits depend on nothing but the rows:
 * not on how they are cut into calls, the width of a vector or the number of threads. Threads are
 * those of the caller's fork-join pool, or of the common one. Time is rows · n² / 2 fma, memory 4
 * n² bytes: one triangle.
 *
 * <p>A value that is NaN or infinite leaves {@link #squares} of its input NaN or infinite.
 */
public final class GramMatrix {
  /** Rows added in one go: a panel of them stays in the cache nearest to the processor. */
  private static final int CHUNK = 128;

  private final int columns;
  private final Panels sums;
  private long rows;

  /**
   * Of no rows.
   *
   * @param columns inputs of the layer
   */
  public GramMatrix(int columns) {
    if (columns < 1) {
      throw new IllegalArgumentException("found %s columns, expected 1 or more".formatted(columns));
    }
    this.columns = columns;
    this.sums = Panels.triangle(columns);
  }

  /**
   * Adds rows.
   *
   * @param x (rows, columns), row-major, from its beginning
   */
  public void add(float[] x, int rows) {
    if (rows < 0 || (long) rows * columns > x.length) {
      throw new IllegalArgumentException(
          "found %s values, expected (%s, %s)".formatted(x.length, rows, columns));
    }
    int padded = sums.count() * Panels.WIDTH;
    double[] left = new double[Math.min(rows, CHUNK) * padded];
    for (int from = 0; from < rows; from += CHUNK) {
      add(x, from, Math.min(CHUNK, rows - from), left);
    }
    this.rows += rows;
  }

  /**
   * @param left overwritten by the rows in tiles of (count, 4)
   */
  private void add(float[] x, int from, int count, double[] left) {
    for (int k = 0; k < count; k++) {
      for (int c = 0; c < columns; c++) {
        int tile = c / Panels.HEIGHT;
        left[(tile * count + k) * Panels.HEIGHT + c % Panels.HEIGHT] = x[(from + k) * columns + c];
      }
    }
    IntStream.range(0, sums.count())
        .parallel()
        .forEach(
            p -> {
              double[] right = panel(x, from, count, p);
              double[] out = sums.panel(p);
              for (int at = 0; at < out.length; at += Panels.HEIGHT * Panels.WIDTH) {
                int tile = at / Panels.WIDTH * count;
                Panels.addProduct(left, tile, right, 0, count, out, at);
              }
            });
  }

  /** Columns 16 p to 16 p + 15 of some rows. */
  private double[] panel(float[] x, int from, int count, int p) {
    int first = p * Panels.WIDTH;
    int width = Math.min(Panels.WIDTH, columns - first);
    double[] panel = new double[count * Panels.WIDTH];
    for (int k = 0; k < count; k++) {
      for (int c = 0; c < width; c++) {
        panel[k * Panels.WIDTH + c] = x[(from + k) * columns + first + c];
      }
    }
    return panel;
  }

  /** Inputs of the layer. */
  public int columns() {
    return columns;
  }

  /** How many rows there were. */
  public long rows() {
    return rows;
  }

  /** Σ x_i x_j. */
  public double get(int i, int j) {
    return sums.get(Math.min(i, j), Math.max(i, j));
  }

  /** Σ x_j²; 0 for an input that never was anything else, NaN or ∞ for one that once was. */
  public double squares(int j) {
    return sums.get(j, j);
  }
}
