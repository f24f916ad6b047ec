package org.cliffwatch.quantizer.kernel;

/** The bits of IEEE 754 binary16. ({@code Float.float16ToFloat} comes with Java 20.) */
public final class Half {
  private Half() {}

  /** The value of the 16 bits {@code half}, subnormals, infinities and NaN included. */
  public static float widen(short half) {
    int magnitude = half & 0x7fff;
    // Shifted into place, the exponent is 112 too small; the product is exact, also for subnormals.
    float value = Float.intBitsToFloat(magnitude << 13) * 0x1p112f;
    int bits = Float.floatToRawIntBits(value);
    if (magnitude >= 0x7c00) {
      bits = 0x7f800000 | (magnitude << 13);
    }
    return Float.intBitsToFloat(bits | ((half & 0x8000) << 16));
  }

  /** The bits of a value that binary16 holds exactly, infinities included; of NaN the quiet one. */
  public static short bits(float value) {
    int bits = Float.floatToRawIntBits(value);
    int sign = (bits >>> 16) & 0x8000;
    int magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) {
      return (short) (sign | 0x7e00);
    }
    if (magnitude == 0x7f800000) {
      return (short) (sign | 0x7c00);
    }
    if (magnitude < Float.floatToRawIntBits(0x1p-14f)) {
      return (short) (sign | (int) (Math.abs(value) * 0x1p24f));
    }
    return (short) (sign | ((magnitude - (112 << 23)) >>> 13));
  }
}
