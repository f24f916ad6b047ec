package org.cliffwatch.quantizer.scheme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.cliffwatch.quantizer.scheme.SchemeGolden.applied;
import static org.cliffwatch.quantizer.scheme.SchemeGolden.coded;
import static org.cliffwatch.quantizer.scheme.SchemeGolden.dequantized;
import static org.cliffwatch.quantizer.scheme.SchemeGolden.golden;
import static org.cliffwatch.quantizer.scheme.SchemeGolden.precision;
import static org.cliffwatch.quantizer.scheme.SchemeGolden.requireProducts;
import static org.cliffwatch.quantizer.scheme.SchemeGolden.requireSame;
import static org.cliffwatch.quantizer.scheme.SchemeGolden.requireScales;
import static org.cliffwatch.quantizer.scheme.SchemeGolden.rows;
import static org.cliffwatch.quantizer.scheme.SchemeGolden.values;

import java.io.IOException;
import java.util.HashSet;
import java.util.Locale;
import java.util.Set;
import org.assertj.core.data.Offset;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.kernel.Linear;
import org.cliffwatch.quantizer.kernel.Tensors;
import org.cliffwatch.quantizer.scheme.RowQuantizer.Scaling;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** MX and FP8: codes, scales and products that the original implementations have computed. */
@Tag("shared")
class SmallFloatGoldenTest {
  /** Of the product in fp8. */
  private static final int ZERO_INPUT = 5;

  private static final int ZERO_OUTPUT = 3;

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
    RowQuantizer inputs = RowQuantizer.microscaling(type, Scaling.FLOOR);
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
    float[] logarithms = golden.floats("mxc.log2_scale_unclamped");
    for (int b = 0; b < logarithms.length; b++) {
      boolean isZero = Schemes.largestMagnitude(golden.floats("x"), 32 * b, 32) == 0;
      if (!isZero && b / 2 != 8 && b / 2 != 10) {
        float smallest = Math.max(-127, logarithms[b]);
        assertThat(weight.scale(b)).isEqualTo((float) Math.pow(2, smallest));
      }
    }
    if (golden.has("torchao.floor.special.y")) {
      // Where a block holds an infinity and no NaN: that and zeros.
      Set<Integer> infinite = Set.of(1, 2, 4);
      requireSame(
          applied(inputs, golden, "x_special"),
          golden.floats("torchao.floor.special.y"),
          64,
          infinite);
    }
    requireSame(
        dequantized(coded(rows(golden, "linear.w"), precision)),
        golden.floats("mxc.linear.wq"),
        96,
        Set.of());
    requireSame(applied(inputs, golden, "linear.x"), golden.floats("mxc.linear.xq"), 96, Set.of());
    requireProducts(golden, "linear.", precision, golden.floats("mxc.linear.y"));
  }

  /** Of torchao, which divides by 2⁻¹²⁶, or rceil by 1, where a scale is 2⁻¹²⁷. */
  @ParameterizedTest
  @CsvSource({
    "mxfp8_e4m3, floor", "mxfp8_e4m3, even", "mxfp8_e4m3, ceil", "mxfp8_e4m3, rceil",
    "mxfp8_e5m2, floor", "mxfp8_e5m2, even", "mxfp8_e5m2, ceil", "mxfp8_e5m2, rceil",
    "mxfp6_e2m3, floor", "mxfp6_e2m3, even", "mxfp6_e2m3, ceil", "mxfp6_e2m3, rceil",
    "mxfp6_e3m2, floor", "mxfp6_e3m2, even", "mxfp6_e3m2, ceil", "mxfp6_e3m2, rceil",
    "mxfp4_e2m1, floor", "mxfp4_e2m1, even", "mxfp4_e2m1, ceil", "mxfp4_e2m1, rceil"
  })
  void scalesOfMicroscaling(String file, String mode) throws IOException {
    Tensors golden = golden(file);
    String element = file.substring(file.indexOf('_') + 1);
    Element type = Element.valueOf(element.toUpperCase(Locale.ROOT));
    Precision precision =
        precision("mx", type.bits(), type.bits(), "element", element, "scaling_mode", mode);
    CodedWeight weight = coded(rows(golden, "x"), precision);
    String prefix = "torchao." + mode + ".";
    byte[] scales = golden.codes(prefix + "scale_e8m0");
    Set<Integer> least = new HashSet<>();
    for (int b = 0; b < scales.length; b++) {
      assertThat(Math.getExponent(weight.scale(b)) + 127)
          .as("block %s", b)
          .isEqualTo(scales[b] & 0xff);
      if (scales[b] == 0 && Schemes.largestMagnitude(golden.floats("x"), 32 * b, 32) > 0) {
        least.add(b / 2);
      }
    }
    if (mode.equals("floor")) {
      assertThat(Set.of(6, 7, 19)).containsAll(least);
    }
    if (!mode.equals("ceil")) {
      requireSame(dequantized(weight), golden.floats(prefix + "y"), 64, least);
      requireSame(values(weight), decoded(type, golden.codes(prefix + "codes")), 64, least);
    }
    RowQuantizer inputs =
        RowQuantizer.microscaling(type, Scaling.valueOf(mode.toUpperCase(Locale.ROOT)));
    requireSame(applied(inputs, golden, "x"), dequantized(weight), 64, Set.of());
  }

  /** Four bits: two codes a byte, the first in its lower half. */
  @Test
  void packedMxfp4() throws IOException {
    Tensors golden = golden("mxfp4_e2m1");
    byte[] packed = golden.codes("torchao.floor.packed");
    byte[] codes = new byte[2 * packed.length];
    for (int i = 0; i < packed.length; i++) {
      codes[2 * i] = (byte) (packed[i] & 0xf);
      codes[2 * i + 1] = (byte) (packed[i] >> 4 & 0xf);
    }
    CodedWeight weight = coded(rows(golden, "x"), precision("mx", 4, 4, "element", "e2m1"));
    requireSame(values(weight), decoded(Element.E2M1, codes), 64, Set.of(6, 7, 19));
  }

  /** As quantized checkpoints have it: a maximum that rounds up takes the next power. */
  @Test
  void exponentsOfCompressedTensors() throws IOException {
    Tensors golden = golden("mxfp4_e2m1");
    float[] x = golden.floats("x");
    float[] exponents = golden.floats("ct.exponent_plus_127");
    RowQuantizer quantizer = new RowQuantizer(Element.E2M1, true, 32, Scaling.EVEN, 0, 0);
    for (int b = 0; b < exponents.length; b++) {
      if (exponents[b] != Float.POSITIVE_INFINITY) { // rounded up from the largest number
        float scale = quantizer.symmetricScale(Schemes.largestMagnitude(x, 32 * b, 32));
        double expected = Math.pow(2, Math.max(0, exponents[b]) - 127);
        assertThat((double) scale).as("block %s", b).isEqualTo(expected);
      }
    }
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
    float[] scales = golden.floats(prefix + "scale");
    for (int r = 0; r < scales.length; r++) {
      assertThat(weight.scale(r)).isEqualTo(zero.contains(r) ? 0x1p-23f : scales[r]);
    }
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

  /** What is beyond the largest number is that, where torch makes infinities of some. */
  @ParameterizedTest
  @CsvSource({
    "e4m3, cast.x, eager", "e4m3, cast.x_bf16, from_bf16", "e4m3, cast.x_fp16, from_fp16",
    "e5m2, cast.x, eager", "e5m2, cast.x_bf16, from_bf16", "e5m2, cast.x_fp16, from_fp16"
  })
  void casts(String element, String from, String cast) throws IOException {
    Tensors golden = golden("fp8");
    Element type = Element.valueOf(element.toUpperCase(Locale.ROOT));
    float[] x = golden.numbers(from);
    byte[] codes = golden.codes("cast." + (type == Element.E4M3 ? "e4m3fn." : "e5m2.") + cast);
    for (int i = 0; i < x.length; i++) {
      float expected = type.table()[codes[i] & 0xff];
      float limited = Math.max(-type.high(), Math.min(type.high(), expected));
      requireSame(new float[] {type.round(x[i])}, new float[] {limited}, 1, Set.of());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"e4m3", "e5m2"})
  void float8OfATensor(String element) throws IOException {
    Tensors golden = golden("fp8");
    Element type = Element.valueOf(element.toUpperCase(Locale.ROOT));
    String prefix = "torchao." + (type == Element.E4M3 ? "e4m3fn" : "e5m2") + ".tensor.";
    Precision precision = precision("fp8", 8, 8, "element", element, "strategy", "tensor");
    CodedWeight weight = coded(rows(golden, "x"), precision);
    requireScales(weight, golden.floats(prefix + "scale"), null);
    requireSame(values(weight), decoded(type, golden.codes(prefix + "codes")), 64, Set.of());
    requireSame(dequantized(weight), golden.floats(prefix + "y"), 64, Set.of());
  }

  /** Inputs and weights with a scale a row; rows of zeros are NaN there. */
  @Test
  void float8Products() throws IOException {
    Tensors golden = golden("fp8");
    Precision precision = precision("fp8", 8, 8);
    CodedWeight weight = coded(rows(golden, "linear.w"), precision);
    float[] weightScales = golden.floats("linear.row.w_scale");
    for (int r = 0; r < weightScales.length; r++) {
      assertThat(weight.scale(r)).isEqualTo(weightScales[r] == 0 ? 0x1p-23f : weightScales[r]);
    }
    float[] weightCodes = decoded(Element.E4M3, golden.codes("linear.row.w_codes"));
    requireSame(values(weight), weightCodes, 64, Set.of(ZERO_OUTPUT));
    float[] scales = golden.floats("linear.row.x_scale");
    float[] quantized = decoded(Element.E4M3, golden.codes("linear.row.x_codes"));
    for (int i = 0; i < quantized.length; i++) {
      quantized[i] *= scales[i / 64];
    }
    RowQuantizer inputs = RowQuantizer.dynamic(Element.E4M3, true, 0);
    requireSame(applied(inputs, golden, "linear.x"), quantized, 64, Set.of(ZERO_INPUT));
    float[] expected = golden.numbers("linear.row.scaled_mm");
    int outputs = weight.rows();
    for (String backend : new String[] {"reference", "onednn"}) {
      try (Linear linear =
          Backends.open(backend).linear(rows(golden, "linear.w"), null, precision)) {
        float[] y = new float[expected.length];
        linear.apply(golden.floats("linear.x"), scales.length, y);
        for (int i = 0; i < y.length; i++) {
          boolean isZero = i / outputs == ZERO_INPUT || i % outputs == ZERO_OUTPUT;
          float ulp = Math.ulp(expected[i]) * (1 << 16); // theirs is bfloat16
          assertThat(y[i])
              .as("%s, element %s", backend, i)
              .isCloseTo(isZero ? 0 : expected[i], Offset.offset(isZero ? 0 : ulp));
        }
      }
    }
  }
}
