package org.cliffwatch.quantizer.scheme;

import java.util.Locale;

/**
 * The type of the numbers that share a scale: integers, integers with binary places, and small
 * floats (OCP 8-bit Floating Point Specification 1.0; OCP Microscaling Formats 1.0, section 5.3).
 */
public enum Element {
  /** Integers from −128 to 127. */
  INT8(8, -128, 127, 0),
  /** Integers from −127 to 127. */
  INT8_SYMMETRIC(8, -127, 127, 0),
  /** Integers from −8 to 7. */
  INT4(4, -8, 7, 0),
  /** Integers from −2⁸ to 2⁸ − 1. */
  INT9(9, -0x1p8f, 0x1p8f - 1, 0),
  /** Integers from −2⁹ to 2⁹ − 1. */
  INT10(10, -0x1p9f, 0x1p9f - 1, 0),
  /** Integers from −2¹⁰ to 2¹⁰ − 1. */
  INT11(11, -0x1p10f, 0x1p10f - 1, 0),
  /** Integers from −2¹¹ to 2¹¹ − 1. */
  INT12(12, -0x1p11f, 0x1p11f - 1, 0),
  /** Integers from −2¹² to 2¹² − 1. */
  INT13(13, -0x1p12f, 0x1p12f - 1, 0),
  /** Integers from −2¹³ to 2¹³ − 1. */
  INT14(14, -0x1p13f, 0x1p13f - 1, 0),
  /** Integers from −2¹⁴ to 2¹⁴ − 1. */
  INT15(15, -0x1p14f, 0x1p14f - 1, 0),
  /** Integers from −2¹⁵ to 2¹⁵ − 1. */
  INT16(16, -0x1p15f, 0x1p15f - 1, 0),
  /** MXINT8's: 6 binary places, up to ±127/64; −2 is not used. */
  MXINT8(8, -127 / 64f, 127 / 64f, 6),
  /** As MXINT8 with 4 bits: 2 binary places, up to ±7/4. */
  MXINT4(4, -7 / 4f, 7 / 4f, 2),
  /** No infinities, NaN at 7F and FF. */
  E4M3(8, 448, 3, -6, 1),
  /** Infinities at 7C and FC, NaN beyond. */
  E5M2(8, 57344, 2, -14, 4),
  /** Of 6 bits, all finite. */
  E2M3(6, 7.5f, 3, 0, 0),
  /** Of 6 bits, all finite. */
  E3M2(6, 28, 2, -2, 0),
  /** Of 4 bits, all finite. */
  E2M1(4, 6, 1, 0, 0);

  private final int bits;
  private final float low;
  private final float high;

  /** Binary places of an integer, or bits of a float's mantissa. */
  private final int places;

  /** The exponent of the smallest normal float. */
  private final int smallest;

  /** Codes of a sign that are no finite numbers, the last ones. */
  private final int special;

  private final boolean isFloat;

  Element(int bits, float low, float high, int places) {
    this(bits, low, high, places, 0, 0, false);
  }

  Element(int bits, float high, int places, int smallest, int special) {
    this(bits, -high, high, places, smallest, special, true);
  }

  Element(int bits, float low, float high, int places, int smallest, int special, boolean isFloat) {
    this.bits = bits;
    this.low = low;
    this.high = high;
    this.places = places;
    this.smallest = smallest;
    this.special = special;
    this.isFloat = isFloat;
  }

  /**
   * Two's complement integers.
   *
   * @param bits 8 to 16
   */
  static Element integer(int bits) {
    return valueOf("INT" + bits);
  }

  /** Whether its numbers are integers. */
  boolean isInteger() {
    return !isFloat && places == 0;
  }

  /** Width of a code. */
  public int bits() {
    return bits;
  }

  /** Whether its numbers are floats, and not integers or integers with binary places. */
  public boolean isFloat() {
    return isFloat;
  }

  /** Binary places of an integer, or bits of a float's mantissa. */
  public int places() {
    return places;
  }

  /** The exponent of the smallest normal float; of others 0. */
  public int smallestExponent() {
    return smallest;
  }

  /** The smallest number. */
  public float low() {
    return low;
  }

  /** The largest number. */
  public float high() {
    return high;
  }

  /** The exponent of the largest number: OCP's emax. */
  int largestExponent() {
    return Math.getExponent(high);
  }

  /**
   * The nearest number of the type, ties to even, those beyond its range at its ends; NaN stays.
   */
  public float round(float v) {
    int exponent = isFloat ? Math.max(smallest, Math.getExponent(v)) : 0;
    float step = power(exponent - places);
    // Clamped last: what rounds to beyond the range is at its end, as what was beyond it.
    return clamp((float) Math.rint(v / step) * step);
  }

  /** 2^exponent, a normal float. */
  private static float power(int exponent) {
    return Float.intBitsToFloat((exponent + 127) << 23);
  }

  /** {@code v}, or the end of the range that it is beyond. */
  float clamp(float v) {
    return Math.max(low, Math.min(high, v));
  }

  /** The code, unsigned, of a number of the type, which is one of 8 bits or fewer. */
  byte code(float number) {
    if (!isFloat) {
      return (byte) ((int) Math.scalb(number, places) & (1 << bits) - 1);
    }
    float magnitude = Math.abs(number);
    int sign = Float.floatToRawIntBits(number) >>> 31 << (bits - 1);
    int exponent = Math.max(smallest, Math.getExponent(magnitude));
    // In steps of the exponent: the leading 1 of a normal number counts as one exponent more.
    int steps = (int) Math.scalb(magnitude, places - exponent);
    return (byte) (sign | (((exponent - smallest) << places) + steps));
  }

  /** What each code stands for. */
  public float[] table() {
    float[] table = new float[1 << bits];
    int half = table.length / 2;
    for (int code = 0; code < table.length; code++) {
      if (isFloat) {
        float magnitude = magnitude(code % half, half);
        table[code] = code < half ? magnitude : -magnitude;
      } else {
        table[code] = Math.scalb((float) (code < half ? code : code - 2 * half), -places);
      }
    }
    return table;
  }

  private float magnitude(int code, int half) {
    if (code >= half - special) {
      boolean isInfinite = special > 1 && code == half - special;
      return isInfinite ? Float.POSITIVE_INFINITY : Float.NaN;
    }
    int exponent = code >> places;
    int mantissa = code & (1 << places) - 1;
    return exponent == 0
        ? Math.scalb((float) mantissa, smallest - places)
        : Math.scalb((float) ((1 << places) + mantissa), smallest - places + exponent - 1);
  }

  /** As configurations spell it. */
  public String spelled() {
    return name().toLowerCase(Locale.ROOT);
  }
}
