package org.cliffwatch.quantizer.kernel.vector;

import static org.cliffwatch.quantizer.kernel.vector.VectorMath.INTS;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.LANES;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.load;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import org.cliffwatch.quantizer.scheme.Blocks;
import org.cliffwatch.quantizer.scheme.CodedWeight;

/** Rows of a {@link CodedWeight} as its own {@link CodedWeight#row} has them, to the bit. */
public final class CodeUnpacker {
  private static final int WORDS = CodedWeight.WORDS;

  private static final float TWO_23 = 0x1p23f;

  /** With an integer below 2²³ in the low bits they are those of the sum. */
  private static final int TWO_23_BITS = Float.floatToRawIntBits(TWO_23);

  private CodeUnpacker() {}

  /** Floats that {@link #row} writes: columns rounded up. */
  public static int width(int columns) {
    return Blocks.parts(columns, WORDS) * WORDS;
  }

  /**
   * Writes row {@code r}.
   *
   * @param out of {@link #width}; what is beyond the columns is undefined
   */
  public static void row(CodedWeight weight, int r, float[] out) {
    float smallest = weight.smallest();
    if (Float.isNaN(smallest)) {
      weight.values(r, out);
    } else {
      int first = r * weight.rowBytes();
      int width = width(weight.columns());
      integers(weight.words(), first, weight.bits(), TWO_23 - smallest, out, width);
    }
    int row = weight.scaleRow(r);
    Blocks blocks = weight.blocks();
    for (int c = 0; c < weight.columns(); ) {
      int block = blocks.index(row, c);
      int end = blocks.end(row, c);
      scale(out, c, end, weight.zero(block), weight.scale(block));
      c = end;
    }
  }

  private static void integers(
      ByteBuffer words, int first, int bits, float base, float[] out, int width) {
    int mask = (1 << bits) - 1;
    int from = first;
    for (int c = 0; c < width; from += Integer.BYTES * WORDS) {
      for (int shift = 0; shift < Integer.SIZE && c < width; shift += bits, c += WORDS) {
        for (int w = 0; w < WORDS; w += LANES) {
          IntVector.fromByteBuffer(INTS, words, from + Integer.BYTES * w, ByteOrder.LITTLE_ENDIAN)
              .lanewise(VectorOperators.LSHR, shift)
              .and(mask)
              .or(TWO_23_BITS)
              .reinterpretAsFloats()
              .sub(base)
              .intoArray(out, c + w);
        }
      }
    }
  }

  private static void scale(float[] x, int from, int to, float zero, float scale) {
    int whole = to - (to - from) % LANES;
    for (int c = from; c < whole; c += LANES) {
      load(x, c).sub(zero).mul(scale).intoArray(x, c);
    }
    for (int c = whole; c < to; c++) {
      x[c] = (x[c] - zero) * scale;
    }
  }
}
