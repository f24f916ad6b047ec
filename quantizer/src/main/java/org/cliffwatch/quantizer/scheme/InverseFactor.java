package org.cliffwatch.quantizer.scheme;

import java.util.stream.IntStream;

/**
 * The upper triangular U with a positive diagonal and UᵀU = H⁻¹, H being symmetric and positive
 * definite: {@code torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(H)),
 * upper=True)}, at a third of its cost: H = RRᵀ with R upper triangular is Cholesky's factorization
 * begun at the last column, and U = R⁻¹. No inverse of H is made.
 *
 * <p>Pure Java in a fixed order: a native BLAS chooses the order of its sums by the processor, and
 * codes would depend on the machine. n³ / 3 fma, in place; threads as in {@link GramMatrix}.
 */
final class InverseFactor {
  private static final int WIDTH = Panels.WIDTH;
  private static final int HEIGHT = Panels.HEIGHT;
  private static final int SQUARE = WIDTH * WIDTH;

  /** float64's epsilon. */
  private static final double EPSILON = 0x1p-52;

  private InverseFactor() {}

  /**
   * Overwrites H by U; below the diagonal and beyond n nothing is read.
   *
   * @param h (n, n)
   * @return false where H is not positive definite, as far as float64 can tell: a pivot is at most
   *     n · 2⁻⁵² of its diagonal element. Then H is lost
   */
  static boolean replace(Panels h, int n) {
    for (int j = n; j < h.count() * WIDTH; j++) {
      for (int i = 0; i < j; i++) {
        h.set(i, j, 0);
      }
      h.set(j, j, 1);
    }
    if (!factorize(h, n)) {
      return false;
    }
    invert(h);
    return true;
  }

  /** R of H = RRᵀ, panel by panel from the last. */
  private static boolean factorize(Panels h, int n) {
    int size = h.count() * WIDTH;
    double[] least = new double[size];
    for (int j = 0; j < size; j++) {
      least[j] = n * EPSILON * h.get(j, j);
    }
    double[] left = new double[size * WIDTH];
    for (int p = h.count() - 1; p >= 0; p--) {
      if (!factorizePanel(h.panel(p), p * WIDTH, least)) {
        return false;
      }
      negatedTiles(h.panel(p), 0, p * WIDTH, left, 0, WIDTH);
      double[] solved = h.panel(p);
      IntStream.range(0, p)
          .parallel()
          .forEach(
              q -> {
                double[] right = transposed(solved, q * SQUARE);
                double[] out = h.panel(q);
                for (int at = 0; at < out.length; at += HEIGHT * WIDTH) {
                  Panels.addProduct(left, at, right, 0, WIDTH, out, at);
                }
              });
    }
    return true;
  }

  /** What is left of a panel once the panels after it have been subtracted. */
  private static boolean factorizePanel(double[] panel, int first, double[] least) {
    for (int i = first + WIDTH - 1; i >= 0; i--) {
      int row = i * WIDTH;
      for (int j = WIDTH - 1; j >= Math.max(0, i - first); j--) {
        int other = (first + j) * WIDTH;
        double rest = panel[row + j];
        for (int k = j + 1; k < WIDTH; k++) {
          rest -= panel[row + k] * panel[other + k];
        }
        if (row != other) {
          panel[row + j] = rest / panel[other + j];
        } else if (rest > least[i]) {
          panel[row + j] = Math.sqrt(rest);
        } else {
          return false;
        }
      }
    }
    return true;
  }

  /** R⁻¹ in R's place, 16 rows at a time from the last: each needs R's own and U's below. */
  private static void invert(Panels r) {
    double[] left = new double[(r.count() - 1) * SQUARE];
    for (int p = r.count() - 1; p >= 0; p--) {
      int first = p * WIDTH;
      int depth = (r.count() - 1 - p) * WIDTH;
      for (int q = p + 1; q < r.count(); q++) {
        negatedTiles(r.panel(q), first, WIDTH, left, (q - p - 1) * WIDTH * HEIGHT, depth);
      }
      double[] diagonal = new double[SQUARE];
      System.arraycopy(r.panel(p), p * SQUARE, diagonal, 0, SQUARE);
      int below = p;
      IntStream.range(p, r.count())
          .parallel()
          .forEach(
              q -> {
                double[] panel = r.panel(q);
                int block = below * SQUARE;
                for (int i = 0; i < SQUARE; i++) {
                  panel[block + i] = q == below && i % (WIDTH + 1) == 0 ? 1 : 0;
                }
                int reach = (q - below) * WIDTH;
                for (int tile = 0; tile < WIDTH; tile += HEIGHT) {
                  Panels.addProduct(
                      left,
                      tile * depth,
                      panel,
                      block + SQUARE,
                      reach,
                      panel,
                      block + tile * WIDTH);
                }
                solve(diagonal, panel, block);
              });
    }
  }

  /** x of D x = b in place of b; D (16, 16) upper triangular, b (16, 16) from {@code at} on. */
  private static void solve(double[] d, double[] b, int at) {
    for (int i = WIDTH - 1; i >= 0; i--) {
      int row = at + i * WIDTH;
      for (int k = i + 1; k < WIDTH; k++) {
        for (int c = 0; c < WIDTH; c++) {
          b[row + c] -= d[i * WIDTH + k] * b[at + k * WIDTH + c];
        }
      }
      for (int c = 0; c < WIDTH; c++) {
        b[row + c] /= d[i * WIDTH + i];
      }
    }
  }

  /**
   * Rows of a panel, negated, as left factors: (rows / 4) tiles of (depth, 4), of which this sets
   * 16.
   *
   * @param at where the first tile's 16 begin
   */
  private static void negatedTiles(
      double[] panel, int firstRow, int rows, double[] left, int at, int depth) {
    for (int i = 0; i < rows; i++) {
      int tile = at + i / HEIGHT * HEIGHT * depth + i % HEIGHT;
      for (int k = 0; k < WIDTH; k++) {
        left[tile + k * HEIGHT] = -panel[(firstRow + i) * WIDTH + k];
      }
    }
  }

  /** The transpose of 16 rows of a panel from {@code at} on. */
  private static double[] transposed(double[] panel, int at) {
    double[] square = new double[SQUARE];
    for (int i = 0; i < WIDTH; i++) {
      for (int k = 0; k < WIDTH; k++) {
        square[k * WIDTH + i] = panel[at + i * WIDTH + k];
      }
    }
    return square;
  }
}
