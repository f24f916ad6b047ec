package org.cliffwatch.quantizer.scheme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.cliffwatch.quantizer.scheme.SchemeGolden.coded;
import static org.cliffwatch.quantizer.scheme.SchemeGolden.golden;
import static org.cliffwatch.quantizer.scheme.SchemeGolden.precision;
import static org.cliffwatch.quantizer.scheme.SchemeGolden.requireProducts;
import static org.cliffwatch.quantizer.scheme.SchemeGolden.requireSame;
import static org.cliffwatch.quantizer.scheme.SchemeGolden.requireScales;
import static org.cliffwatch.quantizer.scheme.SchemeGolden.rows;
import static org.cliffwatch.quantizer.scheme.SchemeGolden.values;

import java.io.IOException;
import java.util.HashSet;
import java.util.Set;
import org.assertj.core.data.Offset;
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
  /** bitsandbytes' 1 / 127² on the CPU is 1.8e-5 too large. */
  private static final float CPU_CONSTANT = 2e-5f;

  /** Of magnitudes below 4 that are a mean and a product. */
  private static final float LAST_BIT = 2e-7f;

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
          requireSame(
              SchemeGolden.dequantized(weight), golden.numbers(prefix + "y"), 128, Set.of());
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
    requireSame(SchemeGolden.dequantized(weight), golden.numbers(prefix + "q"), 256, Set.of());
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
      requireSame(values(weight), unpacked(golden, type, "b" + block), 64, Set.of());
      requireSame(
          SchemeGolden.dequantized(weight),
          golden.floats("%s.b%s.y".formatted(type, block)),
          64,
          Set.of());
    }
    Precision usual = precision("bnb-4bit", 4, 32, "quant_type", type);
    float[] tail = golden.floats("tail.x");
    CodedWeight cut = coded(new MatrixRows("tail.x", 1, tail.length, tail), usual);
    requireScales(cut, golden.floats(type + ".tail.absmax"), null);
    requireSame(values(cut), unpacked(golden, type, "tail"), tail.length, Set.of());
    requireSame(
        SchemeGolden.dequantized(cut), golden.floats(type + ".tail.y"), tail.length, Set.of());
    float[] ties = golden.floats(type + ".ties.x");
    CodedWeight tied = coded(new MatrixRows("ties", 1, ties.length, ties), usual);
    requireSame(values(tied), unpacked(golden, type, "ties"), ties.length, Set.of());
    requireSame(
        SchemeGolden.dequantized(tied), golden.floats(type + ".ties.y"), ties.length, Set.of());
    for (FloatType half : new FloatType[] {FloatType.BFLOAT16, FloatType.FLOAT16}) {
      String name = half == FloatType.BFLOAT16 ? "bf16" : "fp16";
      CodedWeight weight = coded(rows(golden, "x_" + name), usual);
      float[] y = SchemeGolden.dequantized(weight);
      // The processor's instruction that rounds to bfloat16 makes zeros of subnormal floats.
      Set<Integer> subnormal = half == FloatType.BFLOAT16 ? Set.of(19) : Set.of();
      requireSame(half.rounded(y), golden.numbers(type + "." + name + ".y"), 64, subnormal);
      requireSame(values(weight), unpacked(golden, type, name), 64, Set.of());
      requireScales(weight, golden.floats(type + "." + name + ".absmax"), null);
    }
    CodedWeight weight = coded(rows(golden, "linear.w"), usual);
    requireSame(values(weight), unpacked(golden, type, "linear"), 128, Set.of());
    requireSame(
        SchemeGolden.dequantized(weight), golden.floats(type + ".linear.w_dq"), 128, Set.of());
    requireProducts(golden, "linear.", usual, golden.floats(type + ".linear.y"));
  }

  /** Two codes a byte, the first in its upper half. */
  private static float[] unpacked(Tensors golden, String type, String name) {
    float[] table = golden.floats(type + ".code");
    byte[] packed = golden.codes("%s.%s.packed".formatted(type, name));
    float[] values = new float[2 * packed.length];
    for (int i = 0; i < packed.length; i++) {
      values[2 * i] = table[packed[i] >> 4 & 0xf];
      values[2 * i + 1] = table[packed[i] & 0xf];
    }
    return values;
  }

  /** The mean of the magnitudes is a sum in another order: its last bit. */
  @ParameterizedTest
  @ValueSource(strings = {"nf4", "fp4"})
  void doubleQuantization(String type) throws IOException {
    Tensors golden = golden("nf4-fp4");
    assertThat(BnbFourBit.dynamic()).isEqualTo(golden.floats("dynamic_map"));
    float[] doubled = BnbFourBit.doubled(golden.floats(type + ".linear.absmax"));
    float[] expected = golden.floats(type + ".linear.nested.absmax");
    String prefix = type + ".linear.nested.";
    byte[] codes = golden.codes(prefix + "absmax_codes");
    float largest = golden.floats(prefix + "absmax_absmax")[0];
    float mean = golden.floats(prefix + "absmax_offset")[0];
    for (int b = 0; b < doubled.length; b++) {
      float decoded = BnbFourBit.dynamic()[codes[b] & 0xff] * largest + mean;
      assertThat(doubled[b]).isCloseTo(expected[b], Offset.offset(LAST_BIT));
      assertThat(doubled[b]).isCloseTo(decoded, Offset.offset(LAST_BIT));
    }
    Precision nested = precision("bnb-4bit", 4, 32, "quant_type", type, "double_quant", "true");
    CodedWeight weight = coded(rows(golden, "linear.w"), nested);
    requireSame(values(weight), unpacked(golden, type, "linear.nested"), 128, Set.of());
    float[] dequantized = SchemeGolden.dequantized(weight);
    float[] all = golden.floats(prefix + "w_dq");
    for (int i = 0; i < all.length; i++) {
      assertThat(dequantized[i]).isCloseTo(all[i], Offset.offset(LAST_BIT));
    }
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
    requireBatch(golden, none, "t0.");
    requireBatch(golden, six, "t6.");
    float[] scales = golden.floats("w.absmax");
    for (int o = 0; o < scales.length; o++) {
      scales[o] *= 0.007874016f;
    }
    LinearForm.IntegerProduct form =
        (LinearForm.IntegerProduct) Schemes.of(six).prepare(rows(golden, "w"), six);
    assertThat(form.weight().scales()).isEqualTo(scales);
  }

  /**
   * A call of all rows: bitsandbytes leaves out a column from all of them where one row has an
   * outlier, and what is left are our codes.
   */
  private static void requireBatch(Tensors golden, Precision precision, String prefix) {
    LinearForm.IntegerProduct form =
        (LinearForm.IntegerProduct) Schemes.of(precision).prepare(rows(golden, "w"), precision);
    Set<Integer> columns = new HashSet<>();
    if (golden.has(prefix + "outlier_cols")) {
      for (long column : golden.longs(prefix + "outlier_cols")) {
        columns.add((int) column);
      }
    }
    float[] x = golden.numbers("x");
    byte[] codes = new byte[x.length];
    float[] largest = golden.floats(prefix + "x.absmax");
    for (int t = 0; t < 12; t++) {
      float scale = form.inputs().codes(x, t * 64, 64, codes, t * 64);
      assertThat(scale).isEqualTo(largest[t] / 127);
    }
    for (int i = 0; i < codes.length; i++) {
      codes[i] = columns.contains(i % 64) ? 0 : codes[i];
    }
    assertThat(codes).isEqualTo(golden.codes(prefix + "x.codes"));
    int[] expected = golden.ints(prefix + "acc");
    float[] products = golden.floats(prefix + "dequant_fp32");
    for (int i = 0; i < expected.length; i++) {
      int sum = 0;
      for (int c = 0; c < 64; c++) {
        sum += codes[i / 24 * 64 + c] * form.weight().codes()[i % 24 * 64 + c];
      }
      assertThat(sum).isEqualTo(expected[i]);
      float y = sum * (largest[i / 24] / 127) * form.weight().scales()[i % 24];
      assertThat(y).isCloseTo(products[i], Offset.offset(CPU_CONSTANT * Math.abs(products[i])));
    }
  }

  /** Without a threshold a call of all rows is one of each, in every type of inputs. */
  @Test
  void llmInt8WithoutThreshold() throws IOException {
    Tensors golden = golden("llm-int8");
    Precision precision = precision("llm-int8", 8, 8, "threshold", "0");
    float[] x = golden.numbers("x");
    float[] bias = golden.numbers("b");
    for (String backend : new String[] {"reference", "onednn"}) {
      requireOutputs(backend, golden, precision, x, null, golden.numbers("t0.y.fp16"), 0x1p-10f);
      requireOutputs(
          backend, golden, precision, x, bias, golden.numbers("t0.y.fp16.bias"), 0x1p-10f);
      requireOutputs(backend, golden, precision, x, null, golden.numbers("t0.y.fp32"), 0);
      requireOutputs(
          backend,
          golden,
          precision,
          FloatType.BFLOAT16.rounded(x),
          null,
          golden.numbers("t0.y.bf16"),
          0x1p-7f);
    }
  }

  /**
   * @param rounding of a result, relative
   */
  private static void requireOutputs(
      String backend,
      Tensors golden,
      Precision precision,
      float[] x,
      float[] bias,
      float[] expected,
      float rounding) {
    try (Linear linear = Backends.open(backend).linear(rows(golden, "w"), bias, precision)) {
      float[] y = new float[expected.length];
      linear.apply(x, 12, y);
      for (int i = 0; i < y.length; i++) {
        float product = bias == null ? expected[i] : Math.abs(expected[i]) + Math.abs(bias[i % 24]);
        float tolerance = (CPU_CONSTANT + rounding) * Math.abs(product) + 0x1p-24f;
        assertThat(y[i]).as("%s, %s", backend, i).isCloseTo(expected[i], Offset.offset(tolerance));
      }
    }
  }

  /** SmoothQuant's own quantizers, which floor a scale at 1e-5 / 127. */
  @Test
  void vectorwiseAsInSmoothQuant() throws IOException {
    Tensors golden = golden("smoothquant");
    WeightRows x = rows(golden, "fq.x");
    Set<Integer> tiny = tinyRows(x);
    requireSame(dequantized(Vectorwise.quantize(x, 8)), golden.floats("fq.per_token"), 64, tiny);
    requireSame(
        dequantized(Vectorwise.quantize(x, 4)), golden.floats("fq.w4.per_channel"), 64, tiny);
    requireSame(
        dequantized(TensorInt8.quantize(rows(golden, "fq.per_tensor.x"))),
        golden.floats("fq.per_tensor"),
        64,
        Set.of());
    for (String norm : new String[] {"ln", "rms"}) {
      String prefix = norm + ".fp32.a0.5.q.";
      WeightRows smoothed = rows(golden, prefix + "weight");
      requireSame(
          dequantized(Vectorwise.quantize(smoothed, 8)),
          golden.floats(prefix + "per_channel.weight_fq"),
          64,
          Set.of());
      requireSame(
          dequantized(TensorInt8.quantize(smoothed)),
          golden.floats(prefix + "per_tensor.weight_fq"),
          64,
          Set.of());
    }
  }

  private static Set<Integer> tinyRows(WeightRows x) {
    Set<Integer> tiny = new HashSet<>();
    float[] row = new float[x.columns()];
    for (int r = 0; r < x.rows(); r++) {
      x.row(r, row);
      if (Schemes.largestMagnitude(row, 0, row.length) < 1e-5f) {
        tiny.add(r);
      }
    }
    return tiny;
  }

  private static float[] dequantized(QuantizedWeight weight) {
    return SchemeGolden.dequantized(new LinearForm.DequantizedRows(weight));
  }
}
