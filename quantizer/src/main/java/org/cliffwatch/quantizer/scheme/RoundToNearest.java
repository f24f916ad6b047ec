package org.cliffwatch.quantizer.scheme;

import org.cliffwatch.quantizer.kernel.WeightRows;

/**
 * Weights rounded to integers of 2 to 8 bits, with a scale, and perhaps a zero point, for every
 * group of a row's columns; inputs as they are. There are as many grids called "4 bits" as there
 * are libraries: {@code grid} says whose.
 *
 * <p>Options: {@code group}, columns of a group, 128 by default, the last one of a row shorter
 * where they do not divide it, −1 for a whole row; {@code symmetric}, true by default; {@code
 * grid}.
 */
final class RoundToNearest implements Scheme {
  private static final int WHOLE_ROW = -1;

  /** 1.5 · 2²³: floats within 2²² of it are integers, and all of them. */
  private static final float INTEGERS = 0x1.8p23f;

  /**
   * How a group's range becomes a scale s and a zero point z, and its elements codes; m and M are
   * the group's least and largest element, Q = 2^bits − 1, low = −2^(bits − 1).
   */
  enum Grid {
    /**
     * compressed-tensors 0.20, {@code quantization/utils/helpers.py}: s = max|w| / (Q / 2) or (M −
     * m) / Q, m and M including 0, and 2⁻²³ for 0; z = rint(low − m / s); q = rint(w / s + z).
     */
    COMPRESSED_TENSORS,
    /**
     * torchao 0.18, {@code quantization/quant_primitives.py}, SYMMETRIC and ASYMMETRIC: scales as
     * there, 2⁻¹²⁶ at least; q = rint(w · (1 / s)) + z, a product with the reciprocal.
     */
    TORCHAO,
    /** torchao's SYMMETRIC_NO_CLIPPING_ERR: s = max(−m / 2^(bits − 1), M / (2^(bits − 1) − 1)). */
    TORCHAO_NO_CLIPPING,
    /**
     * llm-awq, {@code awq/quantize/quantizer.py}: m and M need not include 0; s = max(M − m, 10⁻⁵)
     * / Q, z = −rint(m / s), q = rint(w / s) + z.
     */
    AWQ,
    /**
     * IST-DASLab/gptq, {@code quant.py}: m and M including 0, ±1 where s would be 0; symmetric ones
     * mirrored only where some element is negative, z = 2^(bits − 1); s = (M − m) / Q, q = rint(w /
     * s) + z.
     */
    GPTQ
  }

  /**
   * @param group columns, or −1
   */
  record Recipe(int bits, int group, boolean symmetric, Grid grid) {
    /** llm-awq's, with zero points. */
    static Recipe awq(int bits, int group) {
      return new Recipe(bits, group, false, Grid.AWQ);
    }

    static Recipe of(Precision precision) {
      Options options = new Options(precision);
      options.weights(bits -> bits >= 2 && bits <= 8, "2 to 8").inputsAsTheyAre();
      int group = groupOf(options);
      boolean symmetric = options.flag("symmetric", true);
      Grid grid =
          symmetric
              ? options.choice(
                  "grid",
                  Grid.COMPRESSED_TENSORS,
                  Grid.COMPRESSED_TENSORS,
                  Grid.TORCHAO,
                  Grid.TORCHAO_NO_CLIPPING,
                  Grid.GPTQ)
              : options.choice(
                  "grid",
                  Grid.COMPRESSED_TENSORS,
                  Grid.COMPRESSED_TENSORS,
                  Grid.TORCHAO,
                  Grid.AWQ,
                  Grid.GPTQ);
      options.requireNoOthers();
      return new Recipe(precision.weightBits(), group, symmetric, grid);
    }

    /** The option {@code group}. */
    static int groupOf(Options options) {
      return options.integer(
          "group", 128, n -> n > 0 || n == WHOLE_ROW, "above 0, or -1 for a row");
    }

    int group(int columns) {
      return group == WHOLE_ROW ? columns : Math.min(group, columns);
    }

    /** What code 0 stands for. */
    int low() {
      boolean unsigned =
          grid == Grid.AWQ || grid == Grid.GPTQ || (grid == Grid.TORCHAO && !symmetric);
      return unsigned ? 0 : -(1 << (bits - 1));
    }

    double bits(int columns) {
      return RoundToNearest.bits(bits, symmetric, group(columns));
    }
  }

  /** Bits that a weight takes, its share of its group's scale and zero point included. */
  static double bits(int bits, boolean symmetric, int group) {
    int each = symmetric ? Float.SIZE : Float.SIZE + bits;
    return bits + (double) each / group;
  }

  @Override
  public String name() {
    return "rtn";
  }

  @Override
  public void check(Precision precision) {
    Recipe.of(precision);
  }

  @Override
  public LinearForm prepare(WeightRows weight, Precision precision) {
    return new LinearForm.Coded(quantize(weight, Recipe.of(precision)), null, precision.compute());
  }

  @Override
  public double bits(int columns, Precision precision) {
    return Recipe.of(precision).bits(columns);
  }

  static CodedWeight quantize(WeightRows weight, Recipe recipe) {
    int size = recipe.group(weight.columns());
    float low = recipe.low();
    float[] q = new float[size];
    return CodedWeight.quantized(
        weight,
        new Blocks.Grid(weight.rows(), weight.columns(), 1, size),
        size,
        CodedWeight.integers(recipe.bits(), recipe.low()),
        (v, n, codes) -> {
          RowQuantizer.Grid grid = round(recipe, v, n, q);
          for (int i = 0; i < n; i++) {
            codes[i] = (byte) (int) (q[i] - low);
          }
          return grid;
        });
  }

  /** The grid of {@link Grid#GPTQ} of {@code v[0 .. n)}. */
  static RowQuantizer.Grid gptqGrid(int bits, boolean symmetric, float[] v, int n) {
    return grid(new Recipe(bits, n, symmetric, Grid.GPTQ), v, n);
  }

  /**
   * Quantizes a group and widens it again.
   *
   * @param v at {@code v[0 .. n)}, all finite
   * @param out written at {@code out[0 .. n)}; may be {@code v}
   */
  static void widened(Recipe recipe, float[] v, int n, float[] out) {
    RowQuantizer.Grid grid = round(recipe, v, n, out);
    float scale = grid.scale();
    float zero = grid.zero();
    for (int i = 0; i < n; i++) {
      out[i] = (out[i] - zero) * scale;
    }
  }

  /**
   * A group's codes, as the integers that they stand for.
   *
   * @param q written at {@code q[0 .. n)}; may be {@code v}
   */
  private static RowQuantizer.Grid round(Recipe recipe, float[] v, int n, float[] q) {
    RowQuantizer.Grid grid = grid(recipe, v, n);
    float scale = grid.scale();
    float zero = grid.zero();
    switch (recipe.grid()) {
      case COMPRESSED_TENSORS -> {
        for (int i = 0; i < n; i++) {
          q[i] = rounded(v[i] / scale + zero);
        }
        zero = 0;
      }
      case TORCHAO, TORCHAO_NO_CLIPPING -> {
        float reciprocal = 1 / scale;
        for (int i = 0; i < n; i++) {
          q[i] = rounded(v[i] * reciprocal);
        }
      }
      case AWQ, GPTQ -> {
        for (int i = 0; i < n; i++) {
          q[i] = rounded(v[i] / scale);
        }
      }
    }
    float low = recipe.low();
    float high = low + (1 << recipe.bits()) - 1;
    for (int i = 0; i < n; i++) {
      q[i] = Math.max(low, Math.min(high, q[i] + zero));
    }
    return grid;
  }

  /**
   * The nearest integer, half to even, of magnitudes to 2²²; larger ones stay larger than any code.
   * Additions are compiled to vectors, {@link Math#rint} of floats is not.
   */
  private static float rounded(float v) {
    return v + INTEGERS - INTEGERS;
  }

  private static RowQuantizer.Grid grid(Recipe recipe, float[] v, int n) {
    float min = v[0];
    float max = v[0];
    for (int i = 1; i < n; i++) {
      // Taken seldom, and then faster than Math.min and Math.max, which wait for each other.
      if (v[i] < min) {
        min = v[i];
      } else if (v[i] > max) {
        max = v[i];
      }
    }
    if (recipe.grid() != Grid.AWQ) {
      min = Math.min(min, 0);
      max = Math.max(max, 0);
    }
    float levels = (1 << recipe.bits()) - 1;
    float largest = Math.max(-min, max);
    float range = recipe.symmetric() ? largest / (levels / 2) : (max - min) / levels;
    return switch (recipe.grid()) {
      case COMPRESSED_TENSORS -> {
        float scale = range == 0 ? 0x1p-23f : range;
        boolean hasZero = !recipe.symmetric() && range != 0;
        float zero = hasZero ? rint(clamp(recipe.low() - min / scale, recipe)) : 0;
        yield new RowQuantizer.Grid(scale, zero);
      }
      case TORCHAO -> {
        float scale = Math.max(range, Float.MIN_NORMAL);
        float zero = recipe.symmetric() ? 0 : clamp(0 - rint(min / scale), recipe);
        yield new RowQuantizer.Grid(scale, zero);
      }
      case TORCHAO_NO_CLIPPING -> {
        float half = 1 << (recipe.bits() - 1);
        float scale = Math.max(-min / half, max / (half - 1));
        yield new RowQuantizer.Grid(Math.max(scale, Float.MIN_NORMAL), 0);
      }
      case AWQ -> {
        float scale = Math.max(max - min, 1e-5f) / levels;
        yield new RowQuantizer.Grid(scale, clamp(-rint(min / scale), recipe));
      }
      case GPTQ -> {
        if (recipe.symmetric()) {
          min = min < 0 ? -largest : min;
          max = largest;
        }
        if ((max - min) / levels == 0) {
          min = -1;
          max = 1;
        }
        float scale = (max - min) / levels;
        float zero = recipe.symmetric() ? (levels + 1) / 2 : rint(-min / scale);
        yield new RowQuantizer.Grid(scale, zero);
      }
    };
  }

  private static float clamp(float q, Recipe recipe) {
    int low = recipe.low();
    return Math.max(low, Math.min(low + (1 << recipe.bits()) - 1, q));
  }

  private static float rint(float v) {
    return (float) Math.rint(v);
  }
}
