package org.cliffwatch.quantizer.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.scheme.CalibratedWeight;
import org.cliffwatch.quantizer.scheme.Findings;
import org.cliffwatch.quantizer.scheme.Precision;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Products of Flexpoint tensors, beside mantissas by hand. */
class FlexpointLinearTest {
  private static final int[] SIZES = {1, 7, 16, 17, 33, 63, 65, 192, 577, 1031, 2081};

  /** A float32 sum of n products of magnitude one, in any order: n · 2⁻²⁴, of a sum of √n. */
  private static final double FLOAT32_SUM = 2e-6;

  private static final String CASES =
      """
      reference, 16
      reference, 11
      reference, 8
      onednn, 16
      onednn, 11
      onednn, 8
      """;

  private static Precision flexpoint(int bits) {
    return new Precision("x", "flexpoint", bits, bits, FloatType.FLOAT32, Map.of());
  }

  private static Linear linear(
      String backend, int bits, WeightRows weight, float[] bias, float inputScale) {
    return Backends.open(backend).linear(calibrated(weight, inputScale), bias, flexpoint(bits));
  }

  private static WeightRows calibrated(WeightRows weight, float inputScale) {
    Findings findings = new Findings();
    findings.put(weight.name(), "input_scale", inputScale);
    return new CalibratedWeight(weight, weight.name(), findings);
  }

  private static MatrixRows weight(SplittableRandom random, int outputs, int inputs) {
    float[] values = LinearTest.normals(random, outputs * inputs);
    Arrays.fill(values, 0, inputs, 0);
    if (outputs > 1) {
      values[inputs] = 20;
    }
    return new MatrixRows("w", outputs, inputs, values);
  }

  /** κ of inputs within ±16. */
  private static float inputScale(int bits) {
    return Math.scalb(1f, 5 - bits);
  }

  /** Normal values, what saturates, ties, zeros. */
  private static float[] inputs(SplittableRandom random, int rows, int width, float scale) {
    float[] x = LinearTest.normals(random, rows * width);
    for (int i = 0; i < x.length; i++) {
      switch (i % 97) {
        case 0 -> x[i] = 1e6f;
        case 13 -> x[i] = -1e6f;
        case 20 -> x[i] = 20;
        case 40, 41 -> x[i] = (random.nextInt(-100, 100) + 0.5f) * scale;
        default -> {
          // Left as it is.
        }
      }
    }
    if (rows > 1) {
      Arrays.fill(x, width, 2 * width, 0);
    }
    if (rows > 2) {
      // A row within the range of the mantissas: most are.
      for (int i = 2 * width; i < 3 * width; i++) {
        x[i] = Math.max(-4, Math.min(4, x[i]));
      }
    }
    return x;
  }

  private static long mantissa(float v, double scale, int bits) {
    double end = Math.pow(2, bits - 1);
    return (long) Math.max(-end, Math.min(end - 1, Math.rint(v / scale)));
  }

  /** Of a weight whose largest is 20, or 0: mantissas up to the second highest bit. */
  private static double weightScale(MatrixRows weight, int bits) {
    float largest = 0;
    for (float value : weight.values()) {
      largest = Math.max(largest, Math.abs(value));
    }
    return largest == 0 ? Math.pow(2, -31) : Math.pow(2, 5 - (bits - 2));
  }

  @ParameterizedTest
  @CsvSource(textBlock = CASES)
  void equalsSumsOfMantissas(String backend, int bits) {
    SplittableRandom random = new SplittableRandom(5);
    float scale = inputScale(bits);
    for (int inputs : SIZES) {
      for (int outputs : new int[] {1, 17, 64}) {
        int rows = 1 + random.nextInt(40);
        MatrixRows weight = weight(random, outputs, inputs);
        float[] bias = outputs % 2 == 0 ? LinearTest.normals(random, outputs) : null;
        float[] x = inputs(random, rows, inputs, scale);
        float[] y = new float[rows * outputs];
        try (Linear linear = linear(backend, bits, weight, bias, scale)) {
          linear.apply(x, rows, y);
        }
        double weightScale = weightScale(weight, bits);
        for (int t = 0; t < rows; t++) {
          for (int o = 0; o < outputs; o++) {
            long sum = 0;
            long largest = 1;
            for (int i = 0; i < inputs; i++) {
              long term =
                  mantissa(x[t * inputs + i], scale, bits)
                      * mantissa(weight.values()[o * inputs + i], weightScale, bits);
              sum += term;
              largest = Math.max(largest, Math.abs(term));
            }
            double unit = scale * weightScale;
            float found = y[t * outputs + o];
            float b = bias == null ? 0 : bias[o];
            if (bits == 8) {
              assertThat(found).isEqualTo((float) (sum * unit) + b);
            } else {
              double tolerance =
                  FLOAT32_SUM * (Math.sqrt(inputs) * largest * unit + Math.abs(sum * unit + b));
              assertThat(Math.abs(found - (sum * unit + b)))
                  .as("%s inputs: (%s, %s)", inputs, t, o)
                  .isLessThanOrEqualTo(tolerance);
            }
          }
        }
      }
    }
  }

  /** Alone, first, last, in any company: the same bits. */
  @ParameterizedTest
  @CsvSource(textBlock = CASES)
  void aRowsBitsDependOnThatRowAlone(String backend, int bits) {
    SplittableRandom random = new SplittableRandom(9);
    int inputs = 200;
    int outputs = 70;
    int rows = 150;
    float[] x = inputs(random, rows, inputs, inputScale(bits));
    try (Linear linear =
        linear(
            backend,
            bits,
            weight(random, outputs, inputs),
            LinearTest.normals(random, outputs),
            inputScale(bits))) {
      float[] together = new float[rows * outputs];
      linear.apply(x, rows, together);
      for (int count : new int[] {1, 2, 15, 16, 17, 33, 64, 65, 149}) {
        int first = random.nextInt(rows - count + 1);
        float[] some = Arrays.copyOfRange(x, first * inputs, (first + count) * inputs);
        float[] y = new float[count * outputs];
        linear.apply(some, count, y);
        float[] expected = Arrays.copyOfRange(together, first * outputs, (first + count) * outputs);
        assertThat(Arrays.mismatch(y, expected)).isEqualTo(-1);
      }
    }
  }

  /** Whether they have the same exponent, and are multiplied together, or not. */
  @ParameterizedTest
  @CsvSource(textBlock = CASES)
  void layersBesideOthersEqualLayersApart(String backend, int bits) {
    SplittableRandom random = new SplittableRandom(2);
    int rows = 37;
    float[] x = inputs(random, rows, 96, inputScale(bits));
    MatrixRows query = weight(random, 48, 96);
    MatrixRows key = weight(random, 16, 96);
    float[] bias = LinearTest.normals(random, 16);
    for (float other : new float[] {inputScale(bits), inputScale(bits) / 4}) {
      float[] q = new float[rows * 48];
      float[] k = new float[rows * 16];
      float[] apart = new float[rows * 16];
      try (Linear both =
              Backends.open(backend)
                  .linear(
                      List.of(
                          new Projection(calibrated(query, inputScale(bits)), null),
                          new Projection(calibrated(key, other), bias)),
                      flexpoint(bits));
          Linear one = linear(backend, bits, key, bias, other)) {
        both.apply(x, rows, q, k);
        one.apply(x, rows, apart);
      }
      assertThat(k).isEqualTo(apart);
    }
  }

  @ParameterizedTest
  @CsvSource(textBlock = CASES)
  void aRowThatIsNotFiniteSpoilsNoOther(String backend, int bits) {
    SplittableRandom random = new SplittableRandom(4);
    int inputs = 64;
    int outputs = 32;
    float[] x = inputs(random, 3, inputs, inputScale(bits));
    float[] clean = new float[3 * outputs];
    float[] found = new float[3 * outputs];
    try (Linear linear =
        linear(backend, bits, weight(random, outputs, inputs), null, inputScale(bits))) {
      linear.apply(x, 3, clean);
      for (float odd : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
        x[inputs + 5] = odd;
        linear.apply(x, 3, found);
        for (int o = 0; o < outputs; o++) {
          assertThat(found[o]).isEqualTo(clean[o]);
          assertThat(found[outputs + o]).as("%s of %s", o, odd).isNaN();
          assertThat(found[2 * outputs + o]).isEqualTo(clean[2 * outputs + o]);
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"16, int16", "8, int8"})
  void aDeviceRefusesIt(int bits, String element) {
    assumeTrue(OfferedBackends.names().contains("emulated"), "there is no C++ compiler");
    WeightRows weight = new MatrixRows("w", 1, 2, new float[] {1, 2});
    assertThatThrownBy(() -> linear("emulated", bits, weight, null, 0.5f))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("not to " + element + ", one scale for all; expected backend onednn");
  }

  /** Packed with its mantissas in the width that the memory estimate has. */
  @Test
  void weightsAreStoredInTheirWidth() {
    int size = 512;
    for (int bits : new int[] {8, 16}) {
      double expected = bits == 8 ? 1 : 4;
      try (Linear linear =
          linear("onednn", bits, weight(new SplittableRandom(4), size, size), null, 0.5f)) {
        assertThat((double) linear.bytes() / size / size)
            .isBetween(expected, expected + 16.0 / size);
      }
    }
  }
}
