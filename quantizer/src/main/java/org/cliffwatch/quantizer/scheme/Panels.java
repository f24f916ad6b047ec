package org.cliffwatch.quantizer.scheme;

import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * A float64 matrix (rows, columns) cut into panels of 16 columns, each row-major by itself, and the
 * one product that all of GPTQ's cubic work is made of. What pads the last panel is the caller's.
 *
 * <p>An element of a product is a sum in the order of k, one fma each: its bits depend neither on
 * the width of a vector nor on what is computed beside it. All threads may work, each on panels or
 * rows of its own.
 */
final class Panels {
  /** Columns of a panel: a multiple of two of any vector's lanes. */
  static final int WIDTH = 16;

  /** Rows of a tile, which is what a product adds to: 4 × 2 vectors stay in registers. */
  static final int HEIGHT = 4;

  private static final VectorSpecies<Double> DOUBLES =
      DoubleVector.SPECIES_PREFERRED.length() > WIDTH / 2
          ? DoubleVector.SPECIES_512
          : DoubleVector.SPECIES_PREFERRED;

  private static final int LANES = DOUBLES.length();

  private final double[][] panels;

  private Panels(double[][] panels) {
    this.panels = panels;
  }

  /** Zeros; all rows in every panel, their number rounded up to whole tiles. */
  static Panels rectangle(int rows, int columns) {
    double[][] panels = new double[Blocks.parts(columns, WIDTH)][];
    for (int p = 0; p < panels.length; p++) {
      panels[p] = new double[Blocks.parts(rows, HEIGHT) * HEIGHT * WIDTH];
    }
    return new Panels(panels);
  }

  /**
   * Zeros; of an upper triangle: panel p has rows 0 to 16 p + 15. It is padded to whole panels in
   * both directions.
   */
  static Panels triangle(int n) {
    double[][] panels = new double[Blocks.parts(n, WIDTH)][];
    for (int p = 0; p < panels.length; p++) {
      panels[p] = new double[(p + 1) * WIDTH * WIDTH];
    }
    return new Panels(panels);
  }

  int count() {
    return panels.length;
  }

  /** Row r of a panel begins at 16 r. */
  double[] panel(int p) {
    return panels[p];
  }

  double get(int row, int column) {
    return panels[column / WIDTH][row * WIDTH + column % WIDTH];
  }

  void set(int row, int column, double value) {
    panels[column / WIDTH][row * WIDTH + column % WIDTH] = value;
  }

  /**
   * {@code out[i, c] += Σ_k left[k, i] · right[k, c]}.
   *
   * @param left (depth, 4) from {@code l} on
   * @param right (depth, 16), rows of a panel, from {@code r} on
   * @param out (4, 16), rows of a panel, from {@code o} on
   */
  static void addProduct(
      double[] left, int l, double[] right, int r, int depth, double[] out, int o) {
    for (int c = 0; c < WIDTH; c += 2 * LANES) {
      addColumns(left, l, right, r + c, depth, out, o + c);
    }
  }

  private static void addColumns(
      double[] left, int l, double[] right, int r, int depth, double[] out, int o) {
    DoubleVector a0 = load(out, o);
    DoubleVector a1 = load(out, o + LANES);
    DoubleVector b0 = load(out, o + WIDTH);
    DoubleVector b1 = load(out, o + WIDTH + LANES);
    DoubleVector c0 = load(out, o + 2 * WIDTH);
    DoubleVector c1 = load(out, o + 2 * WIDTH + LANES);
    DoubleVector d0 = load(out, o + 3 * WIDTH);
    DoubleVector d1 = load(out, o + 3 * WIDTH + LANES);
    for (int k = 0; k < depth; k++) {
      DoubleVector x0 = load(right, r + k * WIDTH);
      DoubleVector x1 = load(right, r + k * WIDTH + LANES);
      DoubleVector a = DoubleVector.broadcast(DOUBLES, left[l + k * HEIGHT]);
      a0 = a.fma(x0, a0);
      a1 = a.fma(x1, a1);
      DoubleVector b = DoubleVector.broadcast(DOUBLES, left[l + k * HEIGHT + 1]);
      b0 = b.fma(x0, b0);
      b1 = b.fma(x1, b1);
      DoubleVector c = DoubleVector.broadcast(DOUBLES, left[l + k * HEIGHT + 2]);
      c0 = c.fma(x0, c0);
      c1 = c.fma(x1, c1);
      DoubleVector d = DoubleVector.broadcast(DOUBLES, left[l + k * HEIGHT + 3]);
      d0 = d.fma(x0, d0);
      d1 = d.fma(x1, d1);
    }
    a0.intoArray(out, o);
    a1.intoArray(out, o + LANES);
    b0.intoArray(out, o + WIDTH);
    b1.intoArray(out, o + WIDTH + LANES);
    c0.intoArray(out, o + 2 * WIDTH);
    c1.intoArray(out, o + 2 * WIDTH + LANES);
    d0.intoArray(out, o + 3 * WIDTH);
    d1.intoArray(out, o + 3 * WIDTH + LANES);
  }

  private static DoubleVector load(double[] v, int at) {
    return DoubleVector.fromArray(DOUBLES, v, at);
  }
}
