package org.cliffwatch.quantizer.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.scheme.LinearForm;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.quantizer.scheme.Schemes;
import org.cliffwatch.quantizer.scheme.Vectorwise;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every precision's linear layer, every backend, beside sums in float64 and exact integers. */
class LinearTest {
  private static final int[] SIZES = {
    1, 7, 8, 15, 16, 17, 31, 33, 63, 65, 192, 577, 1031, 1041, 2081
  };

  /** A float32 sum of n products of magnitude one, in any order: n · 2⁻²⁴, of a sum of √n. */
  private static final double FLOAT32_SUM = 2e-6;

  /** Half a unit in the last place of bfloat16 and float16, relative. */
  private static final double BFLOAT16_HALF_ULP = 0x1p-8;

  private static final double FLOAT16_HALF_ULP = 0x1p-11;

  static List<Object[]> cases() {
    return Precisions.packaged().names().stream()
        .filter(name -> !Schemes.isCalibrated(Precisions.packaged().named(name)))
        .flatMap(
            precision ->
                OfferedBackends.names().stream()
                    .filter(backend -> !refuses(backend, precision))
                    .map(backend -> new Object[] {backend, precision}))
        .toList();
  }

  /**
   * A device multiplies by no codes in blocks or 16 bits, quantizes inputs one way, and no keys.
   */
  private static boolean refuses(String backend, String precision) {
    if (List.of("reference", "onednn").contains(backend)) {
      return false;
    }
    Precision row = Precisions.packaged().named(precision);
    LinearForm form = Schemes.of(row).prepare(new MatrixRows("w", 1, 1, new float[] {1}), row);
    return form instanceof LinearForm.Coded || form.inputs() != null || row.quantizesKeyValues();
  }

  @ParameterizedTest
  @ValueSource(strings = {"w4-bf16", "nf4", "mxfp8", "llm-int8"})
  void aDeviceRefusesOtherCodes(String name) {
    assumeTrue(OfferedBackends.names().contains("emulated"), "there is no C++ compiler");
    Precision precision = Precisions.packaged().named(name);
    MatrixRows weight = new MatrixRows("w", 1, 2, new float[] {1, 2});
    assertThatThrownBy(() -> Backends.open("emulated").linear(weight, null, precision))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("expected backend onednn or reference");
  }

  @Tag("gpu")
  @ParameterizedTest
  @MethodSource("cases")
  void equalsSumsInFloat64(String backend, String name) {
    Precision precision = Precisions.packaged().named(name);
    SplittableRandom random = new SplittableRandom(5);
    for (int inputs : SIZES) {
      for (int outputs : new int[] {1, 17, 64, 100}) {
        int rows = 1 + random.nextInt(40);
        MatrixRows weight = weight(random, outputs, inputs);
        float[] bias =
            outputs % 2 == 0 ? precision.compute().rounded(normals(random, outputs)) : null;
        float[] x = inputs(random, rows, inputs, precision.compute());
        float[] y = new float[rows * outputs];
        try (Linear linear = Backends.open(backend).linear(weight, bias, precision)) {
          linear.apply(x, rows, y);
        }
        check(weight, bias, precision, x, rows, y);
      }
    }
  }

  private static void check(
      MatrixRows weight, float[] bias, Precision precision, float[] x, int rows, float[] y) {
    LinearForm form = Schemes.of(precision).prepare(weight, precision);
    int inputs = weight.columns();
    int outputs = weight.rows();
    float[] stored = stored(form, weight);
    float[] multiplied = multiplied(form, x, rows, inputs);
    for (int t = 0; t < rows; t++) {
      for (int o = 0; o < outputs; o++) {
        float found = y[t * outputs + o];
        float b = bias == null ? 0 : bias[o];
        if (form instanceof LinearForm.IntegerProduct integer) {
          float exact = integerProduct(integer, x, t, o);
          float rounded = precision.compute().round(bias == null ? exact : exact + b);
          float expected = precision.compute().round(rounded + outliers(integer, x, t, o));
          assertThat(found).as("(%s, %s)", t, o).isEqualTo(expected);
          continue;
        }
        double sum = 0;
        double magnitude = 1;
        for (int i = 0; i < inputs; i++) {
          double term = (double) multiplied[t * inputs + i] * stored[o * inputs + i];
          sum += term;
          magnitude = Math.max(magnitude, Math.abs(term));
        }
        double tolerance =
            FLOAT32_SUM * Math.sqrt(inputs) * magnitude
                + halfUlp(precision.compute()) * Math.abs(sum + b);
        assertThat(Math.abs(found - (sum + b))).as("(%s, %s)", t, o).isLessThan(tolerance);
        assertThat(precision.compute().round(found)).isEqualTo(found);
      }
    }
  }

  private static double halfUlp(FloatType type) {
    return switch (type) {
      case FLOAT32 -> 0;
      case BFLOAT16 -> BFLOAT16_HALF_ULP;
      case FLOAT16 -> FLOAT16_HALF_ULP;
    };
  }

  /** What the form has for the weights, (outputs, inputs). */
  private static float[] stored(LinearForm form, MatrixRows weight) {
    int inputs = weight.columns();
    float[] values = new float[weight.rows() * inputs];
    float[] row = new float[inputs];
    for (int o = 0; o < weight.rows(); o++) {
      if (form instanceof LinearForm.WeightOnly weightOnly) {
        weightOnly.weight().dequantize(o, row);
      } else if (form instanceof LinearForm.Coded coded) {
        coded.weight().row(o, row);
        row = coded.type().rounded(row);
      } else if (form instanceof LinearForm.Floating floating) {
        weight.row(o, row);
        row = floating.type().rounded(row);
      }
      System.arraycopy(row, 0, values, o * inputs, inputs);
    }
    return values;
  }

  /** What the form has for the inputs, (rows, inputs). */
  private static float[] multiplied(LinearForm form, float[] x, int rows, int inputs) {
    if (!(form instanceof LinearForm.Coded coded) || coded.inputs() == null) {
      return x;
    }
    float[] quantized = new float[x.length];
    for (int t = 0; t < rows; t++) {
      coded.inputs().apply(x, t * inputs, inputs, quantized, t * inputs);
    }
    return coded.type().rounded(quantized);
  }

  private static float integerProduct(LinearForm.IntegerProduct form, float[] x, int t, int o) {
    int inputs = form.weight().columns();
    byte[] codes = new byte[inputs];
    float scale =
        form.inputs() == null
            ? Vectorwise.quantize(x, t * inputs, inputs, 127, codes, 0)
            : form.inputs().codes(x, t * inputs, inputs, codes, 0);
    int sum = 0;
    for (int i = 0; i < inputs; i++) {
      sum += codes[i] * form.weight().codes()[o * inputs + i];
    }
    return sum * scale * form.weight().scales()[o];
  }

  private static float outliers(LinearForm.IntegerProduct form, float[] x, int t, int o) {
    int inputs = form.weight().columns();
    float sum = 0;
    for (int i = 0; form.inputs() != null && i < inputs; i++) {
      float input = x[t * inputs + i];
      if (form.inputs().isOutlier(input)) {
        sum += input * (form.weight().codes()[o * inputs + i] * form.weight().scales()[o]);
      }
    }
    return sum;
  }

  /** Alone, first, last, in any company: the same bits. */
  @Tag("gpu")
  @ParameterizedTest
  @MethodSource("cases")
  void aRowsBitsDependOnThatRowAlone(String backend, String name) {
    Precision precision = Precisions.packaged().named(name);
    SplittableRandom random = new SplittableRandom(9);
    int inputs = 200;
    int outputs = 70;
    int rows = 150;
    MatrixRows weight = weight(random, outputs, inputs);
    float[] x = inputs(random, rows, inputs, precision.compute());
    try (Linear linear =
        Backends.open(backend).linear(weight, normals(random, outputs), precision)) {
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

  @Tag("gpu")
  @ParameterizedTest
  @MethodSource("cases")
  void layersThatShareTheirInputEqualLayersApart(String backend, String name) {
    Precision precision = Precisions.packaged().named(name);
    SplittableRandom random = new SplittableRandom(2);
    int inputs = 96;
    int rows = 37;
    float[] x = inputs(random, rows, inputs, precision.compute());
    MatrixRows query = weight(random, 48, inputs);
    MatrixRows key = weight(random, 16, inputs);
    float[] bias = normals(random, 16);
    float[] q = new float[rows * 48];
    float[] k = new float[rows * 16];
    float[] apart = new float[rows * 16];
    Backend opened = Backends.open(backend);
    try (Linear both =
            opened.linear(
                List.of(new Projection(query, null), new Projection(key, bias)), precision);
        Linear one = opened.linear(key, bias, precision)) {
      assertThat(both.outputs()).containsExactly(48, 16);
      assertThat(both.inputs()).isEqualTo(inputs);
      both.apply(x, rows, q, k);
      one.apply(x, rows, apart);
    }
    assertThat(k).isEqualTo(apart);
  }

  @Tag("gpu")
  @ParameterizedTest
  @MethodSource("cases")
  void aRowThatIsNotFiniteSpoilsNoOther(String backend, String name) {
    Precision precision = Precisions.packaged().named(name);
    SplittableRandom random = new SplittableRandom(4);
    int inputs = 64;
    int outputs = 32;
    float[] x = inputs(random, 3, inputs, precision.compute());
    float[] clean = new float[3 * outputs];
    float[] found = new float[3 * outputs];
    try (Linear linear =
        Backends.open(backend).linear(weight(random, outputs, inputs), null, precision)) {
      linear.apply(x, 3, clean);
      for (float odd : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
        x[inputs + 5] = odd;
        linear.apply(x, 3, found);
        for (int o = 0; o < outputs; o++) {
          assertThat(found[o]).isEqualTo(clean[o]);
          assertThat(Float.isFinite(found[outputs + o])).as("%s of %s", o, odd).isFalse();
          assertThat(found[2 * outputs + o]).isEqualTo(clean[2 * outputs + o]);
        }
      }
    }
  }

  /** Weights kept packed: a byte, or half of one, a weight, and a scale a row. */
  @ParameterizedTest
  @CsvSource({"w8, 1.0", "w4, 0.5", "w8a8, 1.0", "bf16, 2.0", "fp16, 2.0", "fp32, 4.0"})
  void weightsAreStoredInTheirWidth(String name, double bytesEach) {
    SplittableRandom random = new SplittableRandom(4);
    int size = 512;
    try (Linear linear =
        Backends.open("onednn")
            .linear(weight(random, size, size), null, Precisions.packaged().named(name))) {
      assertThat((double) linear.bytes())
          .isBetween(bytesEach * size * size, bytesEach * size * size + 16.0 * size);
    }
  }

  @Tag("gpu")
  @ParameterizedTest
  @MethodSource("cases")
  void isClosedOnceAndRefusedAfter(String backend, String name) {
    Precision precision = Precisions.packaged().named(name);
    Linear linear =
        Backends.open(backend).linear(weight(new SplittableRandom(1), 20, 30), null, precision);
    linear.close();
    linear.close();
    assertThatThrownBy(() -> linear.apply(new float[30], 1, new float[20]))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("closed");
  }

  @Test
  void severalThreadsShareALayer() throws InterruptedException {
    Precision precision = Precisions.packaged().named("w8a8");
    SplittableRandom random = new SplittableRandom(1);
    float[] x = inputs(random, 100, 300, FloatType.FLOAT32);
    try (Linear linear =
        Backends.open("onednn").linear(weight(random, 120, 300), null, precision)) {
      float[] expected = new float[100 * 120];
      linear.apply(x, 100, expected);
      float[][] found = new float[4][100 * 120];
      Thread[] threads = new Thread[found.length];
      for (int i = 0; i < threads.length; i++) {
        float[] y = found[i];
        threads[i] =
            new Thread(
                () -> {
                  for (int repeat = 0; repeat < 200; repeat++) {
                    linear.apply(x, 100, y);
                  }
                });
        threads[i].start();
      }
      for (Thread thread : threads) {
        thread.join();
      }
      for (float[] y : found) {
        assertThat(Arrays.mismatch(y, expected)).isEqualTo(-1);
      }
    }
  }

  private static MatrixRows weight(SplittableRandom random, int outputs, int inputs) {
    float[] values = normals(random, outputs * inputs);
    Arrays.fill(values, 0, inputs, 0);
    if (outputs > 1) {
      values[inputs] = 40;
    }
    return new MatrixRows("w", outputs, inputs, values);
  }

  /** Normal values, an outlier, a row of zeros. */
  private static float[] inputs(SplittableRandom random, int rows, int width, FloatType type) {
    float[] x = normals(random, rows * width);
    x[0] = 60;
    if (rows > 1) {
      Arrays.fill(x, width, 2 * width, 0);
    }
    for (int i = 0; i < x.length; i++) {
      x[i] = type.round(x[i]);
    }
    return x;
  }

  static float[] normals(SplittableRandom random, int n) {
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }
}
