package org.cliffwatch.quantizer.kernel;

/** The floating-point types operations can be rounded to. */
public enum FloatType {
  FLOAT32 {
    @Override
    public float round(float x) {
      return x;
    }

    @Override
    public float ulp(float x) {
      return Math.ulp(x);
    }
  },
  BFLOAT16 {
    @Override
    public float round(float x) {
      if (Float.isNaN(x)) {
        return x;
      }
      int bits = Float.floatToRawIntBits(x);
      int halfToEven = 0x7fff + ((bits >>> 16) & 1);
      return Float.intBitsToFloat((bits + halfToEven) & 0xffff0000);
    }

    @Override
    public float ulp(float x) {
      return 0x1p16f * Math.ulp(x);
    }
  },
  /** Magnitudes from 65520 on become infinite. */
  FLOAT16 {
    @Override
    public float round(float x) {
      float magnitude = Math.abs(x);
      if (Float.isNaN(x)) {
        return x;
      }
      if (magnitude >= 65520) {
        return Math.copySign(Float.POSITIVE_INFINITY, x);
      }
      if (magnitude < 0x1p-14f) { // subnormal: multiples of 2^-24
        return Math.copySign((magnitude + 0.5f) - 0.5f, x);
      }
      int bits = Float.floatToRawIntBits(x);
      int halfToEven = 0xfff + ((bits >>> 13) & 1);
      return Float.intBitsToFloat((bits + halfToEven) & 0xffffe000);
    }

    @Override
    public float ulp(float x) {
      return Math.max(0x1p13f * Math.ulp(x), 0x1p-24f);
    }
  };

  /** The nearest value of this type, half to even; NaN stays NaN. */
  public abstract float round(float x);

  /** A copy, every value {@link #round rounded}. */
  public float[] rounded(float[] values) {
    float[] rounded = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      rounded[i] = round(values[i]);
    }
    return rounded;
  }

  /** The distance from a finite value of this type to the next one of larger magnitude. */
  public abstract float ulp(float x);
}
