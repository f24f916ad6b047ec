package org.cliffwatch.quantizer.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.util.Arrays;
import java.util.Random;
import jdk.incubator.vector.FloatVector;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.Half;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class LanesTest {
  /** Two units in the last place of a float32. */
  private static final double EXP_RELATIVE = 2e-7;

  private static final float[] AWKWARD = {
    0f,
    -0f,
    1f,
    -1f,
    65504f,
    65519.996f,
    65520f,
    -65520f,
    1e30f,
    -1e30f,
    3.4e38f,
    0x1p-14f,
    0x1.ffcp-15f,
    0x1.ffep-15f,
    0x1p-24f,
    0x1p-25f,
    0x1.8p-25f,
    0x1.000002p-25f,
    0x1p-126f,
    Float.MIN_VALUE,
    Float.NaN,
    Float.POSITIVE_INFINITY,
    Float.NEGATIVE_INFINITY,
    1.0009765f,
    1.00048828125f,
    1.00146484375f,
    1.00390625f,
    1.01171875f
  };

  private static float[] samples(int n, long seed) {
    Random random = new Random(seed);
    float[] x = new float[n];
    for (int i = 0; i < n; i++) {
      x[i] =
          i < AWKWARD.length
              ? AWKWARD[i]
              : (float) (random.nextGaussian() * Math.pow(2, random.nextInt(60) - 40));
    }
    return x;
  }

  @ParameterizedTest
  @EnumSource(FloatType.class)
  void lanesAndTwinRoundToTheSameBitsAtEverySize(FloatType type) {
    for (int n : new int[] {1, 7, 8, 15, 16, 17, 31, 33, 63, 65, 4098}) {
      float[] x = samples(n + 1, n);
      float[] expected = x.clone();
      for (int i = 0; i < n; i++) {
        expected[i] = Lanes.round(type, expected[i]);
      }
      Lanes.round(type, x, n);
      assertThat(x).containsExactly(expected);
    }
  }

  @Test
  void bfloat16IsTheNearestOfEightBitsTiesToEven() {
    for (float x : samples(20_000, 1)) {
      assertNearest(x, Lanes.round(FloatType.BFLOAT16, x), 16, Float.MAX_VALUE);
    }
    assertThat(Lanes.round(FloatType.BFLOAT16, 1.00390625f)).isEqualTo(1f);
    assertThat(Lanes.round(FloatType.BFLOAT16, 1.01171875f)).isEqualTo(1.015625f);
  }

  /** {@code rounded} has zero low bits, and no neighbour with zero low bits is nearer. */
  private static void assertNearest(float x, float rounded, int lowBits, float largest) {
    if (Float.isNaN(x)) {
      assertThat(rounded).isNaN();
      return;
    }
    if (Float.isInfinite(rounded) || Math.abs(x) > largest) {
      return;
    }
    int bits = Float.floatToRawIntBits(rounded);
    int unit = 1 << lowBits;
    assertThat(bits & (unit - 1)).isZero();
    for (int neighbour : new int[] {bits - unit, bits + unit}) {
      float other = Float.intBitsToFloat(neighbour);
      if (Float.isFinite(other) && (other < 0) == (rounded < 0)) {
        int nearer = distance(x, rounded).compareTo(distance(x, other));
        assertThat(nearer).as("%s to %s or %s", x, rounded, other).isLessThanOrEqualTo(0);
        if (nearer == 0) {
          assertThat((bits >>> lowBits) & 1).isZero();
        }
      }
    }
  }

  private static BigDecimal distance(float a, float b) {
    return new BigDecimal(a).subtract(new BigDecimal(b)).abs();
  }

  @Test
  void everyFloat16SurvivesRoundingAndStorage() {
    for (int half = 0; half < 1 << 16; half++) {
      float value = widen(half);
      if (Float.isNaN(value)) {
        assertThat(Lanes.round(FloatType.FLOAT16, value)).isNaN();
        continue;
      }
      assertThat(Float.floatToRawIntBits(Lanes.round(FloatType.FLOAT16, value)))
          .isEqualTo(Float.floatToRawIntBits(value));
      assertThat(Half.bits(value)).isEqualTo((short) half);
    }
  }

  @Test
  void betweenTwoFloat16TheNearerWinsAndATieGoesToTheEven() {
    for (int half = 0; half < 0x7bff; half++) {
      float low = widen(half);
      float high = widen(half + 1);
      float middle = low + (high - low) / 2; // exact: float32 has 13 more bits
      assertThat(Lanes.round(FloatType.FLOAT16, middle)).isEqualTo(half % 2 == 0 ? low : high);
      assertThat(Lanes.round(FloatType.FLOAT16, Math.nextDown(middle))).isEqualTo(low);
      assertThat(Lanes.round(FloatType.FLOAT16, Math.nextUp(middle))).isEqualTo(high);
    }
    assertThat(Lanes.round(FloatType.FLOAT16, 65519.996f)).isEqualTo(65504f);
    assertThat(Lanes.round(FloatType.FLOAT16, 65520f)).isEqualTo(Float.POSITIVE_INFINITY);
  }

  /** IEEE 754 binary16 by its definition. */
  private static float widen(int half) {
    int exponent = (half >>> 10) & 0x1f;
    int fraction = half & 0x3ff;
    double magnitude =
        switch (exponent) {
          case 0 -> fraction * 0x1p-24;
          case 0x1f -> fraction == 0 ? Double.POSITIVE_INFINITY : Double.NaN;
          default -> (1024 + fraction) * Math.pow(2, exponent - 25);
        };
    return (float) ((half & 0x8000) == 0 ? magnitude : -magnitude);
  }

  @Test
  void expIsNearAndItsTwinTheSame() {
    float[] x = new float[8 * 20_000];
    for (int i = 0; i < x.length; i++) {
      x[i] = -87f + 175f * i / x.length;
    }
    float[] y = new float[x.length];
    for (int i = 0; i < x.length; i += Lanes.WIDTH) {
      Lanes.exp(FloatVector.fromArray(Lanes.SPECIES, x, i)).intoArray(y, i);
    }
    for (int i = 0; i < x.length; i++) {
      double exact = Math.exp(x[i]);
      assertThat(Math.abs(y[i] - exact) / exact).as("exp(%s)", x[i]).isLessThan(EXP_RELATIVE);
      assertThat(Lanes.exp(x[i])).isEqualTo(y[i]);
    }
    assertThat(Lanes.exp(Float.NaN)).isNaN();
    assertThat(Lanes.exp(-1e9f)).isBetween(0f, 1e-37f);
  }

  @Test
  void softmaxFinishesOddRows() {
    for (int n : new int[] {1, 7, 8, 15, 16, 17, 31, 33, 63, 65}) {
      float[] x = samples(n + 30, n);
      float[] row = Arrays.copyOfRange(x, 28, 28 + n);
      for (int i = 0; i < n; i++) {
        row[i] = row[i] % 20;
      }
      double sum = 0;
      for (float value : row) {
        sum += Math.exp(value);
      }
      float[] y = new float[n + 4];
      System.arraycopy(row, 0, y, 2, n);
      double logSum = Softmax.inPlace(y, 2, n);
      assertThat(logSum).isCloseTo(Math.log(sum), org.assertj.core.data.Offset.offset(1e-5));
      for (int i = 0; i < n; i++) {
        assertThat((double) y[i + 2])
            .isCloseTo(Math.exp(row[i]) / sum, org.assertj.core.data.Offset.offset(1e-6));
      }
      assertThat(y[0] + y[1] + y[n + 2] + y[n + 3]).isZero();
    }
  }
}
