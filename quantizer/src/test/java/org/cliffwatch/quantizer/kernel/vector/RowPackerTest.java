package org.cliffwatch.quantizer.kernel.vector;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.scheme.Element;
import org.cliffwatch.quantizer.scheme.RowQuantizer;
import org.cliffwatch.quantizer.scheme.Vectorwise;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The packed rows beside {@link Vectorwise#quantize} and {@link FloatType#round}, every bit. */
class RowPackerTest {
  private static final byte SENTINEL = 0x55;

  static IntStream sizes() {
    return IntStream.of(1, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 127, 129, 576, 1031);
  }

  @ParameterizedTest
  @MethodSource("sizes")
  void codesEqualTheReference(int n) {
    SplittableRandom random = new SplittableRandom(n);
    for (int repeat = 0; repeat < 20; repeat++) {
      float[] x = new float[n];
      for (int i = 0; i < n; i++) {
        x[i] = (float) (random.nextGaussian() * Math.pow(10, random.nextInt(-3, 3)));
      }
      check(x);
      Arrays.fill(x, 0);
      check(x);
      ties(x);
      check(x);
      for (float odd :
          new float[] {
            Float.NaN,
            Float.NEGATIVE_INFINITY,
            Float.MAX_VALUE,
            -Float.MAX_VALUE,
            Float.MIN_VALUE * 190,
            Float.MIN_NORMAL,
            127 * Float.MIN_NORMAL,
            -0f
          }) {
        x[random.nextInt(n)] = odd;
        check(x);
      }
    }
  }

  /** Scale 1 and halves between codes. */
  private static void ties(float[] x) {
    for (int i = 0; i < x.length; i++) {
      x[i] = i % 253 - 126 + 0.5f;
    }
    x[0] = 127;
  }

  /** Subnormal rows, whose scales are themselves rounded. */
  @Test
  void rowsOfSmallValues() {
    SplittableRandom random = new SplittableRandom(1);
    float[] x = new float[100];
    for (int repeat = 0; repeat < 500; repeat++) {
      for (int i = 0; i < x.length; i++) {
        x[i] = Float.intBitsToFloat(random.nextInt(1 << random.nextInt(1, 27)));
      }
      check(x);
    }
  }

  private static void check(float[] x) {
    int n = x.length;
    byte[] expected = new byte[n];
    float scale = Vectorwise.quantize(x, 0, n, 127, expected, 0);
    int width = RowPacker.width(n, 8);
    ByteBuffer codes = sentinels(width + 16);
    float[] shifted = new float[n + 3];
    System.arraycopy(x, 0, shifted, 3, n);
    float found = RowPacker.quantize(shifted, 3, n, codes, 8);
    assertThat(Float.floatToIntBits(found)).isEqualTo(Float.floatToIntBits(scale));
    byte[] unpacked = new byte[n];
    byte[] padding = new byte[width - n];
    for (int c = 0; c < width; c++) {
      byte code = codes.get(8 + RowPacker.place(c, 8));
      if (c < n) {
        unpacked[c] = code;
      } else {
        padding[c - n] = code;
      }
    }
    assertThat(unpacked).isEqualTo(expected);
    assertThat(padding).isEqualTo(new byte[width - n]);
    checkSentinels(codes, width);
    checkFloat32(shifted, expected, scale);
  }

  private static void checkFloat32(float[] shifted, byte[] expected, float scale) {
    int n = expected.length;
    int width = n + 3;
    ByteBuffer codes = sentinels(Float.BYTES * width + 16);
    float found = RowPacker.quantizeToFloat32(shifted, 3, n, codes, 8, width);
    assertThat(Float.floatToIntBits(found)).isEqualTo(Float.floatToIntBits(scale));
    float[] unpacked = new float[width];
    float[] wanted = new float[width];
    for (int c = 0; c < width; c++) {
      unpacked[c] = codes.getFloat(8 + Float.BYTES * c);
      wanted[c] = c < n ? expected[c] : 0;
    }
    assertThat(unpacked).isEqualTo(wanted);
    checkSentinels(codes, Float.BYTES * width);
  }

  /** Integers of any width by one scale: within their range, beyond it, at ties, not finite. */
  @ParameterizedTest
  @MethodSource("sizes")
  void widenedRowsEqualTheReference(int n) {
    SplittableRandom random = new SplittableRandom(n);
    for (Element element : List.of(Element.INT8, Element.INT16, Element.E4M3)) {
      for (float scale : new float[] {1, 0x1p-11f, 0.3f}) {
        RowQuantizer quantizer = RowQuantizer.fixed(element, scale, 0);
        float[] x = new float[n];
        for (int i = 0; i < n; i++) {
          x[i] = (float) random.nextGaussian();
        }
        checkWidened(quantizer, x);
        for (int i = 0; i < n; i++) {
          x[i] = (i % 253 - 126 + 0.5f) * scale;
        }
        checkWidened(quantizer, x);
        Arrays.fill(x, 0);
        checkWidened(quantizer, x);
        for (float odd :
            new float[] {
              32767.4f * scale,
              32767.5f * scale,
              -40000 * scale,
              Float.MAX_VALUE,
              Float.MIN_VALUE,
              Float.NaN,
              Float.POSITIVE_INFINITY
            }) {
          x[random.nextInt(n)] = odd;
          checkWidened(quantizer, x);
        }
      }
    }
  }

  private static void checkWidened(RowQuantizer quantizer, float[] x) {
    int n = x.length;
    float[] expected = new float[n];
    quantizer.apply(x, 0, n, expected, 0);
    float[] shifted = new float[n + 3];
    System.arraycopy(x, 0, shifted, 3, n);
    ByteBuffer out = sentinels(Float.BYTES * n + 16);
    RowPacker.quantizeAndWiden(quantizer, shifted, 3, n, out, 8);
    for (int c = 0; c < n; c++) {
      // The sum has no −0.
      float found = out.getFloat(8 + Float.BYTES * c) + 0f;
      assertThat(Float.floatToIntBits(found)).isEqualTo(Float.floatToIntBits(expected[c] + 0f));
    }
    checkSentinels(out, Float.BYTES * n);
  }

  private static ByteBuffer sentinels(int n) {
    ByteBuffer bytes = ByteBuffer.allocateDirect(n).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < n; i++) {
      bytes.put(i, SENTINEL);
    }
    return bytes;
  }

  private static void checkSentinels(ByteBuffer bytes, int width) {
    for (int i = 0; i < 8; i++) {
      assertThat(bytes.get(i)).isEqualTo(SENTINEL);
      assertThat(bytes.get(8 + width + i)).isEqualTo(SENTINEL);
    }
  }

  @ParameterizedTest
  @MethodSource("sizes")
  void bfloat16EqualsTheReference(int n) {
    SplittableRandom random = new SplittableRandom(n);
    float[] x = new float[n];
    for (int i = 0; i < n; i++) {
      x[i] = Float.intBitsToFloat(random.nextInt());
    }
    int width = RowPacker.width(n, 16);
    ByteBuffer out = sentinels(2 * width + 16);
    RowPacker.bfloat16(x, 0, n, out, 8);
    for (int c = 0; c < width; c++) {
      float found = Float.intBitsToFloat(out.getShort(8 + 2 * RowPacker.place(c, 16)) << 16);
      float expected = c < n ? FloatType.BFLOAT16.round(x[c]) : 0;
      assertThat(Float.floatToIntBits(found)).isEqualTo(Float.floatToIntBits(expected));
    }
    checkSentinels(out, 2 * width);
  }

  /** Sums that round, as bfloat16's, depend on the order: it must not follow the vectors' width. */
  @Test
  void placesAreTheSameOnAllProcessors() {
    assertThat(IntStream.of(0, 1, 15, 16, 17, 31, 32, 48).map(c -> RowPacker.place(c, 16)))
        .containsExactly(0, 2, 30, 1, 3, 31, 32, 33);
    assertThat(IntStream.of(0, 1, 16, 17, 32, 48, 63, 64).map(c -> RowPacker.place(c, 8)))
        .containsExactly(0, 4, 1, 5, 2, 3, 63, 64);
    assertThat(RowPacker.width(1, 16)).isEqualTo(32);
    assertThat(RowPacker.width(65, 8)).isEqualTo(128);
  }

  @ParameterizedTest
  @ValueSource(ints = {8, 16})
  void placesAreAPermutation(int bits) {
    int width = RowPacker.width(300, bits);
    int[] places = IntStream.range(0, width).map(c -> RowPacker.place(c, bits)).sorted().toArray();
    assertThat(places).isEqualTo(IntStream.range(0, width).toArray());
  }
}
