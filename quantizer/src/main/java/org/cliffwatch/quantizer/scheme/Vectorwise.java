package org.cliffwatch.quantizer.scheme;

import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.WeightRows;

/**
 * Symmetric round-to-nearest with one scale a row: a weight's row is an output, an activation's row
 * is a token (Ahmadian et al. 2023, section 2, "vectorwise"; Dettmers et al. 2022, section 2).
 *
 * <p>{@code s = max|v| / levels} in float32, 1 where that is 0; {@code q = round_half_even(v / s)},
 * a division and not a product with 1/s, so that ties stay ties. Levels are 127 for 8 bits and 7
 * for 4.
 */
public final class Vectorwise implements Scheme {
  /** Codes of 8 bits lie in ±127; −128 is not used. */
  public static final int LEVELS_8_BIT = 127;

  /**
   * So many products of codes of 8 bits, −128 among them, have a sum within 2²⁴: float32 adds them
   * exactly.
   */
  public static final int FLOAT32_SUM = (1 << 24) / (128 * 128);

  @Override
  public String name() {
    return "vectorwise";
  }

  @Override
  public void check(Precision precision) {
    int width = precision.compute() == FloatType.FLOAT32 ? 32 : 16;
    boolean weightOnly =
        precision.activationBits() == width
            && (precision.weightBits() == 8 || precision.weightBits() == 4);
    boolean integer = precision.activationBits() == 8 && precision.weightBits() == 8;
    if (!weightOnly && !integer) {
      throw new InvalidInputException(
          ("precision %s: scheme vectorwise makes weight_bits 8 or 4 with activation_bits of the"
                  + " compute type's width, or weight_bits 8 with activation_bits 8; found %s, %s,"
                  + " %s")
              .formatted(
                  precision.name(),
                  precision.weightBits(),
                  precision.activationBits(),
                  Precisions.spelled(precision.compute())));
    }
    new Options(precision).requireNoOthers();
  }

  @Override
  public double bits(int columns, Precision precision) {
    return precision.weightBits() + (double) Float.SIZE / columns;
  }

  @Override
  public boolean multipliesIntegers(Precision precision) {
    return precision.activationBits() == Byte.SIZE;
  }

  @Override
  public LinearForm prepare(WeightRows weight, Precision precision) {
    QuantizedWeight quantized = quantize(weight, precision.weightBits());
    if (precision.activationBits() == 8) {
      return new LinearForm.IntegerProduct(quantized);
    }
    return precision.compute() == FloatType.FLOAT32
        ? new LinearForm.WeightOnly(quantized)
        : new LinearForm.Coded(CodedWeight.of(quantized), null, precision.compute());
  }

  static QuantizedWeight quantize(WeightRows weight, int bits) {
    return QuantizedWeight.of(
        weight,
        bits,
        (r, row, codes, at) -> {
          float scale = quantize(row, 0, row.length, levels(bits), codes, at);
          if (Float.isNaN(scale)) {
            throw Schemes.notFinite(weight, r, row);
          }
          return scale;
        });
  }

  /** The largest code of a symmetric grid of that many bits: 127 for 8, 7 for 4. */
  public static int levels(int bits) {
    return (1 << (bits - 1)) - 1;
  }

  /**
   * Quantizes one row.
   *
   * @param v row at {@code v[at .. at + n)}
   * @param codes written at {@code codes[to .. to + n)}, in ±{@code levels}
   * @return the scale; NaN when a value is NaN or infinite, and then all codes are 0, so that
   *     whatever is computed from the row is NaN and never a plausible number
   */
  public static float quantize(float[] v, int at, int n, int levels, byte[] codes, int to) {
    float scale = scale(Schemes.largestMagnitude(v, at, n), levels);
    for (int i = 0; i < n; i++) {
      codes[to + i] = Float.isNaN(scale) ? 0 : code(v[at + i], scale, levels);
    }
    return scale;
  }

  /** The scale of a row whose largest magnitude is {@code max}; NaN when that is not finite. */
  public static float scale(float max, int levels) {
    if (!Float.isFinite(max)) {
      return Float.NaN;
    }
    float scale = max / levels;
    return scale == 0 ? 1 : scale;
  }

  static byte code(float v, float scale, int levels) {
    // Only a subnormal scale, itself rounded, can lead beyond the levels.
    return (byte) Math.max(-levels, Math.min(levels, Math.rint(v / scale)));
  }
}
