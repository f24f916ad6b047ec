package org.cliffwatch.quantizer.scheme;

import java.io.Serializable;
import org.cliffwatch.quantizer.kernel.FloatType;

/**
 * How a row, of a linear layer's inputs or of its weight, becomes codes, a group of columns at a
 * time: {@code q = round(x / s + z)}, half to even and within the element's range, {@code x̂ = (q −
 * z) · s}, all float32. By the definitions of compressed-tensors 0.20 ({@code
 * quantization/utils/helpers.py}, {@code quantization/lifecycle/forward_helpers.py}), which vLLM
 * follows, and of OCP's MX formats. Scales depend on nothing but the row.
 *
 * <p>What is not finite stays so: in a group that holds NaN or an infinity every x̂ is NaN.
 *
 * @param element what q is
 * @param symmetric whether z is 0
 * @param group columns that share a scale; 0: all of a row
 * @param scaling what s is made of
 * @param scale the scale, for {@link Scaling#STATIC}; the global one, for {@link Scaling#GLOBAL};
 *     the threshold, for {@link Scaling#OUTLIERS}
 * @param zero the zero point, for {@link Scaling#STATIC}
 */
public record RowQuantizer(
    Element element, boolean symmetric, int group, Scaling scaling, float scale, float zero)
    implements Serializable {
  private static final long serialVersionUID = 1L;

  /** Scales that would be 0: float32's epsilon, and e4m3's. */
  static final float SMALLEST = 0x1p-23f;

  private static final float SMALLEST_E4M3 = 0.125f;

  private static final int MANTISSA_BITS = 23;

  /** What a scale is made of. */
  public enum Scaling {
    /** One number that the checkpoint holds. */
    STATIC,
    /** {@code max|x| / (range / 2)}, or {@code (max − min) / range} where not symmetric. */
    RANGE,
    /**
     * The power of two of OCP's MX formats 1.0, section 6.3: {@code 2^(⌊log2 max|x|⌋ − emax)},
     * 2⁻¹²⁷ at least.
     */
    FLOOR,
    /** As {@link #FLOOR}, of the logarithm rounded up. */
    CEIL,
    /** The least power of two that brings max|x| into the element's range. */
    RCEIL,
    /**
     * As {@link #FLOOR}, of max|x| rounded to the element's mantissa, half up: that of e2m1 is what
     * compressed-tensors divides by.
     */
    EVEN,
    /** {@code e4m3(global · max|x| / 6) / global}: NVFP4's. */
    GLOBAL,
    /** As {@link #GLOBAL}, with a row's own global scale. */
    ROW_GLOBAL,
    /**
     * LLM.int8()'s: inputs rounded to float16, those of at least a threshold left out (their codes
     * are 0), {@code q = round(x · (127 / max|x|))}.
     */
    OUTLIERS
  }

  /** One scale a row, from its values. */
  public static RowQuantizer dynamic(Element element, boolean symmetric, int group) {
    return new RowQuantizer(element, symmetric, group, Scaling.RANGE, 0, 0);
  }

  /** One scale for all rows. */
  public static RowQuantizer fixed(Element element, float scale, float zero) {
    return new RowQuantizer(element, zero == 0, 0, Scaling.STATIC, scale, zero);
  }

  /** All of a row, but what is beyond a threshold, of LLM.int8(). */
  public static RowQuantizer withOutliers(float threshold) {
    return new RowQuantizer(Element.INT8, true, 0, Scaling.OUTLIERS, threshold, 0);
  }

  /**
   * Blocks of an MX format: 32 columns and a power of two.
   *
   * @param scaling FLOOR, CEIL, RCEIL or EVEN
   */
  static RowQuantizer microscaling(Element element, Scaling scaling) {
    return new RowQuantizer(element, true, 32, scaling, 0, 0);
  }

  /**
   * The global scale that brings the largest e4m3 scale of a block of e2m1 to 448; finite.
   *
   * @param magnitude the largest of all
   */
  static float global(float magnitude) {
    float scale = Element.E4M3.high() * Element.E2M1.high() / magnitude;
    return magnitude == 0 ? 1 : Math.min(Float.MAX_VALUE, scale);
  }

  /** NVFP4 with this global scale. */
  static RowQuantizer withGlobal(float global) {
    return new RowQuantizer(Element.E2M1, true, 16, Scaling.GLOBAL, global, 0);
  }

  /** NVFP4 with a global scale a row. */
  static RowQuantizer withRowGlobal() {
    return new RowQuantizer(Element.E2M1, true, 16, Scaling.ROW_GLOBAL, 0, 0);
  }

  /** Whether an input is multiplied as it is and not by its code. */
  public boolean isOutlier(float x) {
    return scaling == Scaling.OUTLIERS && Math.abs(FloatType.FLOAT16.round(x)) >= scale;
  }

  /** The least magnitude that {@link #isOutlier}; rounding to float16 keeps the order. */
  public float leastOutlier() {
    int least = 0;
    int some = Float.floatToRawIntBits(Float.POSITIVE_INFINITY);
    while (least < some) {
      int middle = (least + some) >>> 1;
      if (isOutlier(Float.intBitsToFloat(middle))) {
        some = middle;
      } else {
        least = middle + 1;
      }
    }
    return Float.intBitsToFloat(least);
  }

  /** Whether some inputs may be {@link #isOutlier}. */
  public boolean hasOutliers() {
    return scaling == Scaling.OUTLIERS;
  }

  /** Whether rows become codes of 8 bits with one scale and no zero point. */
  boolean isInteger() {
    return (element == Element.INT8 || element == Element.INT8_SYMMETRIC)
        && group == 0
        && symmetric;
  }

  /**
   * The quantizer of a row, its global scale known.
   *
   * @param magnitude the row's largest
   */
  public RowQuantizer ofRow(float magnitude) {
    return scaling == Scaling.ROW_GLOBAL ? withGlobal(global(magnitude)) : this;
  }

  /**
   * Quantizes a row and widens it again.
   *
   * @param x row at {@code x[at .. at + n)}
   * @param out x̂ is written to {@code out[to .. to + n)}
   */
  public void apply(float[] x, int at, int n, float[] out, int to) {
    if (scaling == Scaling.ROW_GLOBAL) {
      ofRow(Schemes.largestMagnitude(x, at, n)).apply(x, at, n, out, to);
      return;
    }
    int step = group == 0 ? n : group;
    for (int from = 0; from < n; from += step) {
      int end = Math.min(n, from + step);
      Grid grid = grid(x, at + from, end - from);
      for (int i = from; i < end; i++) {
        float q = element.round(x[at + i] / grid.scale + grid.zero);
        out[to + i] = (q - grid.zero) * grid.scale;
      }
    }
  }

  /**
   * Quantizes a row to codes; {@link #isInteger}.
   *
   * @param x row at {@code x[at .. at + n)}
   * @param codes written to {@code codes[to .. to + n)}
   * @return the scale; NaN when a value is NaN or infinite, and then all codes are 0
   */
  public float codes(float[] x, int at, int n, byte[] codes, int to) {
    if (hasOutliers()) {
      return codesWithoutOutliers(x, at, n, codes, to);
    }
    float scale = grid(x, at, n).scale;
    for (int i = 0; i < n; i++) {
      codes[to + i] = Float.isNaN(scale) ? 0 : (byte) element.round(x[at + i] / scale);
    }
    return scale;
  }

  /** Of an input that is not finite the second product is made: it is an outlier, or NaN. */
  private float codesWithoutOutliers(float[] x, int at, int n, byte[] codes, int to) {
    float max = 0;
    for (int i = at; i < at + n; i++) {
      max = isOutlier(x[i]) ? max : Math.max(max, Math.abs(FloatType.FLOAT16.round(x[i])));
    }
    float factor = Element.INT8.high() / max;
    for (int i = 0; i < n; i++) {
      float rounded = FloatType.FLOAT16.round(x[at + i]);
      boolean isCode = max > 0 && !isOutlier(x[at + i]);
      codes[to + i] = isCode ? (byte) Element.INT8.round(rounded * factor) : 0;
    }
    return max / Element.INT8.high();
  }

  /**
   * Quantizes a group to codes, unsigned.
   *
   * @param v at {@code v[0 .. n)}, all finite
   */
  Grid quantize(float[] v, int n, byte[] codes) {
    Grid grid = grid(v, 0, n);
    for (int i = 0; i < n; i++) {
      codes[i] = element.code(element.round(v[i] / grid.scale + grid.zero));
    }
    return grid;
  }

  /** A group's scale and zero point. */
  record Grid(float scale, float zero) {}

  /** The scale and zero point of a group; NaN where a value is not finite. */
  Grid grid(float[] x, int at, int n) {
    float min = 0;
    float max = 0;
    for (int i = at; i < at + n; i++) {
      min = Math.min(min, x[i]);
      max = Math.max(max, x[i]);
    }
    float magnitude = Math.max(-min, max);
    if (!Float.isFinite(magnitude)) {
      return new Grid(Float.NaN, 0);
    }
    if (scaling == Scaling.RANGE && !symmetric) {
      return asymmetric(min, max);
    }
    return new Grid(symmetricScale(magnitude), zero);
  }

  /**
   * The scale of a symmetric group whose largest magnitude this is; NaN where that is not finite.
   */
  public float symmetricScale(float magnitude) {
    if (!Float.isFinite(magnitude)) {
      return Float.NaN;
    }
    return switch (scaling) {
      case STATIC -> scale;
      case RANGE -> positive(magnitude / ((element.high() - element.low()) / 2), SMALLEST);
      case FLOOR -> powerOfTwo(Math.getExponent(magnitude) - element.largestExponent());
      case CEIL -> powerOfTwo(logarithmRoundedUp(magnitude) - element.largestExponent());
      case RCEIL -> powerOfTwo(logarithmRoundedUp(magnitude / element.high()));
      case EVEN -> {
        int half = 1 << (MANTISSA_BITS - element.places() - 1);
        float rounded = Float.intBitsToFloat(Float.floatToRawIntBits(magnitude) + half);
        yield powerOfTwo(Math.getExponent(rounded) - element.largestExponent());
      }
      case GLOBAL ->
          positive(Element.E4M3.round(scale * (magnitude / element.high())), SMALLEST_E4M3) / scale;
      case ROW_GLOBAL -> throw new IllegalStateException("a group has no global scale of its own");
      case OUTLIERS -> throw new IllegalStateException("widened codes lack the outliers");
    };
  }

  private static float positive(float s, float smallest) {
    return s == 0 ? smallest : s;
  }

  private Grid asymmetric(float min, float max) {
    float s = (max - min) / (element.high() - element.low());
    if (s == 0) {
      return new Grid(SMALLEST, 0);
    }
    return new Grid(s, (float) Math.rint(element.clamp(element.low() - min / s)));
  }

  /** What an e8m0 scale of this exponent is, or the nearest one. */
  private static float powerOfTwo(int exponent) {
    return Math.scalb(1f, Math.max(-127, Math.min(127, exponent)));
  }

  private static int logarithmRoundedUp(double v) {
    int exponent = Math.getExponent(v);
    return v > Math.scalb(1.0, exponent) ? exponent + 1 : exponent;
  }

  /** As {@code inspect} says it. */
  public String describe() {
    String type = element.spelled() + (symmetric ? "" : " with zero points");
    String each = group == 0 ? "token" : "token and " + group + " inputs";
    return switch (scaling) {
      case STATIC -> type + ", one scale for all";
      case RANGE -> type + ", a scale a " + each;
      case FLOOR, CEIL, RCEIL, EVEN -> type + ", a power of two a " + each;
      case GLOBAL -> type + ", an e4m3 scale a " + each + " and one for all";
      case ROW_GLOBAL -> type + ", an e4m3 scale a " + each + " and one a token";
      case OUTLIERS -> type + ", a scale a " + each + ", as they are from " + scale + " on";
    };
  }
}
