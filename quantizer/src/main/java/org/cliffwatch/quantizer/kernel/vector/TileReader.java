package org.cliffwatch.quantizer.kernel.vector;

import static org.cliffwatch.quantizer.kernel.vector.VectorMath.LANES;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.constant;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.load;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;

/** Finishes a row of a product's float32 output on its way into a Java array. */
public final class TileReader {
  private static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;

  private TileReader() {}

  /**
   * acc[i] = Σ_s acc[s · n + i] rounded once, for i < n: sums of integers of magnitude up to 2²⁴
   * each, below 2³¹ together. What an addition of floats rounds off is exact and is kept beside the
   * sum (Knuth's TwoSum).
   *
   * @param acc float32 values at byte {@code from}
   * @param slices 1: nothing to do
   */
  public static void joinSlices(ByteBuffer acc, int from, int n, int slices) {
    if (slices == 1) {
      return;
    }
    int whole = n - n % LANES;
    for (int i = 0; i < whole; i += LANES) {
      FloatVector sum = load(acc, from + Float.BYTES * i);
      FloatVector rest = constant(0);
      for (int s = 1; s < slices; s++) {
        FloatVector next = load(acc, from + Float.BYTES * (s * n + i));
        FloatVector joined = sum.add(next);
        FloatVector added = joined.sub(sum);
        rest = rest.add(sum.sub(joined.sub(added))).add(next.sub(added));
        sum = joined;
      }
      sum.add(rest).intoByteBuffer(acc, from + Float.BYTES * i, ORDER);
    }
    for (int i = whole; i < n; i++) {
      int sum = 0;
      for (int s = 0; s < slices; s++) {
        sum += (int) acc.getFloat(from + Float.BYTES * (s * n + i));
      }
      acc.putFloat(from + Float.BYTES * i, sum);
    }
  }

  /**
   * y[to + i] = acc[i] · inputScale · weightScales[i] + bias[i], each operation rounded, for i < n.
   *
   * @param acc float32 values at byte {@code from}
   * @param bias (n) or null
   */
  public static void dequantize(
      ByteBuffer acc,
      int from,
      int n,
      float inputScale,
      float[] weightScales,
      float[] bias,
      float[] y,
      int to) {
    int whole = n - n % LANES;
    FloatVector scale = constant(inputScale);
    if (bias == null) {
      for (int i = 0; i < whole; i += LANES) {
        load(acc, from + Float.BYTES * i)
            .mul(scale)
            .mul(load(weightScales, i))
            .intoArray(y, to + i);
      }
    } else {
      for (int i = 0; i < whole; i += LANES) {
        FloatVector product =
            load(acc, from + Float.BYTES * i).mul(scale).mul(load(weightScales, i));
        product.add(load(bias, i)).intoArray(y, to + i);
      }
    }
    for (int i = whole; i < n; i++) {
      float product = acc.getFloat(from + Float.BYTES * i) * inputScale * weightScales[i];
      y[to + i] = bias == null ? product : product + bias[i];
    }
  }

  /**
   * y[to + i] = product[i] + bias[i] for i < n.
   *
   * @param bias (n) or null
   */
  public static void addBias(ByteBuffer product, int from, int n, float[] bias, float[] y, int to) {
    int whole = n - n % LANES;
    if (bias == null) {
      for (int i = 0; i < whole; i += LANES) {
        load(product, from + Float.BYTES * i).intoArray(y, to + i);
      }
    } else {
      for (int i = 0; i < whole; i += LANES) {
        load(product, from + Float.BYTES * i).add(load(bias, i)).intoArray(y, to + i);
      }
    }
    for (int i = whole; i < n; i++) {
      float value = product.getFloat(from + Float.BYTES * i);
      y[to + i] = bias == null ? value : value + bias[i];
    }
  }
}
