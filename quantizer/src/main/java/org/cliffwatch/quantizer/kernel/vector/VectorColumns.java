package org.cliffwatch.quantizer.kernel.vector;

import static org.cliffwatch.quantizer.kernel.vector.VectorMath.INTS;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.LANES;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.PARTS;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.constant;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.load;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import org.cliffwatch.quantizer.kernel.OutlierLinear;
import org.cliffwatch.quantizer.scheme.QuantizedWeight;

/**
 * {@link OutlierLinear.Columns} on vectors. A column's codes lie together, in the order of {@link
 * RowPacker#place}, so that no lane moves when they are unpacked.
 */
public final class VectorColumns implements OutlierLinear.Columns {
  /** Codes are kept as numbers from 0: with 2²³ above them they are the low bits of a float. */
  private static final int BIAS = 128;

  private static final float TWO_23 = 0x1p23f;
  private static final int TWO_23_BITS = Float.floatToRawIntBits(TWO_23);

  private final ByteBuffer codes;
  private final float[] scales;

  public VectorColumns(QuantizedWeight weight) {
    int width = RowPacker.width(weight.rows(), Byte.SIZE);
    scales = Arrays.copyOf(weight.scales(), width);
    codes = ByteBuffer.allocateDirect(Math.multiplyExact(width, weight.columns()));
    for (int o = 0; o < weight.rows(); o++) {
      int place = RowPacker.place(o, Byte.SIZE);
      for (int c = 0; c < weight.columns(); c++) {
        codes.put(c * width + place, (byte) (weight.codes()[o * weight.columns() + c] + BIAS));
      }
    }
  }

  @Override
  public int width() {
    return scales.length;
  }

  @Override
  public void add(int column, float input, float[] sums) {
    int from = column * scales.length;
    FloatVector x = constant(input);
    for (int group = 0; group < scales.length; group += Integer.BYTES * PARTS) {
      for (int part = 0; part < PARTS; part += LANES) {
        IntVector four =
            IntVector.fromByteBuffer(
                INTS, codes, from + group + Integer.BYTES * part, ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < Integer.BYTES; i++) {
          int o = group + i * PARTS + part;
          FloatVector code =
              four.lanewise(VectorOperators.LSHR, Byte.SIZE * i)
                  .and(0xff)
                  .or(TWO_23_BITS)
                  .reinterpretAsFloats()
                  .sub(TWO_23 + BIAS);
          load(sums, o).add(x.mul(code.mul(load(scales, o)))).intoArray(sums, o);
        }
      }
    }
  }

  @Override
  public long bytes() {
    return codes.capacity();
  }
}
