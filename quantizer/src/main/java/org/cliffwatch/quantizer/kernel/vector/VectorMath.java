package org.cliffwatch.quantizer.kernel.vector;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * All that takes or returns vectors: elementary functions and rounding, a lane at a time; and sums
 * in a fixed order. To be inlined, or every vector would be an object: see the package.
 */
final class VectorMath {
  static {
    // Every loop of the package comes by here before it is compiled.
    CompilerDirectives.add();
  }

  static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;
  static final VectorSpecies<Integer> INTS = VectorSpecies.of(int.class, FLOATS.vectorShape());
  static final int LANES = FLOATS.length();

  /** Parts of a sum; a multiple of any vector's lanes. */
  static final int PARTS = 16;

  /** 1.5 · 2²³: adding it rounds a float of magnitude below 2²² to an integer, half to even. */
  static final float ROUNDER = 0x1.8p23f;

  /** Bits of 87.3, beyond which 2^k, k rounded from x / ln 2, leaves the normal floats. */
  private static final int EXP_LIMIT = Float.floatToRawIntBits(87.3f);

  /** e^−104 is less than half of the smallest float: what an activation leaves below is −0. */
  private static final float VANISHED = -104;

  private static final float SQRT_HALF = (float) Math.sqrt(0.5);
  private static final float TWO_SQRT_2_OVER_PI = (float) (2 * Math.sqrt(2 / Math.PI));

  static final int MAGNITUDE = 0x7fffffff;
  static final int INFINITY = 0x7f800000;
  private static final int QUIET = 0x00400000;
  private static final float LOG2_E = 1.44269504f;
  private static final float LN_2_HIGH = 0x1.62e4p-1f;
  private static final float LN_2_LOW = 0x1.7f7d1cp-20f;

  private VectorMath() {}

  /**
   * e^x with a relative error below 1.5·10⁻⁷; magnitudes above 87.3, and NaN, count as 87.3 of
   * their sign: who calls it sees to NaN. Range reduction by ln 2 and the polynomial of Cephes'
   * expf (Moshier, 1989).
   *
   * <p>The limit is kept on the bits, as ints: minima and maxima of floats cost as much as all the
   * rest.
   */
  static FloatVector exp(FloatVector x) {
    IntVector bits = x.reinterpretAsInts();
    IntVector magnitude = bits.and(MAGNITUDE).min(EXP_LIMIT);
    FloatVector within = magnitude.or(bits.and(~MAGNITUDE)).reinterpretAsFloats();
    FloatVector shifted = within.fma(constant(LOG2_E), constant(ROUNDER));
    FloatVector k = shifted.sub(ROUNDER);
    FloatVector r = k.fma(constant(-LN_2_HIGH), within);
    r = k.fma(constant(-LN_2_LOW), r);
    FloatVector p = constant(1.9875691500e-4f);
    p = p.fma(r, constant(1.3981999507e-3f));
    p = p.fma(r, constant(8.3334519073e-3f));
    p = p.fma(r, constant(4.1665795894e-2f));
    p = p.fma(r, constant(1.6666665459e-1f));
    p = p.fma(r, constant(5.0000001201e-1f));
    p = p.fma(r.mul(r), r.add(1f));
    // The low bits of the shifted sum are k: as an exponent they make 2^k.
    IntVector exponent = shifted.reinterpretAsInts().add(127).lanewise(VectorOperators.LSHL, 23);
    return p.mul(exponent.reinterpretAsFloats());
  }

  /** tanh with an absolute error below 2·10⁻⁷; NaN stays NaN. */
  static FloatVector tanh(FloatVector x) {
    FloatVector tanh = constant(1).sub(constant(2).div(exp(x.add(x)).add(1f)));
    return tanh.blend(x, x.test(VectorOperators.IS_NAN));
  }

  /**
   * erf with an absolute error below 3·10⁻⁷: the rational minimax approximation of Eigen's {@code
   * generic_fast_erf_float}, which is ±1 from |x| = 4 on.
   */
  static FloatVector erf(FloatVector x) {
    FloatVector t = x.max(-4f).min(4f);
    FloatVector square = t.mul(t);
    FloatVector p = constant(-2.72614225801306e-10f);
    p = p.fma(square, constant(2.77068142495902e-08f));
    p = p.fma(square, constant(-2.10102402082508e-06f));
    p = p.fma(square, constant(-5.69250639462346e-05f));
    p = p.fma(square, constant(-7.34990630326855e-04f));
    p = p.fma(square, constant(-2.95459980854025e-03f));
    p = p.fma(square, constant(-1.60960333262415e-02f));
    FloatVector q = constant(-1.45660718464996e-05f);
    q = q.fma(square, constant(-2.13374055278905e-04f));
    q = q.fma(square, constant(-1.68282697438203e-03f));
    q = q.fma(square, constant(-7.37332916720468e-03f));
    q = q.fma(square, constant(-1.42647390514189e-02f));
    return t.mul(p).div(q);
  }

  static FloatVector silu(FloatVector x) {
    return vanishing(x, x.div(exp(x.neg()).add(1f)));
  }

  static FloatVector quickGelu(FloatVector x) {
    return vanishing(x, x.div(exp(x.mul(-1.702f)).add(1f)));
  }

  static FloatVector gelu(FloatVector x) {
    return vanishing(x, x.mul(0.5f).mul(erf(x.mul(SQRT_HALF)).add(1f)));
  }

  /** 0.5 x (1 + tanh u) = x / (1 + e^(−2u)). */
  static FloatVector geluTanh(FloatVector x) {
    FloatVector cubed = x.mul(x).mul(x).fma(constant(0.044715f), x);
    return vanishing(x, x.div(exp(cubed.mul(-TWO_SQRT_2_OVER_PI)).add(1f)));
  }

  /**
   * f(x), but x · 0 where nothing is left of f: the approximations stop at a factor of 10⁻³⁸, which
   * of a large x would leave a plausible number. Of −∞ it is NaN.
   */
  private static FloatVector vanishing(FloatVector x, FloatVector f) {
    return f.blend(x.mul(0f), x.compare(VectorOperators.LT, VANISHED));
  }

  static FloatVector constant(float value) {
    return FloatVector.broadcast(FLOATS, value);
  }

  static FloatVector load(float[] x, int at) {
    return FloatVector.fromArray(FLOATS, x, at);
  }

  /** As many floats as there are lanes, from byte {@code at} on. */
  static FloatVector load(ByteBuffer x, int at) {
    return FloatVector.fromByteBuffer(FLOATS, x, at, ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * The value rounded half to even, in the low byte: adding 1.5 · 2²³ rounds into the low mantissa
   * bits.
   */
  static IntVector lowByte(FloatVector x) {
    return x.add(ROUNDER).reinterpretAsInts();
  }

  /** The low half of every lane is 0; NaN becomes quiet, so that it is still one without it. */
  static FloatVector toBfloat16(FloatVector x) {
    IntVector bits = x.reinterpretAsInts();
    IntVector odd = bits.lanewise(VectorOperators.LSHR, 16).and(1);
    IntVector rounded = bits.add(odd).add(0x7fff).and(0xffff0000);
    VectorMask<Integer> notANumber = bits.and(MAGNITUDE).compare(VectorOperators.GT, INFINITY);
    return rounded.blend(bits.or(QUIET).and(0xffff0000), notANumber).reinterpretAsFloats();
  }

  static FloatVector toFloat16(FloatVector x) {
    IntVector bits = x.reinterpretAsInts();
    IntVector magnitude = bits.and(MAGNITUDE);
    IntVector sign = bits.and(~MAGNITUDE);
    IntVector odd = magnitude.lanewise(VectorOperators.LSHR, 13).and(1);
    IntVector normal = magnitude.add(odd).add(0xfff).and(0xffffe000);
    // Below 2^-14: multiples of 2^-24, which is the spacing of floats between 0.5 and 1.
    IntVector subnormal = magnitude.reinterpretAsFloats().add(0.5f).sub(0.5f).reinterpretAsInts();
    IntVector rounded =
        normal.blend(
            subnormal, magnitude.compare(VectorOperators.LT, Float.floatToRawIntBits(0x1p-14f)));
    rounded =
        rounded.blend(
            IntVector.broadcast(INTS, INFINITY),
            magnitude.compare(VectorOperators.GE, Float.floatToRawIntBits(65520f)));
    rounded = rounded.blend(magnitude, magnitude.compare(VectorOperators.GT, INFINITY));
    return rounded.or(sign).reinterpretAsFloats();
  }

  /**
   * 1 / √(mean square + epsilon): what a norm multiplies by. NaN where the square has overflowed: 1
   * / √∞ would make zeros of a whole row.
   */
  static float inverseRoot(float square, float epsilon) {
    return Float.isFinite(square) ? (float) (1 / Math.sqrt(square + epsilon)) : Float.NaN;
  }

  /** Joins the parts of a sum: halves onto halves. Overwrites {@code parts}. */
  static float sum(float[] parts) {
    for (int stride = PARTS / 2; stride > 0; stride /= 2) {
      for (int i = 0; i < stride; i++) {
        parts[i] += parts[i + stride];
      }
    }
    return parts[0];
  }

  /** Σ x over {@code x[at .. at + n)}. */
  static float sum(float[] x, int at, int n) {
    float[] parts = new float[PARTS];
    int whole = n - n % PARTS;
    for (int part = 0; part < PARTS; part += LANES) {
      FloatVector sum = constant(0);
      for (int i = part; i < whole; i += PARTS) {
        sum = sum.add(load(x, at + i));
      }
      sum.intoArray(parts, part);
    }
    for (int i = whole; i < n; i++) {
      parts[i - whole] += x[at + i];
    }
    return sum(parts);
  }

  /** Σ (x − centre)² over {@code x[at .. at + n)}. */
  static float squares(float[] x, int at, int n, float centre) {
    float[] parts = new float[PARTS];
    int whole = n - n % PARTS;
    for (int part = 0; part < PARTS; part += LANES) {
      FloatVector sum = constant(0);
      for (int i = part; i < whole; i += PARTS) {
        FloatVector centred = load(x, at + i).sub(centre);
        sum = centred.fma(centred, sum);
      }
      sum.intoArray(parts, part);
    }
    for (int i = whole; i < n; i++) {
      float centred = x[at + i] - centre;
      parts[i - whole] = Math.fma(centred, centred, parts[i - whole]);
    }
    return sum(parts);
  }
}
