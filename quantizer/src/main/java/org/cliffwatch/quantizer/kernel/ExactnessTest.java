package org.cliffwatch.quantizer.kernel;

import java.util.Map;
import java.util.SplittableRandom;
import org.cliffwatch.quantizer.scheme.Precision;

/**
 * The start-up test that integer products are exact here. Some routines for processors without VNNI
 * add pairs of products in 16 bits and saturate; extreme codes bring that out, in whatever tiles a
 * backend makes of any number of rows.
 */
public final class ExactnessTest {
  private static final Precision W8A8 =
      new Precision("w8a8", "vectorwise", 8, 8, FloatType.FLOAT32, Map.of());

  /** Long enough that sums pass 2²⁴, beyond which float32 no longer holds every integer. */
  private static final int INPUTS = 2112;

  private static final int OUTPUTS = 48;

  /** Around the multiples of 16, of which tiles are made. */
  private static final int[] ROWS = {1, 16, 31, 32, 33, 48, 64, 80, 100};

  private static final int MOST_ROWS = 100;

  private ExactnessTest() {}

  /** Throws {@link BackendUnavailableException} unless every product is exact. */
  public static void require(Backend backend) {
    SplittableRandom random = new SplittableRandom(1);
    float[] weight = codes(OUTPUTS, random);
    float[] x = codes(MOST_ROWS, random);
    float[] expected = products(x, weight);
    MatrixRows rows = new MatrixRows("exactness test", OUTPUTS, INPUTS, weight);
    try (Linear linear = backend.linear(rows, null, W8A8)) {
      for (int count : ROWS) {
        float[] y = new float[count * OUTPUTS];
        linear.apply(x, count, y);
        compare(count, y, expected);
      }
    }
  }

  private static void compare(int rows, float[] y, float[] expected) {
    for (int i = 0; i < y.length; i++) {
      if (y[i] != expected[i]) {
        throw new BackendUnavailableException(
            "integer products are not exact on this machine: row %s of %s, output %s: found %s, expected %s"
                .formatted(i / OUTPUTS, rows, i % OUTPUTS, y[i], expected[i]));
      }
    }
  }

  private static float[] products(float[] x, float[] weight) {
    float[] y = new float[MOST_ROWS * OUTPUTS];
    for (int t = 0; t < MOST_ROWS; t++) {
      for (int o = 0; o < OUTPUTS; o++) {
        int sum = 0;
        for (int i = 0; i < INPUTS; i++) {
          sum += (int) x[t * INPUTS + i] * (int) weight[o * INPUTS + i];
        }
        y[t * OUTPUTS + o] = sum;
      }
    }
    return y;
  }

  /**
   * Rows of codes, each of scale 1: of every eight the first is all 127, the second all −127, the
   * others are random over the whole range.
   */
  private static float[] codes(int rows, SplittableRandom random) {
    float[] codes = new float[rows * INPUTS];
    for (int r = 0; r < rows; r++) {
      for (int i = 0; i < INPUTS; i++) {
        codes[r * INPUTS + i] =
            switch (r % 8) {
              case 0 -> 127;
              case 1 -> -127;
              default -> i == 0 ? 127 : random.nextInt(-127, 128);
            };
      }
    }
    return codes;
  }
}
