package org.cliffwatch.quantizer.stored;

/** What codes stand for. */
final class CodeTables {
  private CodeTables() {}

  /** Two's complement of 8 bits. */
  static float[] signedBytes() {
    float[] values = new float[256];
    for (int code = 0; code < values.length; code++) {
      values[code] = (byte) code;
    }
    return values;
  }

  /** OCP's e4m3 without infinities; NaN at 7F and FF. */
  static float[] e4m3() {
    float[] values = new float[256];
    for (int code = 0; code < values.length; code++) {
      int exponent = code >> 3 & 15;
      int mantissa = code & 7;
      float magnitude =
          exponent == 0
              ? Math.scalb((float) mantissa, -9)
              : Math.scalb(1 + mantissa / 8f, exponent - 7);
      values[code] = (code & 0x7f) == 0x7f ? Float.NaN : code < 128 ? magnitude : -magnitude;
    }
    return values;
  }

  /** OCP's e2m1. */
  static float[] e2m1() {
    return new float[] {0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0f, -0.5f, -1, -1.5f, -2, -3, -4, -6};
  }
}
