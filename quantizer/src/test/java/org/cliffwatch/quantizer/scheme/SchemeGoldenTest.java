package org.cliffwatch.quantizer.scheme;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.assertj.core.data.Offset;
import org.cliffwatch.quantizer.Shared;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.Linear;
import org.cliffwatch.quantizer.kernel.MatrixRows;
import org.cliffwatch.quantizer.kernel.Tensors;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Codes, scales, zero points and products that the original implementations have computed. */
@Tag("shared")
class SchemeGoldenTest {
  /** Of a row's largest output: float32 sums in another order. */
  private static final double PRODUCTS = 1e-5;

  private static Tensors golden(String file) throws IOException {
    return new Tensors(Shared.path("golden/schemes/" + file + ".safetensors"));
  }

  private static Precision precision(String scheme, int bits, int inputs, String... options) {
    Map<String, String> map = new TreeMap<>();
    for (int i = 0; i < options.length; i += 2) {
      map.put(options[i], options[i + 1]);
    }
    Precision precision = new Precision("x", scheme, bits, inputs, FloatType.FLOAT32, map);
    Schemes.of(precision).check(precision);
    return precision;
  }

  private static WeightRows rows(Tensors golden, String name) {
    int[] shape = golden.shape(name);
    return new MatrixRows(name, shape[0], shape[1], golden.numbers(name));
  }

  private static CodedWeight coded(WeightRows weight, Precision precision) {
    return ((LinearForm.Coded) Schemes.of(precision).prepare(weight, precision)).weight();
  }

  private static float[] dequantized(CodedWeight weight) {
    float[] all = new float[weight.rows() * weight.columns()];
    float[] row = new float[weight.columns()];
    for (int r = 0; r < weight.rows(); r++) {
      weight.row(r, row);
      System.arraycopy(row, 0, all, r * row.length, row.length);
    }
    return all;
  }

  private static float[] values(CodedWeight weight) {
    float[] all = new float[weight.rows() * weight.columns()];
    float[] row = new float[weight.columns()];
    for (int r = 0; r < weight.rows(); r++) {
      weight.values(r, row);
      System.arraycopy(row, 0, all, r * row.length, row.length);
    }
    return all;
  }

  private static void requireScales(CodedWeight weight, float[] scales, float[] zeros) {
    for (int b = 0; b < scales.length; b++) {
      assertThat(weight.scale(b)).as("scale %s", b).isEqualTo(scales[b]);
      assertThat(weight.zero(b)).as("zero point %s", b).isEqualTo(zeros == null ? 0 : zeros[b]);
    }
  }

  /** To the bit, but for the sign of zero; rows that differ by design are left out. */
  private static void requireSame(float[] found, float[] expected, int columns, Set<Integer> but) {
    assertThat(found).hasSameSizeAs(expected);
    for (int i = 0; i < found.length; i++) {
      boolean same = found[i] == expected[i] || (Float.isNaN(found[i]) && Float.isNaN(expected[i]));
      assertThat(same || but.contains(i / columns))
          .as("row %s, column %s: %s, %s", i / columns, i % columns, found[i], expected[i])
          .isTrue();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "ct, compressed-tensors, true, sym",
    "ct, compressed-tensors, false, asym",
    "torchao, torchao, true, sym",
    "torchao, torchao-no-clipping, true, sym_noclip",
    "torchao, torchao, false, asym",
    "awq, awq, false, asym"
  })
  void roundToNearest(String tool, String grid, boolean symmetric, String mode) throws IOException {
    Tensors golden = golden("rtn-groupwise");
    for (int bits : new int[] {4, 3}) {
      for (int group : new int[] {32, 128}) {
        String prefix = "%s.b%s.g%s.%s.".formatted(tool, bits, group, mode);
        CodedWeight weight =
            coded(
                rows(golden, "w"),
                precision(
                    "rtn",
                    bits,
                    32,
                    "group",
                    Integer.toString(group),
                    "symmetric",
                    Boolean.toString(symmetric),
                    "grid",
                    grid));
        requireScales(weight, golden.numbers(prefix + "scale"), golden.numbers(prefix + "zero"));
        if (golden.has(prefix + "codes")) {
          requireSame(values(weight), golden.numbers(prefix + "codes"), 128, Set.of());
        }
        if (golden.has(prefix + "y")) {
          requireSame(dequantized(weight), golden.numbers(prefix + "y"), 128, Set.of());
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"3, 128, asym", "4, -1, asym", "4, -1, sym", "4, 128, sym"})
  void roundToNearestOfGptq(int bits, String group, String mode) throws IOException {
    Tensors golden = golden("gptq");
    String symmetric = Boolean.toString(mode.equals("sym"));
    CodedWeight weight =
        coded(
            rows(golden, "w"),
            precision("rtn", bits, 32, "group", group, "symmetric", symmetric, "grid", "gptq"));
    String prefix = "ist.nearest.b%s.g%s.%s.".formatted(bits, group, mode);
    requireScales(weight, golden.numbers(prefix + "scale"), golden.numbers(prefix + "zero"));
    requireSame(dequantized(weight), golden.numbers(prefix + "q"), 256, Set.of());
  }

  @ParameterizedTest
  @CsvSource({
    "mxint8, mxint8",
    "mxint4, mxint4",
    "mxfp8_e4m3, e4m3",
    "mxfp8_e5m2, e5m2",
    "mxfp6_e2m3, e2m3",
    "mxfp6_e3m2, e3m2",
    "mxfp4_e2m1, e2m1"
  })
  void microscaling(String file, String element) throws IOException {
    Tensors golden = golden(file);
    Element type = Element.valueOf(element.toUpperCase(Locale.ROOT));
    Precision precision = precision("mx", type.bits(), type.bits(), "element", element);
    RowQuantizer inputs = RowQuantizer.microscaling(type);
    CodedWeight weight = coded(rows(golden, "x"), precision);
    // Its float32 logarithm is one too large below a power of two and at the largest floats.
    requireSame(dequantized(weight), golden.floats("mxc.even"), 64, Set.of(8, 10));
    requireSame(applied(inputs, golden, "x"), dequantized(weight), 64, Set.of());
    CodedWeight ragged = coded(rows(golden, "ragged.x"), precision);
    requireSame(dequantized(ragged), golden.floats("mxc.ragged.even"), 40, Set.of());
    requireSame(applied(inputs, golden, "ragged.x"), dequantized(ragged), 40, Set.of());
    requireSame(
        applied(inputs, golden, "x_special"),
        nanForInfinity(golden.floats("mxc.special.even")),
        64,
        Set.of());
    if (golden.has("torchao.floor.y")) {
      // It divides by no less than 2^-126.
      Set<Integer> halved = Set.of(6, 7, 19);
      requireSame(dequantized(weight), golden.floats("torchao.floor.y"), 64, halved);
      byte[] scales = golden.codes("torchao.floor.scale_e8m0");
      for (int b = 0; b < scales.length; b++) {
        assertThat(Math.getExponent(weight.scale(b)) + 127).isEqualTo(scales[b] & 0xff);
      }
      requireSame(values(weight), decoded(type, golden.codes("torchao.floor.codes")), 64, halved);
    }
    requireSame(
        dequantized(coded(rows(golden, "linear.w"), precision)),
        golden.floats("mxc.linear.wq"),
        96,
        Set.of());
    requireSame(applied(inputs, golden, "linear.x"), golden.floats("mxc.linear.xq"), 96, Set.of());
    requireProducts(golden, "linear.", precision, golden.floats("mxc.linear.y"));
  }

  private static float[] applied(RowQuantizer quantizer, Tensors golden, String name) {
    float[] x = golden.numbers(name);
    int width = golden.shape(name)[1];
    float[] y = new float[x.length];
    for (int t = 0; t < x.length / width; t++) {
      quantizer.apply(x, t * width, width, y, t * width);
    }
    return y;
  }

  /** What is not finite is NaN with us. */
  private static float[] nanForInfinity(float[] values) {
    float[] other = values.clone();
    for (int i = 0; i < other.length; i++) {
      other[i] = Float.isInfinite(other[i]) ? Float.NaN : other[i];
    }
    return other;
  }

  private static float[] decoded(Element type, byte[] codes) {
    float[] table = type.table();
    float[] values = new float[codes.length];
    for (int i = 0; i < codes.length; i++) {
      values[i] = table[codes[i] & 0xff];
    }
    return values;
  }

  private static void requireProducts(
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

  @ParameterizedTest
  @ValueSource(strings = {"e4m3", "e5m2"})
  void float8(String element) throws IOException {
    Tensors golden = golden("fp8");
    Element type = Element.valueOf(element.toUpperCase(Locale.ROOT));
    String name = type == Element.E4M3 ? "e4m3fn" : "e5m2";
    float[] decode = golden.floats("decode." + name);
    assertThat(type.table()).isEqualTo(decode);
    float[] x = golden.floats("cast.x");
    byte[] codes = golden.codes("cast." + name + ".clamped");
    for (int i = 0; i < x.length; i++) {
      if (Float.isNaN(x[i])) {
        assertThat(type.round(x[i])).isNaN();
      } else {
        assertThat(type.code(type.round(x[i]))).as("%s", x[i]).isEqualTo(codes[i]);
      }
    }
    Precision precision = precision("fp8", 8, 8, "element", element);
    CodedWeight weight = coded(rows(golden, "x"), precision);
    // A row of zeros is NaN there.
    Set<Integer> zero = Set.of(2);
    String prefix = "torchao." + name + ".row.";
    requireSame(dequantized(weight), golden.floats(prefix + "y"), 64, zero);
    requireSame(values(weight), decoded(type, golden.codes(prefix + "codes")), 64, zero);
    if (type == Element.E4M3) {
      String ct = "ct.e4m3fn.row.";
      requireScales(weight, golden.floats(ct + "scale"), null);
      requireSame(dequantized(weight), golden.floats(ct + "y"), 64, Set.of());
      requireSame(values(weight), decoded(type, golden.codes(ct + "codes")), 64, Set.of());
    }
    requireSame(
        applied(RowQuantizer.dynamic(type, true, 0), golden, "x"),
        dequantized(weight),
        64,
        Set.of());
  }

  @ParameterizedTest
  @ValueSource(strings = {"nf4", "fp4"})
  void fourBitFloats(String type) throws IOException {
    Tensors golden = golden("nf4-fp4");
    for (int block : new int[] {32, 64, 128}) {
      Precision precision =
          precision("bnb-4bit", 4, 32, "quant_type", type, "block", Integer.toString(block));
      CodedWeight weight = coded(rows(golden, "x"), precision);
      requireScales(weight, golden.floats("%s.b%s.absmax".formatted(type, block)), null);
      requireSame(
          dequantized(weight), golden.floats("%s.b%s.y".formatted(type, block)), 64, Set.of());
    }
    Precision usual = precision("bnb-4bit", 4, 32, "quant_type", type);
    float[] tail = golden.floats("tail.x");
    CodedWeight cut = coded(new MatrixRows("tail.x", 1, tail.length, tail), usual);
    requireScales(cut, golden.floats(type + ".tail.absmax"), null);
    requireSame(dequantized(cut), golden.floats(type + ".tail.y"), tail.length, Set.of());
    float[] ties = golden.floats(type + ".ties.x");
    requireSame(
        dequantized(coded(new MatrixRows("ties", 1, ties.length, ties), usual)),
        golden.floats(type + ".ties.y"),
        ties.length,
        Set.of());
    for (FloatType half : new FloatType[] {FloatType.BFLOAT16, FloatType.FLOAT16}) {
      String name = half == FloatType.BFLOAT16 ? "bf16" : "fp16";
      float[] y = dequantized(coded(rows(golden, "x_" + name), usual));
      // The processor's instruction that rounds to bfloat16 makes zeros of subnormal floats.
      Set<Integer> subnormal = half == FloatType.BFLOAT16 ? Set.of(19) : Set.of();
      requireSame(half.rounded(y), golden.numbers(type + "." + name + ".y"), 64, subnormal);
    }
    requireSame(
        dequantized(coded(rows(golden, "linear.w"), usual)),
        golden.floats(type + ".linear.w_dq"),
        128,
        Set.of());
    requireProducts(golden, "linear.", usual, golden.floats(type + ".linear.y"));
  }

  /** The mean of the magnitudes is a sum in another order: its last bit. */
  @ParameterizedTest
  @ValueSource(strings = {"nf4", "fp4"})
  void doubleQuantization(String type) throws IOException {
    Tensors golden = golden("nf4-fp4");
    assertThat(BnbFourBit.dynamic()).isEqualTo(golden.floats("dynamic_map"));
    float[] doubled = BnbFourBit.doubled(golden.floats(type + ".linear.absmax"));
    float[] expected = golden.floats(type + ".linear.nested.absmax");
    for (int b = 0; b < doubled.length; b++) {
      assertThat(doubled[b]).isCloseTo(expected[b], Offset.offset(2e-7f));
    }
    Precision nested = precision("bnb-4bit", 4, 32, "quant_type", type, "double_quant", "true");
    requireProducts(golden, "linear.", nested, golden.floats(type + ".linear.nested.y"));
  }

  @Test
  void llmInt8() throws IOException {
    Tensors golden = golden("llm-int8");
    float[] dequantized = golden.floats("w.dequant");
    Precision none = precision("llm-int8", 8, 8, "threshold", "0");
    Precision six = precision("llm-int8", 8, 8);
    for (Precision precision : new Precision[] {none, six}) {
      LinearForm.IntegerProduct form =
          (LinearForm.IntegerProduct) Schemes.of(precision).prepare(rows(golden, "w"), precision);
      assertThat(form.weight().codes()).isEqualTo(golden.codes("w.codes"));
      String prefix = precision.equals(none) ? "t0." : "t6.";
      float[] x = golden.numbers("x");
      byte[] codes = new byte[x.length];
      for (int t = 0; t < 12; t++) {
        form.inputs().codes(x, t * 64, 64, codes, t * 64);
      }
      assertThat(codes).isEqualTo(golden.codes(prefix + "single_row.codes"));
      float[] expected = golden.numbers(prefix + "single_row.y.fp16");
      for (String backend : new String[] {"reference", "onednn"}) {
        try (Linear linear = Backends.open(backend).linear(rows(golden, "w"), null, precision)) {
          float[] y = new float[12 * 24];
          linear.apply(x, 12, y);
          for (int i = 0; i < y.length; i++) {
            // Its constant for the CPU is 1.8e-5 too large; weights of outliers and results are
            // float16, and so are sums of two that may cancel.
            double tolerance = Math.abs(expected[i]) * (2e-5 + 0x1p-10) + 0x1p-24;
            for (int c = 0; c < 64; c++) {
              if (form.inputs().isOutlier(x[i / 24 * 64 + c])) {
                tolerance += Math.abs(x[i / 24 * 64 + c] * dequantized[i % 24 * 64 + c]) * 0x1p-9;
              }
            }
            assertThat((double) y[i]).isCloseTo(expected[i], Offset.offset(tolerance));
          }
        }
      }
    }
    float[] scales = golden.floats("w.absmax");
    for (int o = 0; o < scales.length; o++) {
      scales[o] *= 0.007874016f;
    }
    LinearForm.IntegerProduct form =
        (LinearForm.IntegerProduct) Schemes.of(six).prepare(rows(golden, "w"), six);
    assertThat(form.weight().scales()).isEqualTo(scales);
  }
}
