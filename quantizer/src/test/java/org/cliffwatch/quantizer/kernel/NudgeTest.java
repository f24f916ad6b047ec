package org.cliffwatch.quantizer.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class NudgeTest {
  private static final int WIDTH = 10_000;

  @Test
  void replicaZeroIsTheModelItself() {
    float[] x = ones();
    new Nudge(5, 0).apply(x, 0, WIDTH, 3, 4, FloatType.FLOAT32);
    assertThat(x).isEqualTo(ones());
  }

  @Test
  void nudgesAreAMillionthAndCentred() {
    double[] nudges = nudges(5, 1, 3, 4);
    // Float32 next to 1 has steps of 2⁻²³ above and 2⁻²⁴ below.
    assertThat(Arrays.stream(nudges).map(Math::abs).max().orElseThrow()).isBetween(0.9, 1 + 0x1p-4);
    // The mean of n uniform values has standard deviation 1/√(3n).
    assertThat(Arrays.stream(nudges).average().orElseThrow())
        .isBetween(-4 / Math.sqrt(3.0 * WIDTH), 4 / Math.sqrt(3.0 * WIDTH));
    double square = Arrays.stream(nudges).map(u -> u * u).average().orElseThrow();
    assertThat(square).isBetween(0.31, 0.36);
  }

  @Test
  void everythingThatNamesANudgeChangesIt() {
    double[] nudges = nudges(5, 1, 3, 4);
    assertThat(nudges(5, 1, 3, 4)).isEqualTo(nudges);
    for (double[] other :
        new double[][] {
          nudges(6, 1, 3, 4),
          nudges(5, 2, 3, 4),
          nudges(5, 1, 4, 4),
          nudges(5, 1, 3, 5),
          // The sums of neighbours must not collide.
          nudges(5, 1, 4, 3),
          nudges(4, 2, 3, 4)
        }) {
      double product =
          IntStream.range(0, WIDTH).mapToDouble(i -> nudges[i] * other[i]).average().orElseThrow();
      // Independent: standard deviation of the mean product is 1/(3√n).
      assertThat(product).isBetween(-4 / (3 * Math.sqrt(WIDTH)), 4 / (3 * Math.sqrt(WIDTH)));
    }
  }

  @Test
  void onlyTheRowIsNudged() {
    float[] x = ones();
    new Nudge(5, 1).apply(x, 100, 50, 3, 4, FloatType.FLOAT32);
    for (int i = 0; i < WIDTH; i++) {
      if (i < 100 || i >= 150) {
        assertThat(x[i]).isEqualTo(1f);
      }
    }
  }

  /** One component in 64 moves by a unit in its last place, as often up as down. */
  @ParameterizedTest
  @EnumSource(names = {"BFLOAT16", "FLOAT16"})
  void in16BitsSomeComponentsMoveByAUnit(FloatType type) {
    float[] values = {0, 1, -1.5f, 3e-5f, -6e-8f, type == FloatType.FLOAT16 ? 65504 : 3.38e38f};
    for (float v : values) {
      float value = type.round(v);
      float[] x = new float[WIDTH];
      Arrays.fill(x, value);
      new Nudge(5, 1).apply(x, 0, WIDTH, 3, 4, type);
      int up = 0;
      int down = 0;
      for (float moved : x) {
        assertThat(type.round(moved)).as("of the type").isEqualTo(moved);
        assertThat(Math.abs(moved - value)).isIn(0f, type.ulp(value));
        assertThat(moved).isFinite();
        up += moved > value ? 1 : 0;
        down += moved < value ? 1 : 0;
      }
      boolean largest = type.round(value + type.ulp(value)) == Float.POSITIVE_INFINITY;
      // Of 10 000 components 78 each way; standard deviation 9.
      assertThat(up).isBetween(value == 0 || largest ? 0 : 45, value == 0 || largest ? 0 : 115);
      assertThat(down).isBetween(value == 0 ? 0 : 45, value == 0 ? 0 : 115);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"BFLOAT16", "FLOAT16"})
  void in16BitsReplicasDiffer(FloatType type) {
    float[][] drawn = new float[3][WIDTH];
    for (int replica = 0; replica < 3; replica++) {
      Arrays.fill(drawn[replica], 1);
      new Nudge(5, replica).apply(drawn[replica], 0, WIDTH, 3, 4, type);
    }
    assertThat(drawn[1]).isNotEqualTo(drawn[0]).isNotEqualTo(drawn[2]);
  }

  /** (x − 1) / 2⁻²⁰ of nudged ones. */
  private static double[] nudges(long seed, int replica, int position, int token) {
    float[] x = ones();
    new Nudge(seed, replica).apply(x, 0, WIDTH, position, token, FloatType.FLOAT32);
    return IntStream.range(0, WIDTH).mapToDouble(i -> (x[i] - 1.0) * 0x1p20).toArray();
  }

  private static float[] ones() {
    float[] x = new float[WIDTH];
    Arrays.fill(x, 1);
    return x;
  }
}
