package org.cliffwatch.quantizer.scheme;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.cliffwatch.quantizer.kernel.WeightRows;

/**
 * bitsandbytes' 4-bit weights ({@code functional.py}, {@code quantize_4bit}; Dettmers et al. 2023,
 * QLoRA, section 3): blocks of consecutive weights in row-major order, across the ends of rows,
 * divided by their largest magnitude and rounded to the nearest of 16 numbers, ties to the lower.
 * Inputs as they are.
 *
 * <p>Options: {@code quant_type}, nf4 or fp4, as transformers by default fp4; {@code block}, 64 by
 * default; {@code double_quant}, false by default: magnitudes, less their mean, in blocks of 256 as
 * 8-bit codes.
 */
final class BnbFourBit implements Scheme {
  private static final int BITS = 4;

  /** Magnitudes that share a scale when they are quantized again. */
  private static final int NESTED_BLOCK = 256;

  private static final float SMALLEST = 1e-38f;

  /** Quantiles of a normal distribution: QLoRA, appendix E. */
  private static final float[] NF4 = {
    -1.0f,
    -0.6961928009986877f,
    -0.5250730514526367f,
    -0.39491748809814453f,
    -0.28444138169288635f,
    -0.18477343022823334f,
    -0.09105003625154495f,
    0.0f,
    0.07958029955625534f,
    0.16093020141124725f,
    0.24611230194568634f,
    0.33791524171829224f,
    0.44070982933044434f,
    0.5626170039176941f,
    0.7229568362236023f,
    1.0f
  };

  /** Of bitsandbytes' own FP4, by their values: one exponent less than e2m1 below 1/6. */
  private static final float[] FP4 = {
    -1, -2 / 3f, -1 / 2f, -1 / 3f, -1 / 4f, -1 / 6f, -1 / 192f, 0, 1 / 192f, 1 / 6f, 1 / 4f, 1 / 3f,
    1 / 2f, 2 / 3f, 1
  };

  private static final float[] DYNAMIC = dynamic();

  private enum Type {
    NF4,
    FP4
  }

  private record Recipe(float[] values, int block, boolean nested) {
    static Recipe of(Precision precision) {
      Options options = new Options(precision);
      options.weights(bits -> bits == BITS, "4").inputsAsTheyAre();
      Type type = options.choice("quant_type", Type.FP4, Type.values());
      int block = options.integer("block", 64, n -> n > 0, "above 0");
      boolean nested = options.flag("double_quant", false);
      options.requireNoOthers();
      return new Recipe(type == Type.NF4 ? NF4 : FP4, block, nested);
    }
  }

  @Override
  public String name() {
    return "bnb-4bit";
  }

  @Override
  public void check(Precision precision) {
    Recipe.of(precision);
  }

  @Override
  public LinearForm prepare(WeightRows weight, Precision precision) {
    Recipe recipe = Recipe.of(precision);
    int size = recipe.block();
    Blocks blocks = Blocks.flat(weight.rows(), weight.columns(), size);
    float[] middles = middles(recipe.values());
    CodedWeight coded =
        CodedWeight.quantized(
            weight,
            blocks,
            size,
            recipe.values(),
            (v, n, codes) -> quantize(v, n, size, middles, codes));
    return new LinearForm.Coded(
        recipe.nested() ? coded.rescaled(BnbFourBit::doubled) : coded, null, precision.compute());
  }

  @Override
  public double bits(int columns, Precision precision) {
    Recipe recipe = Recipe.of(precision);
    double scale = recipe.nested() ? Byte.SIZE + (double) Float.SIZE / NESTED_BLOCK : Float.SIZE;
    return BITS + scale / recipe.block();
  }

  /** A block that is not whole is divided, others are multiplied by the reciprocal. */
  private static RowQuantizer.Grid quantize(
      float[] v, int n, int size, float[] middles, byte[] codes) {
    float max = Schemes.largestMagnitude(v, 0, n);
    float divisor = Math.max(max, SMALLEST);
    float reciprocal = 1 / divisor;
    for (int i = 0; i < n; i++) {
      float scaled = n == size ? v[i] * reciprocal : v[i] / divisor;
      codes[i] = (byte) nearest(middles, Math.max(-1, Math.min(1, scaled)));
    }
    return new RowQuantizer.Grid(n == size ? max : divisor, 0);
  }

  /** Of ascending numbers, what lies halfway between neighbours. */
  private static float[] middles(float[] values) {
    float[] middles = new float[values.length - 1];
    for (int i = 0; i < middles.length; i++) {
      middles[i] = (values[i] + values[i + 1]) / 2;
    }
    return middles;
  }

  private static int nearest(float[] middles, float v) {
    int from = 0;
    int to = middles.length;
    while (from < to) {
      int middle = (from + to) / 2;
      if (v > middles[middle]) {
        from = middle + 1;
      } else {
        to = middle;
      }
    }
    return from;
  }

  /** Magnitudes after they were quantized themselves. */
  static float[] doubled(float[] magnitudes) {
    double sum = IntStream.range(0, magnitudes.length).mapToDouble(b -> magnitudes[b]).sum();
    float mean = (float) (sum / magnitudes.length);
    float[] middles = middles(DYNAMIC);
    float[] result = new float[magnitudes.length];
    for (int b = 0; b < result.length; b++) {
      result[b] = magnitudes[b] - mean;
    }
    for (int first = 0; first < result.length; first += NESTED_BLOCK) {
      int n = Math.min(NESTED_BLOCK, result.length - first);
      float max = Schemes.largestMagnitude(result, first, n);
      float reciprocal = 1 / Math.max(max, SMALLEST);
      for (int b = first; b < first + n; b++) {
        result[b] = DYNAMIC[nearest(middles, result[b] * reciprocal)] * max + mean;
      }
    }
    return result;
  }

  /**
   * Tim Dettmers' dynamic data type of 8 bits with a sign ({@code create_dynamic_map}), ascending:
   * the middles of 2^e equal parts of 0.1 to 1, times 10^(e − 6), for e from 0 to 6; 0 and 1.
   */
  static float[] dynamic() {
    float[] values = new float[256];
    int n = 0;
    for (int e = 0; e < 7; e++) {
      int parts = 1 << e;
      float power = (float) Math.pow(10, e - 6);
      for (int p = 0; p < parts; p++) {
        float value = power * ((bound(p, parts) + bound(p + 1, parts)) / 2);
        values[n++] = value;
        values[n++] = -value;
      }
    }
    values[n] = 1;
    Arrays.sort(values);
    return values;
  }

  /** As {@code torch.linspace} has it: from either end to the middle. */
  private static float bound(int part, int parts) {
    float step = (1 - 0.1f) / parts;
    return part < (parts + 1) / 2 ? Math.fma(step, part, 0.1f) : Math.fma(-step, parts - part, 1);
  }
}
