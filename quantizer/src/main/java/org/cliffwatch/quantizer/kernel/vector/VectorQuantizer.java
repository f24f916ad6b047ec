package org.cliffwatch.quantizer.kernel.vector;

import static org.cliffwatch.quantizer.kernel.vector.VectorMath.INFINITY;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.INTS;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.LANES;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.MAGNITUDE;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.ROUNDER;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.constant;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.load;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.toFloat16;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.scheme.Element;
import org.cliffwatch.quantizer.scheme.RowQuantizer;

/** {@link RowQuantizer} on vectors, to the bit. */
public final class VectorQuantizer {
  /**
   * 23 in the exponent of a float: a step times 2²³, added to a magnitude below that, rounds it to
   * a multiple of the step, half to even.
   */
  private static final int TWO_23 = 23 << 23;

  private VectorQuantizer() {}

  /**
   * Quantizes a row and widens it again, as {@link RowQuantizer#apply}.
   *
   * @param x row at {@code x[at .. at + n)}
   * @param out x̂ is written to {@code out[to .. to + n)}
   */
  public static void apply(RowQuantizer quantizer, float[] x, int at, int n, float[] out, int to) {
    if (!quantizer.symmetric()) {
      quantizer.apply(x, at, n, out, to);
      return;
    }
    RowQuantizer ofRow =
        quantizer.scaling() == RowQuantizer.Scaling.ROW_GLOBAL
            ? quantizer.ofRow(magnitude(x, at, n))
            : quantizer;
    int group = ofRow.group() == 0 ? n : ofRow.group();
    for (int from = 0; from < n; from += group) {
      int width = Math.min(group, n - from);
      float scale = ofRow.symmetricScale(magnitude(x, at + from, width));
      round(ofRow.element(), scale, x, at + from, width, scale, out, to + from);
    }
  }

  /**
   * The codes of {@link RowQuantizer#codes}, as floats.
   *
   * @param x row at {@code x[at .. at + n)}
   * @param codes written to {@code codes[0 .. n)}
   * @return the scale; NaN when a value is NaN or infinite, and then all codes are 0
   */
  static float codes(RowQuantizer quantizer, float[] x, int at, int n, float[] codes) {
    if (quantizer.hasOutliers()) {
      float max = magnitudeWithoutOutliers(quantizer, x, at, n);
      if (max > 0) {
        roundWithoutOutliers(quantizer, 127 / max, x, at, n, codes);
      } else {
        Arrays.fill(codes, 0, n, 0);
      }
      return max / 127;
    }
    float scale = quantizer.symmetricScale(magnitude(x, at, n));
    if (Float.isNaN(scale)) {
      Arrays.fill(codes, 0, n, 0);
    } else {
      round(quantizer.element(), scale, x, at, n, 1, codes, 0);
    }
    return scale;
  }

  /** max |x|; NaN where one is. */
  private static float magnitude(float[] x, int at, int n) {
    return Float.intBitsToFloat(RowPacker.maxMagnitude(x, at, n));
  }

  /** The element nearest to {@code x / scale}, times {@code unit}; that of x + 0 where it is 0. */
  private static void round(
      Element element, float scale, float[] x, int at, int n, float unit, float[] out, int to) {
    int low = Float.floatToRawIntBits(-element.low());
    int high = Float.floatToRawIntBits(element.high());
    int smallest = (element.smallestExponent() + 127) << 23;
    int largest = element.isFloat() ? INFINITY : smallest;
    int places = element.places() << 23;
    FloatVector s = constant(scale);
    int whole = scale > 0 ? n - n % LANES : 0; // else a quotient may be NaN, which as bits is large
    for (int i = 0; i < whole; i += LANES) {
      IntVector v = load(x, at + i).div(s).add(0f).reinterpretAsInts(); // -0 becomes 0
      IntVector negative = v.lanewise(VectorOperators.ASHR, 31);
      // Ends of the range are elements, so that it is the same to clamp before rounding.
      IntVector magnitude = v.and(MAGNITUDE).min(negative.and(low - high).add(high));
      IntVector step = magnitude.and(INFINITY).max(smallest).min(largest).sub(places);
      FloatVector rounder = step.add(TWO_23).reinterpretAsFloats();
      FloatVector rounded = magnitude.reinterpretAsFloats().add(rounder).sub(rounder);
      rounded
          .mul(unit)
          .reinterpretAsInts()
          .or(v.and(~MAGNITUDE))
          .reinterpretAsFloats()
          .intoArray(out, to + i);
    }
    for (int i = whole; i < n; i++) {
      out[to + i] = element.round(x[at + i] / scale + 0f) * unit;
    }
  }

  private static float magnitudeWithoutOutliers(RowQuantizer quantizer, float[] x, int at, int n) {
    int threshold = Float.floatToRawIntBits(quantizer.scale());
    int whole = n - n % LANES;
    IntVector max = IntVector.zero(INTS);
    for (int i = 0; i < whole; i += LANES) {
      IntVector magnitude = toFloat16(load(x, at + i)).reinterpretAsInts().and(MAGNITUDE);
      VectorMask<Integer> isOutlier =
          magnitude
              .compare(VectorOperators.GE, threshold)
              .and(magnitude.compare(VectorOperators.LE, INFINITY));
      max = max.max(magnitude.blend(0, isOutlier));
    }
    float least = Float.intBitsToFloat(max.reduceLanes(VectorOperators.MAX));
    for (int i = at + whole; i < at + n; i++) {
      if (!quantizer.isOutlier(x[i])) {
        least = Math.max(least, Math.abs(FloatType.FLOAT16.round(x[i])));
      }
    }
    return least;
  }

  private static void roundWithoutOutliers(
      RowQuantizer quantizer, float factor, float[] x, int at, int n, float[] codes) {
    int threshold = Float.floatToRawIntBits(quantizer.scale());
    int whole = n - n % LANES;
    for (int i = 0; i < whole; i += LANES) {
      FloatVector v = toFloat16(load(x, at + i));
      FloatVector code = v.mul(factor).add(ROUNDER).sub(ROUNDER);
      VectorMask<Integer> isOutlier =
          v.reinterpretAsInts().and(MAGNITUDE).compare(VectorOperators.GE, threshold);
      code.reinterpretAsInts().blend(0, isOutlier).reinterpretAsFloats().intoArray(codes, i);
    }
    for (int i = whole; i < n; i++) {
      codes[i] =
          quantizer.isOutlier(x[at + i])
              ? 0
              : (float) Math.rint(FloatType.FLOAT16.round(x[at + i]) * factor);
    }
  }
}
