package org.cliffwatch.quantizer.kernel.vector;

import static org.cliffwatch.quantizer.kernel.vector.VectorMath.LANES;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.load;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.toBfloat16;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.toFloat16;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.cliffwatch.quantizer.kernel.FloatType;

/** {@link FloatType#round} on vectors. */
public final class VectorRounding {
  private static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;

  private VectorRounding() {}

  /** Rounds {@code x[at .. at + n)} to the type, half to even. */
  public static void round(FloatType type, float[] x, int at, int n) {
    int whole = n - n % LANES;
    switch (type) {
      case FLOAT32 -> {
        return;
      }
      case BFLOAT16 -> toBfloat16s(x, at, at + whole);
      case FLOAT16 -> toFloat16s(x, at, at + whole);
    }
    for (int i = at + whole; i < at + n; i++) {
      x[i] = type.round(x[i]);
    }
  }

  private static void toBfloat16s(float[] x, int from, int to) {
    for (int i = from; i < to; i += LANES) {
      toBfloat16(load(x, i)).intoArray(x, i);
    }
  }

  private static void toFloat16s(float[] x, int from, int to) {
    for (int i = from; i < to; i += LANES) {
      toFloat16(load(x, i)).intoArray(x, i);
    }
  }

  /**
   * Rounds {@code n} floats from byte {@code at} on, as {@link #round(FloatType, float[], int,
   * int)}.
   */
  static void round(FloatType type, ByteBuffer x, int at, int n) {
    int end = at + Float.BYTES * n;
    int whole = at + Float.BYTES * (n - n % LANES);
    switch (type) {
      case FLOAT32 -> {
        return;
      }
      case BFLOAT16 -> toBfloat16s(x, at, whole);
      case FLOAT16 -> toFloat16s(x, at, whole);
    }
    for (int i = whole; i < end; i += Float.BYTES) {
      x.putFloat(i, type.round(x.getFloat(i)));
    }
  }

  private static void toBfloat16s(ByteBuffer x, int from, int to) {
    for (int i = from; i < to; i += Float.BYTES * LANES) {
      toBfloat16(load(x, i)).intoByteBuffer(x, i, ORDER);
    }
  }

  private static void toFloat16s(ByteBuffer x, int from, int to) {
    for (int i = from; i < to; i += Float.BYTES * LANES) {
      toFloat16(load(x, i)).intoByteBuffer(x, i, ORDER);
    }
  }
}
