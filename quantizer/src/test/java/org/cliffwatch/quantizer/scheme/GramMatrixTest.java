package org.cliffwatch.quantizer.scheme;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.concurrent.ForkJoinPool;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class GramMatrixTest {
  private static float[] random(int n, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    float[] x = new float[n];
    for (int i = 0; i < n; i++) {
      x[i] = (float) (random.nextGaussian() * Math.scalb(1.0, random.nextInt(-20, 20)));
    }
    return x;
  }

  /** One product and one sum a row, in the order of the rows. */
  private static double scalar(float[] x, int rows, int columns, int i, int j) {
    double sum = 0;
    for (int r = 0; r < rows; r++) {
      sum += (double) x[r * columns + i] * x[r * columns + j];
    }
    return sum;
  }

  private static void requireSame(GramMatrix found, float[] x, int rows) {
    int columns = found.columns();
    assertThat(found.rows()).isEqualTo(rows);
    for (int i = 0; i < columns; i++) {
      for (int j = 0; j < columns; j++) {
        assertThat(found.get(i, j))
            .as("%s, %s", i, j)
            .isEqualTo(scalar(x, rows, columns, Math.min(i, j), Math.max(i, j)));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "7, 3", "127, 15", "128, 16", "129, 17", "300, 33", "5, 131"})
  void isTheSumInTheOrderOfRows(int rows, int columns) {
    float[] x = random(rows * columns, 1);
    GramMatrix whole = new GramMatrix(columns);
    whole.add(x, rows);
    requireSame(whole, x, rows);
    assertThat(whole.squares(columns - 1))
        .isEqualTo(scalar(x, rows, columns, columns - 1, columns - 1));
  }

  @Test
  void callsAndThreadsMakeNoDifference() {
    int rows = 400;
    int columns = 70;
    float[] x = random(rows * columns, 2);
    for (int threads : new int[] {1, 3}) {
      GramMatrix parts = new GramMatrix(columns);
      ForkJoinPool pool = new ForkJoinPool(threads);
      pool.submit(
              () -> {
                for (int from = 0, n = 1;
                    from < rows;
                    from += n, n = Math.min(2 * n, rows - from)) {
                  parts.add(Arrays.copyOfRange(x, from * columns, x.length), n);
                }
                parts.add(x, 0);
              })
          .join();
      pool.shutdown();
      requireSame(parts, x, rows);
    }
  }

  @Test
  void productsOfTheSmallestAndTheLargestAreExact() {
    float[] x = {Float.MIN_VALUE, Float.MAX_VALUE, -Float.MIN_NORMAL, 0};
    GramMatrix gram = new GramMatrix(4);
    gram.add(x, 1);
    requireSame(gram, x, 1);
    assertThat(gram.get(0, 0)).isEqualTo(0x1p-298);
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
  void whatIsNotFiniteShows(float bad) {
    float[] x = random(20 * 30, 3);
    x[7 * 20 + 11] = bad;
    GramMatrix gram = new GramMatrix(20);
    gram.add(x, 30);
    for (int j = 0; j < 20; j++) {
      assertThat(Double.isFinite(gram.squares(j))).as("%s", j).isEqualTo(j != 11);
    }
  }
}
