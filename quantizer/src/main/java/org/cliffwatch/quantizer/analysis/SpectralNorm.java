package org.cliffwatch.quantizer.analysis;

import java.util.List;
import java.util.Random;
import org.cliffwatch.quantizer.kernel.WeightRows;

/**
 * The largest singular value of a matrix (Ahmadian et al. 2023, equation 3), by power iteration on
 * WᵀW (Golub and Van Loan, "Matrix Computations", section 7.3), float64. An iteration costs two
 * multiplications an element.
 *
 * @param value ‖W v‖ for the last v of length 1: at most the norm, and short of it by no more than
 *     about a relative {@code residual}² divided by twice the gap to the next eigenvalue
 * @param residual ‖WᵀW v − σ² v‖ / σ²: 0 at a singular vector
 */
record SpectralNorm(double value, double residual) {
  /** Beyond it σ changes by less than float32 shows. */
  private static final double SMALLEST_CHANGE = 1e-8;

  /**
   * Matrices whose largest values lie close need many; the residual tells of those stopped here.
   */
  private static final int MOST_ITERATIONS = 300;

  /**
   * @param parts (outputs, inputs) each, on top of one another
   * @param seed of the first v
   */
  static SpectralNorm of(List<WeightRows> parts, long seed) {
    int columns = parts.get(0).columns();
    Random random = new Random(seed);
    double[] v = random.doubles(columns, -1, 1).toArray();
    divide(v, norm(v));
    double last = 0;
    for (int i = 1; ; i++) {
      double[] next = new double[columns];
      double square = multiply(parts, v, next);
      double sigma = Math.sqrt(square);
      if (sigma == 0) {
        return new SpectralNorm(0, 0);
      }
      if (Math.abs(sigma - last) <= SMALLEST_CHANGE * sigma || i == MOST_ITERATIONS) {
        double residual = 0;
        for (int c = 0; c < columns; c++) {
          double off = next[c] - square * v[c];
          residual += off * off;
        }
        return new SpectralNorm(sigma, Math.sqrt(residual) / square);
      }
      last = sigma;
      divide(next, norm(next));
      v = next;
    }
  }

  /**
   * next += WᵀW v.
   *
   * @return ‖W v‖²
   */
  private static double multiply(List<WeightRows> parts, double[] v, double[] next) {
    float[] row = new float[v.length];
    double square = 0;
    for (WeightRows part : parts) {
      for (int r = 0; r < part.rows(); r++) {
        part.row(r, row);
        double dot = dot(row, v);
        square += dot * dot;
        for (int c = 0; c < row.length; c++) {
          next[c] += dot * row[c];
        }
      }
    }
    return square;
  }

  private static double dot(float[] row, double[] v) {
    double[] sums = new double[8]; // which do not wait for each other
    int whole = row.length / sums.length * sums.length;
    for (int c = 0; c < whole; c += sums.length) {
      for (int i = 0; i < sums.length; i++) {
        sums[i] += row[c + i] * v[c + i];
      }
    }
    double sum = 0;
    for (double each : sums) {
      sum += each;
    }
    for (int c = whole; c < row.length; c++) {
      sum += row[c] * v[c];
    }
    return sum;
  }

  private static double norm(double[] v) {
    double square = 0;
    for (double each : v) {
      square += each * each;
    }
    return Math.sqrt(square);
  }

  private static void divide(double[] v, double by) {
    for (int c = 0; c < v.length; c++) {
      v[c] /= by;
    }
  }
}
