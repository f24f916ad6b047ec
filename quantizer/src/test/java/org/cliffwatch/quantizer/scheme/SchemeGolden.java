package org.cliffwatch.quantizer.scheme;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import org.assertj.core.data.Offset;
import org.cliffwatch.quantizer.Shared;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.Linear;
import org.cliffwatch.quantizer.kernel.MatrixRows;
import org.cliffwatch.quantizer.kernel.Tensors;
import org.cliffwatch.quantizer.kernel.WeightRows;

/** What tests of {@code golden/schemes} share. */
final class SchemeGolden {
  /** Of a row's largest output: float32 sums in another order. */
  private static final double PRODUCTS = 1e-5;

  private SchemeGolden() {}

  static Tensors golden(String file) throws IOException {
    return new Tensors(Shared.path("golden/schemes/" + file + ".safetensors"));
  }

  static Precision precision(String scheme, int bits, int inputs, String... options) {
    Map<String, String> map = new TreeMap<>();
    for (int i = 0; i < options.length; i += 2) {
      map.put(options[i], options[i + 1]);
    }
    Precision precision = new Precision("x", scheme, bits, inputs, FloatType.FLOAT32, map);
    Schemes.of(precision).check(precision);
    return precision;
  }

  static WeightRows rows(Tensors golden, String name) {
    int[] shape = golden.shape(name);
    return new MatrixRows(name, shape[0], shape[1], golden.numbers(name));
  }

  static CodedWeight coded(WeightRows weight, Precision precision) {
    return ((LinearForm.Coded) Schemes.of(precision).prepare(weight, precision)).weight();
  }

  static float[] dequantized(WeightRows weight) {
    return read(weight, weight::row);
  }

  static float[] values(CodedWeight weight) {
    return read(weight, weight::values);
  }

  private static float[] read(WeightRows weight, BiConsumer<Integer, float[]> rows) {
    float[] all = new float[weight.rows() * weight.columns()];
    float[] row = new float[weight.columns()];
    for (int r = 0; r < weight.rows(); r++) {
      rows.accept(r, row);
      System.arraycopy(row, 0, all, r * row.length, row.length);
    }
    return all;
  }

  static void requireScales(CodedWeight weight, float[] scales, float[] zeros) {
    for (int b = 0; b < scales.length; b++) {
      assertThat(weight.scale(b)).as("scale %s", b).isEqualTo(scales[b]);
      assertThat(weight.zero(b)).as("zero point %s", b).isEqualTo(zeros == null ? 0 : zeros[b]);
    }
  }

  /** To the bit, but for the sign of zero; rows that differ by design are left out. */
  static void requireSame(float[] found, float[] expected, int columns, Set<Integer> but) {
    assertThat(found).hasSameSizeAs(expected);
    for (int i = 0; i < found.length; i++) {
      boolean same = found[i] == expected[i] || (Float.isNaN(found[i]) && Float.isNaN(expected[i]));
      assertThat(same || but.contains(i / columns))
          .as("row %s, column %s: %s, %s", i / columns, i % columns, found[i], expected[i])
          .isTrue();
    }
  }

  static float[] applied(RowQuantizer quantizer, Tensors golden, String name) {
    float[] x = golden.numbers(name);
    int width = golden.shape(name)[1];
    float[] y = new float[x.length];
    for (int t = 0; t < x.length / width; t++) {
      quantizer.apply(x, t * width, width, y, t * width);
    }
    return y;
  }

  static void requireProducts(
      Tensors golden, String prefix, Precision precision, float[] expected) {
    float[] bias = golden.numbers(prefix + "b");
    float[] x = golden.numbers(prefix + "x");
    int inputs = golden.shape(prefix + "x")[1];
    int rows = x.length / inputs;
    for (String backend : new String[] {"reference", "onednn"}) {
      try (Linear linear =
          Backends.open(backend).linear(rows(golden, prefix + "w"), bias, precision)) {
        float[] y = new float[rows * bias.length];
        linear.apply(x, rows, y);
        for (int t = 0; t < rows; t++) {
          double largest = 0;
          for (int o = 0; o < bias.length; o++) {
            largest = Math.max(largest, Math.abs(expected[t * bias.length + o]));
          }
          for (int o = 0; o < bias.length; o++) {
            int i = t * bias.length + o;
            assertThat((double) y[i])
                .as("%s, row %s, output %s", backend, t, o)
                .isCloseTo(expected[i], Offset.offset(PRODUCTS * largest));
          }
        }
      }
    }
  }
}
