package org.cliffwatch.quantizer.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.cliffwatch.quantizer.kernel.reference.ScalarOperations;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Every fast backend's operations beside the scalar ones, over sizes around the width of a fast.
 */
@Tag("gpu")
@ParameterizedClass
@MethodSource("org.cliffwatch.quantizer.kernel.OfferedBackends#fast")
class OperationsTest {
  /** Of values of magnitude one, after tens of float32 roundings (2⁻²⁴ each). */
  private static final float TOLERANCE = 2e-6f;

  private final HostOperations scalar = new ScalarOperations();
  private final HostOperations fast;

  OperationsTest(String backend) {
    fast = Backends.open(backend).operations();
  }

  static IntStream sizes() {
    return IntStream.of(1, 2, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 100, 576, 1031);
  }

  @ParameterizedTest
  @MethodSource("sizes")
  void norms(int width) {
    SplittableRandom random = new SplittableRandom(width);
    int rows = 5;
    float[] x = normals(random, rows * width);
    Arrays.fill(x, width, 2 * width, 0);
    x[0] = 300;
    float[] weight = normals(random, width);
    float[] bias = normals(random, width);
    float[] expected = new float[x.length];
    float[] found = new float[x.length];
    scalar.rmsNorm(x, rows, width, weight, 1e-5f, expected);
    fast.rmsNorm(x, rows, width, weight, 1e-5f, found);
    assertNear(found, expected, TOLERANCE);
    scalar.layerNorm(x, rows, width, weight, bias, 1e-5f, expected);
    fast.layerNorm(x, rows, width, weight, bias, 1e-5f, found);
    // A width of 1 has no variance: what is left is the mean's rounding times 1/√ε.
    assertNear(found, expected, 2e-5f);
    scalar.layerNorm(x, rows, width, weight, null, 1e-5f, expected);
    fast.layerNorm(x, rows, width, weight, null, 1e-5f, x);
    assertNear(x, expected, 2e-5f);
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void activations(Activation f) {
    for (int n : sizes().toArray()) {
      SplittableRandom random = new SplittableRandom(n);
      float[] x = normals(random, n);
      for (int i = 0; i < n; i++) {
        x[i] *= i % 3 == 0 ? 30 : 2;
      }
      float[] up = normals(random, n);
      float[] expected = x.clone();
      float[] found = x.clone();
      scalar.activate(f, expected, n);
      fast.activate(f, found, n);
      assertNear(found, expected, TOLERANCE);
      expected = x.clone();
      found = x.clone();
      scalar.activateGated(f, expected, up, n);
      fast.activateGated(f, found, up, n);
      assertNear(found, expected, TOLERANCE);
    }
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void activationsOfExtremes(Activation f) {
    float[] x = {Float.NaN, 1e30f, 200, 88.5f, -88.5f, -200, -1e30f, -0f, 0};
    float[] y = Arrays.copyOf(x, 40);
    fast.activate(f, y, 40);
    assertThat(y[0]).isNaN();
    assertThat(y[1]).isEqualTo(1e30f);
    assertThat(y[2]).isEqualTo(200);
    assertThat(y[3]).isEqualTo(88.5f);
    for (int i = 4; i < 9; i++) {
      assertThat(y[i]).isCloseTo(0, org.assertj.core.data.Offset.offset(1e-30f));
    }
  }

  @ParameterizedTest
  @EnumSource(FloatType.class)
  void roundingEqualsTheScalarBits(FloatType type) {
    SplittableRandom random = new SplittableRandom(3);
    float[] x = new float[40_007];
    for (int i = 0; i < x.length; i++) {
      x[i] = Float.intBitsToFloat(random.nextInt());
    }
    for (int i = 0; i < 20_000; i++) { // around the range and the ties of 16-bit types
      x[i] = Float.intBitsToFloat((random.nextInt(0x33000000, 0x47900000) & 0xfffff000) ^ (i & 1));
    }
    float[] expected = x.clone();
    scalar.round(type, expected, x.length);
    fast.round(type, x, x.length);
    for (int i = 0; i < x.length; i++) {
      assertThat(Float.floatToIntBits(x[i])).isEqualTo(Float.floatToIntBits(expected[i]));
    }
  }

  @Test
  void roundingOfKnownValues() {
    assertThat(FloatType.BFLOAT16.round(1 + 0x1p-8f)).isEqualTo(1);
    assertThat(FloatType.BFLOAT16.round(1 + 3 * 0x1p-8f)).isEqualTo(1 + 0x1p-6f);
    assertThat(FloatType.FLOAT16.round(2049)).isEqualTo(2048);
    assertThat(FloatType.FLOAT16.round(2051)).isEqualTo(2052);
    assertThat(FloatType.FLOAT16.round(65519)).isEqualTo(65504);
    assertThat(FloatType.FLOAT16.round(-65520)).isEqualTo(Float.NEGATIVE_INFINITY);
    assertThat(FloatType.FLOAT16.round(0x1p-25f)).isEqualTo(0);
    assertThat(FloatType.FLOAT16.round(0x1.8p-24f)).isEqualTo(0x1p-23f);
    assertThat(FloatType.BFLOAT16.round(Float.MAX_VALUE)).isEqualTo(Float.POSITIVE_INFINITY);
  }

  @ParameterizedTest
  @MethodSource("sizes")
  void addition(int n) {
    SplittableRandom random = new SplittableRandom(n);
    float[] x = normals(random, n);
    float[] y = normals(random, n);
    float[] expected = x.clone();
    scalar.add(expected, y, n);
    fast.add(x, y, n);
    assertThat(x).isEqualTo(expected);
  }

  @ParameterizedTest
  @MethodSource("sizes")
  void scaling(int n) {
    float[] x = normals(new SplittableRandom(n), n);
    x[n / 2] = Float.NaN;
    x[n - 1] = Float.NEGATIVE_INFINITY;
    float[] expected = x.clone();
    scalar.scale(expected, 0.22f, n);
    fast.scale(x, 0.22f, n);
    assertThat(x).isEqualTo(expected);
    assertThat(x[n - 1]).isEqualTo(Float.NEGATIVE_INFINITY);
  }

  @Test
  void rotation() {
    SplittableRandom random = new SplittableRandom(11);
    for (int headSize : new int[] {2, 8, 16, 24, 64, 80, 128}) {
      for (int rotated : new int[] {2, headSize / 2 / 2 * 2, headSize}) {
        for (boolean interleaved : new boolean[] {false, true}) {
          int rows = 5;
          int heads = 3;
          float[] angles = normals(random, 20 * Math.max(1, rotated / 2));
          float[] cos = new float[angles.length];
          float[] sin = new float[angles.length];
          for (int i = 0; i < angles.length; i++) {
            cos[i] = (float) Math.cos(angles[i]);
            sin[i] = (float) Math.sin(angles[i]);
          }
          int[] positions = {3, 19, 0, 4, 4};
          float[] x = normals(random, rows * heads * headSize);
          float[] expected = x.clone();
          scalar.rotate(expected, rows, heads, headSize, rotated, positions, cos, sin, interleaved);
          fast.rotate(x, rows, heads, headSize, rotated, positions, cos, sin, interleaved);
          assertThat(x).isEqualTo(expected);
        }
      }
    }
  }

  /** Of the largest finite values what the function is, of ±∞ no plausible number. */
  @ParameterizedTest
  @EnumSource(Activation.class)
  void activationsOfWhatIsNotFinite(Activation f) {
    float[] x = {
      Float.MAX_VALUE,
      -Float.MAX_VALUE,
      -1e20f,
      -200,
      Float.POSITIVE_INFINITY,
      Float.NEGATIVE_INFINITY,
      Float.NaN
    };
    float[] ofNegativeInfinity = f == Activation.RELU ? new float[] {0} : new float[] {Float.NaN};
    for (HostOperations operations : List.of(scalar, fast)) {
      for (boolean gated : new boolean[] {false, true}) {
        float[] y = Arrays.copyOf(x, 23);
        if (gated) {
          float[] up = new float[y.length];
          Arrays.fill(up, 1);
          operations.activateGated(f, y, up, y.length);
        } else {
          operations.activate(f, y, y.length);
        }
        assertThat(Arrays.copyOf(y, 7))
            .as("%s %s", operations.getClass().getSimpleName(), gated)
            .usingElementComparator(OperationsTest::compare)
            .containsExactly(
                Float.MAX_VALUE,
                0,
                0,
                0,
                Float.POSITIVE_INFINITY,
                ofNegativeInfinity[0],
                Float.NaN);
      }
    }
  }

  /** ±0 are equal here. */
  private static int compare(float a, float b) {
    return a == b ? 0 : Float.compare(a, b);
  }

  /**
   * A row with an infinity, or whose sums overflow, is not finite in some value; no other is hit.
   */
  @ParameterizedTest
  @ValueSource(floats = {Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.NaN, 3e38f})
  void normsOfWhatIsNotFinite(float odd) {
    int width = 100;
    float[] weight = new float[width];
    Arrays.fill(weight, 1);
    for (HostOperations operations : List.of(scalar, fast)) {
      float[] x = normals(new SplittableRandom(1), 3 * width);
      float[] clean = new float[x.length];
      float[] found = new float[x.length];
      for (boolean layer : new boolean[] {false, true}) {
        norm(operations, layer, x, weight, clean);
        x[width + 50] = odd;
        norm(operations, layer, x, weight, found);
        x[width + 50] = 0;
        for (int row : new int[] {0, 2}) {
          assertThat(Arrays.copyOfRange(found, row * width, (row + 1) * width))
              .isEqualTo(Arrays.copyOfRange(clean, row * width, (row + 1) * width));
        }
        boolean finite = true;
        for (int i = width; i < 2 * width; i++) {
          finite &= Float.isFinite(found[i]);
        }
        // In float64 no square of a float overflows, and the row is right.
        assertThat(finite).isEqualTo(odd == 3e38f && operations == scalar);
        if (finite) {
          assertThat(found[width + 50]).isBetween(9f, 10f);
        }
      }
    }
  }

  private static void norm(
      HostOperations operations, boolean layer, float[] x, float[] weight, float[] y) {
    if (layer) {
      operations.layerNorm(x, 3, weight.length, weight, null, 1e-5f, y);
    } else {
      operations.rmsNorm(x, 3, weight.length, weight, 1e-5f, y);
    }
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.NaN})
  void sumsAndRotationsOfWhatIsNotFinite(float odd) {
    for (HostOperations operations : List.of(scalar, fast)) {
      float[] x = normals(new SplittableRandom(2), 40);
      float[] y = normals(new SplittableRandom(3), 40);
      y[21] = odd;
      operations.add(x, y, 40);
      assertThat((Float) x[21]).isEqualTo((Float) odd);
      for (boolean interleaved : new boolean[] {false, true}) {
        float[] head = normals(new SplittableRandom(4), 40);
        head[21] = odd;
        float[] ones = new float[20];
        Arrays.fill(ones, 0.5f);
        operations.rotate(head, 1, 1, 40, 40, new int[] {0}, ones, ones, interleaved);
        assertThat(Float.isFinite(head[21])).isFalse();
      }
      for (FloatType type : FloatType.values()) {
        float[] rounded = {1, odd, 2, Float.MAX_VALUE};
        operations.round(type, rounded, 4);
        assertThat(rounded)
            .containsExactly(
                1, odd, 2, type == FloatType.FLOAT32 ? Float.MAX_VALUE : Float.POSITIVE_INFINITY);
      }
    }
  }

  private static float[] normals(SplittableRandom random, int n) {
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private static void assertNear(float[] found, float[] expected, float tolerance) {
    for (int i = 0; i < expected.length; i++) {
      assertThat(Math.abs(found[i] - expected[i]))
          .as("value %s: %s beside %s", i, found[i], expected[i])
          .isLessThanOrEqualTo(tolerance * Math.max(1, Math.abs(expected[i])));
    }
  }
}
