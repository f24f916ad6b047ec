package org.cliffwatch.quantizer.kernel.vector;

import static org.cliffwatch.quantizer.kernel.vector.VectorMath.INFINITY;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.LANES;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.MAGNITUDE;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.PARTS;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.ROUNDER;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.constant;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.load;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.lowByte;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import org.cliffwatch.quantizer.scheme.RowQuantizer;
import org.cliffwatch.quantizer.scheme.Vectorwise;

/**
 * Writes rows of float32 as a product's narrower input, in one pass and without shuffling lanes:
 * {@code 32 / bits} vectors are laid into the low to high parts of one vector of ints. Columns
 * therefore come out in another order, within groups of {@link #group}; {@link #place} says which,
 * and weights are packed in the same order. The order is one for all processors, whatever the width
 * of their vectors: a sum that rounds depends on it.
 */
public final class RowPacker {
  private static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;

  /** Bits of 127 times the smallest normal float: below it the scale is subnormal. */
  private static final int SMALL = Float.floatToRawIntBits(127 * Float.MIN_NORMAL);

  private RowPacker() {}

  /** Columns whose order is mixed, for values of 8 or 16 bits. */
  public static int group(int bits) {
    return 32 / bits * PARTS;
  }

  /** Width of a packed row: {@code n} rounded up to whole groups. */
  public static int width(int n, int bits) {
    int group = group(bits);
    return (n + group - 1) / group * group;
  }

  /** Where column {@code c} of a row stands in the packed row. */
  public static int place(int c, int bits) {
    int group = group(bits);
    int within = c % group;
    return c - within + within % PARTS * (32 / bits) + within / PARTS;
  }

  /**
   * Quantizes a row as {@link Vectorwise#quantize} does, with 127 levels.
   *
   * @param x row at {@code x[at .. at + n)}
   * @param codes direct or not; bytes {@code [to .. to + width(n, 8))} are overwritten, padding
   *     with 0
   * @return the scale; NaN when a value is NaN or infinite, and then all codes are 0
   */
  public static float quantize(float[] x, int at, int n, ByteBuffer codes, int to) {
    int whole = n - n % group(8);
    int max = maxMagnitude(x, at, n);
    if (max >= INFINITY || max < SMALL) {
      return quantizeOneByOne(x, at, n, codes, to);
    }
    float scale = Vectorwise.scale(Float.intBitsToFloat(max), Vectorwise.LEVELS_8_BIT);
    quantizeGroups(x, at, whole, scale, codes, to);
    if (whole < n) {
      float[] last = new float[group(8)];
      System.arraycopy(x, at + whole, last, 0, n - whole);
      quantizeGroups(last, 0, last.length, scale, codes, to + whole);
    }
    return scale;
  }

  private static void quantizeGroups(
      float[] x, int at, int n, float scale, ByteBuffer codes, int to) {
    FloatVector s = constant(scale);
    for (int group = 0; group < n; group += 4 * PARTS) {
      for (int part = 0; part < PARTS; part += LANES) {
        int i = at + group + part;
        IntVector a = lowByte(load(x, i).div(s)).and(0xff);
        IntVector b =
            lowByte(load(x, i + PARTS).div(s)).and(0xff).lanewise(VectorOperators.LSHL, 8);
        IntVector c =
            lowByte(load(x, i + 2 * PARTS).div(s)).and(0xff).lanewise(VectorOperators.LSHL, 16);
        IntVector d = lowByte(load(x, i + 3 * PARTS).div(s)).lanewise(VectorOperators.LSHL, 24);
        a.or(b).or(c.or(d)).intoByteBuffer(codes, to + group + 4 * part, ORDER);
      }
    }
  }

  /**
   * Quantizes a row as {@link #quantize} does, codes as float32 and in the order of the columns.
   *
   * @param codes floats from byte {@code to} on, {@code width} of them, are overwritten, those
   *     beyond {@code n} with 0
   * @return the scale; NaN when a value is NaN or infinite, and then all codes are 0
   */
  public static float quantizeToFloat32(
      float[] x, int at, int n, ByteBuffer codes, int to, int width) {
    int max = maxMagnitude(x, at, n);
    int done = 0;
    float scale;
    if (max >= INFINITY || max < SMALL) {
      byte[] row = new byte[n];
      scale = Vectorwise.quantize(x, at, n, Vectorwise.LEVELS_8_BIT, row, 0);
      for (; done < n; done++) {
        codes.putFloat(to + Float.BYTES * done, row[done]);
      }
    } else {
      scale = Vectorwise.scale(Float.intBitsToFloat(max), Vectorwise.LEVELS_8_BIT);
      FloatVector s = constant(scale);
      for (; done <= n - LANES; done += LANES) {
        FloatVector code = load(x, at + done).div(s).add(ROUNDER).sub(ROUNDER);
        code.intoByteBuffer(codes, to + Float.BYTES * done, ORDER);
      }
      for (; done < n; done++) {
        codes.putFloat(to + Float.BYTES * done, x[at + done] / scale + ROUNDER - ROUNDER);
      }
    }
    for (; done < width; done++) {
      codes.putFloat(to + Float.BYTES * done, 0);
    }
    return scale;
  }

  /** As {@link #quantize(float[], int, int, ByteBuffer, int)}, as a quantizer has it done. */
  public static float quantize(
      RowQuantizer quantizer, float[] x, int at, int n, ByteBuffer codes, int to) {
    float[] row = new float[width(n, 8)];
    float scale = VectorQuantizer.codes(quantizer, x, at, n, row);
    quantizeGroups(row, 0, row.length, 1, codes, to);
    return scale;
  }

  /**
   * As {@link #quantizeToFloat32(float[], int, int, ByteBuffer, int, int)}, as a quantizer has it
   * done.
   */
  public static float quantizeToFloat32(
      RowQuantizer quantizer, float[] x, int at, int n, ByteBuffer codes, int to, int width) {
    float[] row = new float[width];
    float scale = VectorQuantizer.codes(quantizer, x, at, n, row);
    float32(row, 0, width, codes, to);
    return scale;
  }

  /** The bits of max |x|: as ints, magnitudes of floats keep their order, NaN above infinity. */
  static int maxMagnitude(float[] x, int at, int n) {
    int whole = n - n % (2 * LANES);
    IntVector a = IntVector.zero(VectorMath.INTS);
    IntVector b = a;
    for (int i = 0; i < whole; i += 2 * LANES) {
      a = a.max(load(x, at + i).reinterpretAsInts().and(MAGNITUDE));
      b = b.max(load(x, at + i + LANES).reinterpretAsInts().and(MAGNITUDE));
    }
    if (whole <= n - LANES) {
      a = a.max(load(x, at + whole).reinterpretAsInts().and(MAGNITUDE));
      whole += LANES;
    }
    int max = a.max(b).reduceLanes(VectorOperators.MAX);
    for (int i = whole; i < n; i++) {
      max = Math.max(max, Float.floatToRawIntBits(x[at + i]) & MAGNITUDE);
    }
    return max;
  }

  /** Rows of zeros, of subnormal scale, or not finite. */
  private static float quantizeOneByOne(float[] x, int at, int n, ByteBuffer codes, int to) {
    byte[] row = new byte[width(n, 8)];
    float scale = Vectorwise.quantize(x, at, n, Vectorwise.LEVELS_8_BIT, row, 0);
    place(row, codes, to);
    return scale;
  }

  private static void place(byte[] row, ByteBuffer codes, int to) {
    for (int c = 0; c < row.length; c++) {
      codes.put(to + place(c, 8), row[c]);
    }
  }

  /**
   * Rounds a row to bfloat16.
   *
   * @param x row at {@code x[at .. at + n)}
   * @param out bytes {@code [to .. to + 2 · width(n, 16))} are overwritten, padding with 0
   */
  public static void bfloat16(float[] x, int at, int n, ByteBuffer out, int to) {
    int whole = n - n % group(16);
    bfloat16Groups(x, at, whole, out, to);
    if (whole < n) {
      float[] last = Arrays.copyOf(Arrays.copyOfRange(x, at + whole, at + n), group(16));
      bfloat16Groups(last, 0, last.length, out, to + 2 * whole);
    }
  }

  private static void bfloat16Groups(float[] x, int at, int n, ByteBuffer out, int to) {
    for (int group = 0; group < n; group += 2 * PARTS) {
      for (int part = 0; part < PARTS; part += LANES) {
        int i = at + group + part;
        IntVector low = VectorMath.toBfloat16(load(x, i)).reinterpretAsInts();
        IntVector high = VectorMath.toBfloat16(load(x, i + PARTS)).reinterpretAsInts();
        low.lanewise(VectorOperators.LSHR, 16)
            .or(high)
            .intoByteBuffer(out, to + 2 * group + 4 * part, ORDER);
      }
    }
  }

  /** Quantizes a row and widens it again as {@link RowQuantizer#apply} does. */
  public static void quantizeAndWiden(
      RowQuantizer quantizer, float[] x, int at, int n, ByteBuffer out, int to) {
    float[] row = new float[n];
    VectorQuantizer.apply(quantizer, x, at, n, row, 0);
    float32(row, 0, n, out, to);
  }

  /** Copies a row as it is. */
  public static void float32(float[] x, int at, int n, ByteBuffer out, int to) {
    int whole = n - n % LANES;
    for (int i = 0; i < whole; i += LANES) {
      load(x, at + i).intoByteBuffer(out, to + Float.BYTES * i, ORDER);
    }
    for (int i = whole; i < n; i++) {
      out.putFloat(to + Float.BYTES * i, x[at + i]);
    }
  }
}
