package org.cliffwatch.quantizer.train;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.scheme.Flexpoint;

/**
 * Elementwise arithmetic on the Vector API, each function beside a scalar twin that makes the same
 * bits: the twin finishes a row's tail, and the tests compare the two.
 *
 * <p>Eight lanes on every machine, so that sums made lane by lane do not depend on the processor.
 */
final class Lanes {
  static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_256;
  static final int WIDTH = SPECIES.length();

  private static final float LOG2_E = 1.44269504088896341f;
  // ln 2 in two parts, so that n·ln 2 is exact for small n (Cephes, expf.c, as the polynomial).
  private static final float LN2_HIGH = 0.693359375f;
  private static final float LN2_LOW = -2.12194440e-4f;
  private static final float[] EXP = {
    1.9875691500e-4f,
    1.3981999507e-3f,
    8.3334519073e-3f,
    4.1665795894e-2f,
    1.6666665459e-1f,
    5.0000001201e-1f
  };
  // Adding 1.5·2^23 leaves the rounded value in the low bits of the float.
  private static final float ROUNDER = 12582912f;
  private static final float EXP_LOWEST = -87f;
  private static final float EXP_HIGHEST = 88f;

  private static final int SIGN = 0x80000000;
  private static final int FLOAT16_TOO_LARGE = 0x47800000; // 2^16, rounded
  private static final int INFINITE = 0x7f800000;
  private static final float FLOAT16_SMALLEST_NORMAL = 0x1p-14f;
  // Floats in [0.5, 1) are 2^-24 apart, as are float16's subnormals.
  private static final float FLOAT16_SUBNORMAL_ROUNDER = 0.5f;

  private Lanes() {}

  /** e^x for x clamped to [-87, 88], relative error below 2·10⁻⁷. */
  static FloatVector exp(FloatVector x) {
    FloatVector clamped = x.max(EXP_LOWEST).min(EXP_HIGHEST);
    FloatVector shifted = clamped.mul(LOG2_E).add(ROUNDER);
    FloatVector n = shifted.sub(ROUNDER);
    FloatVector r = clamped.sub(n.mul(LN2_HIGH)).sub(n.mul(LN2_LOW));
    FloatVector p = FloatVector.broadcast(SPECIES, EXP[0]);
    for (int i = 1; i < EXP.length; i++) {
      p = p.mul(r).add(EXP[i]);
    }
    p = p.mul(r).mul(r).add(r).add(1f);
    IntVector exponent = shifted.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23);
    return p.reinterpretAsInts().add(exponent).reinterpretAsFloats();
  }

  /** The twin of {@link #exp(FloatVector)}. */
  static float exp(float x) {
    float clamped = Math.min(Math.max(x, EXP_LOWEST), EXP_HIGHEST);
    float shifted = clamped * LOG2_E + ROUNDER;
    float n = shifted - ROUNDER;
    float r = clamped - n * LN2_HIGH - n * LN2_LOW;
    float p = EXP[0];
    for (int i = 1; i < EXP.length; i++) {
      p = p * r + EXP[i];
    }
    p = p * r * r + r + 1f;
    return Float.intBitsToFloat(
        Float.floatToRawIntBits(p) + (Float.floatToRawIntBits(shifted) << 23));
  }

  /**
   * Rounds x[0 .. n) to the type, half to even, and widens it back; too large becomes infinite, NaN
   * stays NaN.
   */
  static void round(FloatType type, float[] x, int n) {
    if (type == FloatType.FLOAT32) {
      return;
    }
    int i = 0;
    for (; i + WIDTH <= n; i += WIDTH) {
      round(type, FloatVector.fromArray(SPECIES, x, i)).intoArray(x, i);
    }
    for (; i < n; i++) {
      x[i] = round(type, x[i]);
    }
  }

  static FloatVector round(FloatType type, FloatVector x) {
    return switch (type) {
      case FLOAT32 -> x;
      case BFLOAT16 -> roundBfloat16(x);
      case FLOAT16 -> roundFloat16(x);
    };
  }

  /** The twin of {@link #round(FloatType, FloatVector)}. */
  static float round(FloatType type, float x) {
    return switch (type) {
      case FLOAT32 -> x;
      case BFLOAT16 -> roundBfloat16(x);
      case FLOAT16 -> roundFloat16(x);
    };
  }

  private static FloatVector roundBfloat16(FloatVector x) {
    IntVector bits = x.reinterpretAsInts();
    IntVector odd = bits.lanewise(VectorOperators.LSHR, 16).and(1);
    FloatVector rounded = bits.add(odd).add(0x7fff).and(0xffff0000).reinterpretAsFloats();
    VectorMask<Float> nan = x.compare(VectorOperators.NE, x);
    return rounded.blend(Float.NaN, nan);
  }

  private static float roundBfloat16(float x) {
    if (Float.isNaN(x)) {
      return Float.NaN;
    }
    int bits = Float.floatToRawIntBits(x);
    int odd = (bits >>> 16) & 1;
    return Float.intBitsToFloat((bits + odd + 0x7fff) & 0xffff0000);
  }

  private static FloatVector roundFloat16(FloatVector x) {
    IntVector bits = x.reinterpretAsInts();
    IntVector sign = bits.and(SIGN);
    IntVector magnitude = bits.and(~SIGN);
    IntVector odd = magnitude.lanewise(VectorOperators.LSHR, 13).and(1);
    IntVector normal = magnitude.add(odd).add(0xfff).and(~0x1fff);
    normal = normal.blend(INFINITE, normal.compare(VectorOperators.GE, FLOAT16_TOO_LARGE));
    FloatVector absolute = magnitude.reinterpretAsFloats();
    FloatVector subnormal = absolute.add(FLOAT16_SUBNORMAL_ROUNDER).sub(FLOAT16_SUBNORMAL_ROUNDER);
    FloatVector rounded =
        normal
            .reinterpretAsFloats()
            .blend(subnormal, absolute.compare(VectorOperators.LT, FLOAT16_SMALLEST_NORMAL));
    FloatVector signed = rounded.reinterpretAsInts().or(sign).reinterpretAsFloats();
    return signed.blend(Float.NaN, x.compare(VectorOperators.NE, x));
  }

  private static float roundFloat16(float x) {
    if (Float.isNaN(x)) {
      return Float.NaN;
    }
    int bits = Float.floatToRawIntBits(x);
    int magnitude = bits & ~SIGN;
    int odd = (magnitude >>> 13) & 1;
    int normal = (magnitude + odd + 0xfff) & ~0x1fff;
    if (normal >= FLOAT16_TOO_LARGE) {
      normal = INFINITE;
    }
    float absolute = Float.intBitsToFloat(magnitude);
    float rounded =
        absolute < FLOAT16_SMALLEST_NORMAL
            ? absolute + FLOAT16_SUBNORMAL_ROUNDER - FLOAT16_SUBNORMAL_ROUNDER
            : Float.intBitsToFloat(normal);
    return Float.intBitsToFloat(Float.floatToRawIntBits(rounded) | (bits & SIGN));
  }

  /**
   * Rounds x[0 .. n) to mantissas of a {@link Flexpoint} tensor, as {@link Flexpoint#mantissa}
   * does, and widens them; NaN stays NaN.
   *
   * @param scale κ
   * @return Γ, the largest magnitude of a mantissa
   */
  static int round(Flexpoint format, float scale, float[] x, int n) {
    float inverse = 1 / scale;
    float high = (1 << (format.mantissaBits() - 1)) - 1;
    float low = -high - 1;
    FloatVector most = FloatVector.zero(SPECIES);
    int i = 0;
    for (; i + WIDTH <= n; i += WIDTH) {
      FloatVector mantissas =
          FloatVector.fromArray(SPECIES, x, i)
              .mul(inverse)
              .max(low)
              .min(high)
              .add(ROUNDER)
              .sub(ROUNDER);
      most = most.max(mantissas.abs());
      mantissas.mul(scale).intoArray(x, i);
    }
    float largest = most.reduceLanes(VectorOperators.MAX);
    for (; i < n; i++) {
      float mantissa = Math.min(Math.max(x[i] * inverse, low), high) + ROUNDER - ROUNDER;
      largest = Math.max(largest, Math.abs(mantissa));
      x[i] = mantissa * scale;
    }
    return (int) largest;
  }

  /** The largest magnitude among x[0 .. n); NaN if one is. */
  static float largestMagnitude(float[] x, int n) {
    FloatVector most = FloatVector.zero(SPECIES);
    int i = 0;
    for (; i + WIDTH <= n; i += WIDTH) {
      most = most.max(FloatVector.fromArray(SPECIES, x, i).abs());
    }
    float largest = most.reduceLanes(VectorOperators.MAX);
    for (; i < n; i++) {
      largest = Math.max(largest, Math.abs(x[i]));
    }
    return largest;
  }

  /** Adds the eight lanes from the first to the last. */
  static float sum(FloatVector lanes) {
    float sum = 0;
    for (int i = 0; i < WIDTH; i++) {
      sum += lanes.lane(i);
    }
    return sum;
  }
}
