package org.cliffwatch.quantizer.scheme;

import java.io.Serializable;
import java.util.Locale;
import org.cliffwatch.quantizer.kernel.FloatType;

/**
 * How a quantized checkpoint has the inputs of a linear layer quantized, by the definitions of
 * compressed-tensors 0.20 ({@code quantization/utils/helpers.py}, {@code
 * quantization/lifecycle/forward_helpers.py}), which vLLM follows: {@code q = round(x / s + z)},
 * half to even and within the element's range, {@code x̂ = (q − z) · s}, all float32. Scales depend
 * on nothing but the row.
 *
 * <p>What is not finite stays so: in a group that holds NaN or an infinity every x̂ is NaN.
 *
 * @param element what q is
 * @param symmetric whether z is 0
 * @param group inputs that share a scale; 0: all of a row
 * @param scaling what s is made of
 * @param scale the scale, for {@link Scaling#STATIC}; the global one, for {@link Scaling#GLOBAL};
 *     the threshold, for {@link Scaling#OUTLIERS}
 * @param zero the zero point, for {@link Scaling#STATIC}
 */
public record InputQuantizer(
    Element element, boolean symmetric, int group, Scaling scaling, float scale, float zero)
    implements Serializable {
  private static final long serialVersionUID = 1L;

  /** Scales that would be 0: float32's epsilon, and e4m3's. */
  private static final float SMALLEST = 0x1p-23f;

  private static final float SMALLEST_E4M3 = 0.125f;

  /** Half a unit of the mantissa that e2m1 has, in the bits of a float32. */
  private static final int MX_HALF = 1 << 21;

  private static final int MX_POWER = 0xff800000;

  /** The type of a quantized input. */
  public enum Element {
    /** Integers from −128 to 127. */
    INT8(-128, 127),
    /** Integers from −8 to 7. */
    INT4(-8, 7),
    /** OCP's e4m3 without infinities. */
    E4M3(-448, 448),
    /** OCP's e2m1. */
    E2M1(-6, 6);

    private final float low;
    private final float high;

    Element(float low, float high) {
      this.low = low;
      this.high = high;
    }

    /** The nearest value of the type, ties to even, those beyond its range at its ends. */
    public float round(float v) {
      return switch (this) {
        case INT8, INT4 -> (float) Math.rint(clamp(v));
        case E4M3 -> clamp(mantissa(v, 3, -6));
        case E2M1 -> clamp(mantissa(v, 1, 0));
      };
    }

    private float clamp(float v) {
      return Math.max(low, Math.min(high, v));
    }

    /** To so many bits of mantissa; below the smallest exponent the steps grow no smaller. */
    private static float mantissa(float v, int bits, int smallest) {
      int exponent = Math.max(smallest, Math.getExponent(v)) - bits;
      float step = Math.scalb(1f, exponent);
      return (float) Math.rint(v / step) * step;
    }
  }

  /** What a scale is made of. */
  public enum Scaling {
    /** One number that the checkpoint holds. */
    STATIC,
    /** {@code max|x| / (range / 2)}, or {@code (max − min) / range} where not symmetric. */
    RANGE,
    /** The power of two of OCP's MX formats: max|x| rounded as e2m1 has it, over 4. */
    POWER_OF_TWO,
    /** {@code e4m3(global · max|x| / 6) / global}: NVFP4's. */
    GLOBAL,
    /**
     * LLM.int8()'s: inputs rounded to float16, those of at least a threshold left out (their codes
     * are 0), {@code q = round(x · (127 / max|x|))}.
     */
    OUTLIERS
  }

  /** One scale a row, from its values. */
  public static InputQuantizer dynamic(Element element, boolean symmetric, int group) {
    return new InputQuantizer(element, symmetric, group, Scaling.RANGE, 0, 0);
  }

  /** One scale for all rows. */
  public static InputQuantizer fixed(Element element, float scale, float zero) {
    return new InputQuantizer(element, zero == 0, 0, Scaling.STATIC, scale, zero);
  }

  /** All of a row, but what is beyond a threshold, of LLM.int8(). */
  public static InputQuantizer withOutliers(float threshold) {
    return new InputQuantizer(Element.INT8, true, 0, Scaling.OUTLIERS, threshold, 0);
  }

  /** Whether an input is multiplied as it is and not by its code. */
  public boolean isOutlier(float x) {
    return scaling == Scaling.OUTLIERS && Math.abs(FloatType.FLOAT16.round(x)) >= scale;
  }

  /** Whether some inputs may be {@link #isOutlier}. */
  public boolean hasOutliers() {
    return scaling == Scaling.OUTLIERS;
  }

  /** Whether rows become codes of 8 bits with one scale and no zero point. */
  boolean isInteger() {
    return element == Element.INT8 && group == 0 && symmetric;
  }

  /**
   * Quantizes a row and widens it again.
   *
   * @param x row at {@code x[at .. at + n)}
   * @param out x̂ is written to {@code out[to .. to + n)}
   */
  public void apply(float[] x, int at, int n, float[] out, int to) {
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
    float factor = Element.INT8.high / max;
    for (int i = 0; i < n; i++) {
      float rounded = FloatType.FLOAT16.round(x[at + i]);
      boolean isCode = max > 0 && !isOutlier(x[at + i]);
      codes[to + i] = isCode ? (byte) Element.INT8.round(rounded * factor) : 0;
    }
    return max / Element.INT8.high;
  }

  private record Grid(float scale, float zero) {}

  private Grid grid(float[] x, int at, int n) {
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
    return switch (scaling) {
      case STATIC -> new Grid(scale, zero);
      case RANGE -> symmetric ? new Grid(symmetricScale(magnitude), 0) : asymmetric(min, max);
      case POWER_OF_TWO -> new Grid(powerOfTwo(magnitude), 0);
      case GLOBAL -> {
        float local = Element.E4M3.round(scale * (magnitude / element.high));
        yield new Grid((local == 0 ? SMALLEST_E4M3 : local) / scale, 0);
      }
      case OUTLIERS -> throw new IllegalStateException("widened codes lack the outliers");
    };
  }

  private float symmetricScale(float magnitude) {
    float s = magnitude / ((element.high - element.low) / 2);
    return s == 0 ? SMALLEST : s;
  }

  private Grid asymmetric(float min, float max) {
    float s = (max - min) / (element.high - element.low);
    if (s == 0) {
      return new Grid(SMALLEST, 0);
    }
    return new Grid(s, (float) Math.rint(element.clamp(element.low - min / s)));
  }

  private static float powerOfTwo(float magnitude) {
    int power = Float.floatToRawIntBits(magnitude) + MX_HALF & MX_POWER;
    int exponent = power == 0 ? -127 : Math.getExponent(Float.intBitsToFloat(power)) - 2;
    return Math.scalb(1f, Math.max(-127, exponent));
  }

  /** As {@code inspect} says it. */
  public String describe() {
    String type = element.name().toLowerCase(Locale.ROOT) + (symmetric ? "" : " with zero points");
    String each = group == 0 ? "token" : "token and " + group + " inputs";
    return switch (scaling) {
      case STATIC -> type + ", one scale for all";
      case RANGE -> type + ", a scale a " + each;
      case POWER_OF_TWO -> type + ", a power of two a " + each;
      case GLOBAL -> type + ", an e4m3 scale a " + each + " and one for all";
      case OUTLIERS -> type + ", a scale a " + each + ", as they are from " + scale + " on";
    };
  }
}
