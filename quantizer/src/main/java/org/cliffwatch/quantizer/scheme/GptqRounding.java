package org.cliffwatch.quantizer.scheme;

import java.util.Comparator;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.WeightRows;

/**
 * GPTQ (Frantar et al. 2022) as IST-DASLab/gptq does it ({@code gptq.py}, {@code quant.py}):
 * columns of W are quantized one after the other, and what each leaves is taken out of the columns
 * after it, so that Σ ‖(W − Ŵ) x‖² over calibration inputs x stays small.
 *
 * <p>H = 2 / rows · Σ x xᵀ, damped by a part of its mean diagonal; U of {@link InverseFactor}; in
 * blocks of 128 columns, {@code q = clamp(rint(w / s) + z, 0, 2^bits − 1)}, {@code e = (w − (q − z)
 * s) / U_jj}, {@code W[:, after j] −= e U[j, after j]}. W and its updates are float64, s, z and q
 * float32. Grids are {@link RoundToNearest.Grid#GPTQ}'s: symmetric, they mirror a range only where
 * it holds something negative.
 *
 * <ul>
 *   <li>A grid of a whole row is that of the weight as it is. A group's is fitted when its first
 *       column is reached, on W as of the beginning of that column's block: groups that share a
 *       block do not see each other's errors. The last group is shorter where groups do not divide
 *       the columns.
 *   <li>Act-order takes columns by descending diagonal of H, the lower index first of equals.
 *       Groups are then of columns in that order, unless they are static: those are of columns as
 *       they lie, fitted beforehand. {@link Order#ACT_GROUP_AWARE} orders groups and what is in
 *       them.
 *   <li>Inputs that are always 0 have their weights set to 0, after grids of whole rows are fitted.
 *       In H they are 0 where means and orders are taken; there they are 1, whatever the scale of
 *       the others.
 *   <li>Where the damped H is not positive definite, damping grows by 0.01 at a time up to 1, as in
 *       GPTQModel; IST-DASLab/gptq stops.
 * </ul>
 *
 * <p>Codes, scales and losses are the same to the bit whatever the number of threads and the
 * processor. Time: columns³ / 3 fma for the factor, rows · columns² / 2 for a weight; memory: 4
 * columns² bytes for the factor, 600 columns for each thread, and the codes. Threads are those of
 * the caller's fork-join pool, or of the common one.
 */
public final class GptqRounding {
  private static final int BLOCK = 128;

  /** Rows that share a pass over U; as many as a stored transposed tensor is read at a time. */
  private static final int BAND = 64;

  private static final double DAMP_STEP = 0.01;

  /** Which column is quantized when. */
  public enum Order {
    /** As they lie. */
    NATURAL,
    /** By descending diagonal of H: act-order. */
    DESC_ACT,
    /**
     * Groups by their largest diagonal of H, descending, and so columns within each; one that is
     * not whole is last and as it lies (Gafni et al. 2025, "Dual Precision Quantization", as in
     * GPTQModel's {@code gar.py}). Groups remain of columns as they lie.
     */
    ACT_GROUP_AWARE
  }

  /**
   * What is asked for.
   *
   * @param bits 2, 3, 4 or 8
   * @param group columns of a group; 0: a whole row
   * @param symmetric whether all zero points are 2^(bits − 1)
   * @param order of columns; {@link Order#ACT_GROUP_AWARE} of groups only
   * @param staticGroups whether groups are fitted before any error is spread
   * @param damp part of the mean diagonal of H that is added to it, 0 or more and below 1; 0.01 is
   *     usual
   */
  public record Recipe(
      int bits, int group, boolean symmetric, Order order, boolean staticGroups, double damp) {
    public Recipe {
      boolean known = bits == 2 || bits == 3 || bits == 4 || bits == 8;
      if (!known || group < 0 || !(damp >= 0 && damp < 1)) {
        throw new IllegalArgumentException(
            "found %s bits, group %s, damp %s; expected 2, 3, 4 or 8; 0 or more; 0 to 1"
                .formatted(bits, group, damp));
      }
      if (order == Order.ACT_GROUP_AWARE && group == 0) {
        throw new IllegalArgumentException("found no groups, expected some to order");
      }
    }

    /** Columns of a group. */
    int size(int columns) {
      return group == 0 ? columns : Math.min(group, columns);
    }

    /** Whether groups are of columns in another order than they lie. */
    boolean hasPermutedGroups(int columns) {
      return group != 0 && !staticGroups && order == Order.DESC_ACT && size(columns) < columns;
    }

    /** What code 0 stands for. */
    int low() {
      return symmetric ? -(1 << (bits - 1)) : 0;
    }
  }

  /**
   * A weight and what it cost.
   *
   * @param weight with blocks that are a {@link Blocks.Grid}, or {@link Blocks.Permuted} where
   *     act-order has permuted groups; without zero points where symmetric, else with codes from 0
   * @param loss Σ ‖(W − Ŵ) x‖² / rows over the calibration's rows, and the damping's share of it:
   *     the sum of ½ e² over all elements
   * @param damp that has been used
   */
  public record Quantized(CodedWeight weight, double loss, double damp) {}

  private final Recipe recipe;
  private final int columns;
  private final boolean[] isDead;

  /** Column at each position. */
  private final int[] order;

  private final Panels u;
  private final double damp;

  /**
   * For all weights of the same inputs, q, k and v for instance: the factor is made once.
   *
   * @param name of a weight or layer, for messages
   * @param gram of the inputs; of no rows, weights are rounded to the nearest
   * @throws InvalidInputException when inputs were not finite
   */
  public GptqRounding(String name, GramMatrix gram, Recipe recipe) {
    this.recipe = recipe;
    this.columns = gram.columns();
    requireFinite(name, gram);
    this.isDead = new boolean[columns];
    double trace = 0;
    for (int j = 0; j < columns; j++) {
      isDead[j] = gram.rows() > 0 && gram.squares(j) == 0;
      trace += gram.squares(j);
    }
    this.order = order(gram, recipe);
    double mean = gram.rows() == 0 ? 1 : 2.0 / gram.rows() * trace / columns;
    double part = recipe.damp();
    Panels h = damped(gram, part * mean);
    while (!InverseFactor.replace(h, columns)) {
      part += DAMP_STEP;
      if (part >= 1) {
        throw new InvalidInputException(
            "%s: found %s inputs of which Σ x xᵀ + %s of its mean diagonal is not positive definite, expected to need less damping"
                .formatted(name, columns, part - DAMP_STEP));
      }
      h = damped(gram, part * mean);
    }
    this.u = h;
    this.damp = part;
  }

  /** The column at each position. */
  private static int[] order(GramMatrix gram, Recipe recipe) {
    int columns = gram.columns();
    return switch (recipe.order()) {
      case NATURAL -> IntStream.range(0, columns).toArray();
      case DESC_ACT -> descending(IntStream.range(0, columns), gram::squares).toArray();
      case ACT_GROUP_AWARE -> {
        int size = recipe.size(columns);
        int whole = columns / size;
        IntStream ofWhole =
            descending(
                    IntStream.range(0, whole),
                    g -> columnsOf(g, size).mapToDouble(gram::squares).max().orElseThrow())
                .flatMap(g -> descending(columnsOf(g, size), gram::squares));
        yield IntStream.concat(ofWhole, IntStream.range(whole * size, columns)).toArray();
      }
    };
  }

  private static IntStream columnsOf(int group, int size) {
    return IntStream.range(group * size, (group + 1) * size);
  }

  /** The lower of equals first. */
  private static IntStream descending(IntStream numbers, IntToDoubleFunction of) {
    return numbers
        .boxed()
        .sorted(Comparator.comparingDouble(i -> -of.applyAsDouble(i)))
        .mapToInt(i -> i);
  }

  private static void requireFinite(String name, GramMatrix gram) {
    for (int j = 0; j < gram.columns(); j++) {
      if (!Double.isFinite(gram.squares(j))) {
        throw new InvalidInputException(
            "%s: input %s: found Σ x² = %s over %s rows, expected finite calibration inputs"
                .formatted(name, j, gram.squares(j), gram.rows()));
      }
    }
  }

  /** H in the order of positions. */
  private Panels damped(GramMatrix gram, double addend) {
    double factor = gram.rows() == 0 ? 0 : 2.0 / gram.rows();
    Panels h = Panels.triangle(columns);
    for (int j = 0; j < columns; j++) {
      for (int i = 0; i < j; i++) {
        h.set(i, j, factor * gram.get(order[i], order[j]));
      }
      double own = isDead[order[j]] || gram.rows() == 0 ? 1 : factor * gram.squares(order[j]);
      h.set(j, j, own + addend);
    }
    return h;
  }

  /** Quantizes one weight. */
  public static Quantized quantize(WeightRows weight, GramMatrix gram, Recipe recipe) {
    return new GptqRounding(weight.name(), gram, recipe).quantize(weight);
  }

  /**
   * Quantizes a weight.
   *
   * @throws InvalidInputException when a weight is NaN or infinite, naming tensor and place
   */
  public Quantized quantize(WeightRows weight) {
    if (weight.columns() != columns) {
      throw new IllegalArgumentException(
          "%s: found %s columns, expected %s".formatted(weight.name(), weight.columns(), columns));
    }
    int rows = weight.rows();
    Groups groups = new Groups(rows);
    CodedWeight coded =
        new CodedWeight(
            weight.name(),
            rows,
            columns,
            CodedWeight.integers(recipe.bits(), recipe.low()),
            new CodedWeight.Scales(
                groups.blocks(), groups.scales, recipe.symmetric() ? null : groups.zeros),
            null);
    double[] losses = new double[rows];
    IntStream.range(0, Blocks.parts(rows, BAND))
        .parallel()
        .forEach(b -> new Band(weight, b * BAND, groups, losses).quantize(coded));
    double loss = 0;
    for (double own : losses) {
      loss += own;
    }
    return new Quantized(coded, loss, damp);
  }

  /** Which columns share a grid, and the grids, (rows, groups). */
  private final class Groups {
    final int rows;
    final int size = recipe.size(columns);
    final int count = Blocks.parts(columns, size);
    final boolean arePermuted = recipe.hasPermutedGroups(columns);
    final float[] scales;
    final float[] zeros;

    Groups(int rows) {
      this.rows = rows;
      this.scales = new float[Math.multiplyExact(rows, count)];
      this.zeros = new float[scales.length];
    }

    int at(int position) {
      return (arePermuted ? position : order[position]) / size;
    }

    Blocks blocks() {
      if (!arePermuted) {
        return new Blocks.Grid(rows, columns, 1, size);
      }
      int[] group = new int[columns];
      for (int position = 0; position < columns; position++) {
        group[order[position]] = position / size;
      }
      return new Blocks.Permuted(rows, count, group);
    }

    /** Sets a grid from its elements {@code v[0 .. n)}. */
    void fit(String name, int row, int group, float[] v, int n) {
      RowQuantizer.Grid grid = RoundToNearest.gptqGrid(recipe.bits(), recipe.symmetric(), v, n);
      if (!Float.isFinite(grid.scale())) {
        throw new InvalidInputException(
            "%s: row %s, group %s: found a scale of %s, expected weights whose range is finite"
                .formatted(name, row, group, grid.scale()));
      }
      scales[row * count + group] = grid.scale();
      zeros[row * count + group] = grid.zero();
    }
  }

  /** Some rows of a weight on their way. */
  private final class Band {
    private final WeightRows weight;
    private final int first;
    private final int rows;
    private final Groups groups;
    private final double[] losses;

    /** W by position, its rows those of the band. */
    private final Panels w;

    /** −e of the block, in tiles of (128, 4). */
    private final double[] errors;

    private final byte[] codes;

    Band(WeightRows weight, int first, Groups groups, double[] losses) {
      this.weight = weight;
      this.first = first;
      this.rows = Math.min(BAND, weight.rows() - first);
      this.groups = groups;
      this.losses = losses;
      this.w = Panels.rectangle(rows, columns);
      this.errors = new double[Blocks.parts(rows, Panels.HEIGHT) * Panels.HEIGHT * BLOCK];
      this.codes = new byte[Math.multiplyExact(rows, columns)];
    }

    void quantize(CodedWeight coded) {
      read();
      double[] square = new double[BLOCK * BLOCK];
      for (int from = 0; from < columns; from += BLOCK) {
        int end = Math.min(columns, from + BLOCK);
        if (recipe.group() != 0 && !recipe.staticGroups()) {
          fitGroups(from, end);
        }
        for (int i = from; i < end; i++) {
          for (int j = i; j < end; j++) {
            square[(i - from) * BLOCK + j - from] = u.get(i, j);
          }
        }
        for (int r = 0; r < rows; r++) {
          quantize(r, from, end, square);
        }
        subtractErrors(from, end);
      }
      for (int r = 0; r < rows; r++) {
        if (!Double.isFinite(losses[first + r])) {
          throw new InvalidInputException(
              "%s: row %s: found a loss of %s, expected weights and inputs of a smaller range"
                  .formatted(weight.name(), first + r, losses[first + r]));
        }
        coded.put(first + r, 0, codes, r * columns, columns);
      }
    }

    /** Band after band: a tensor that is read across its rows reads a band at a time. */
    private void read() {
      float[] row = new float[columns];
      float[] group = new float[groups.size];
      synchronized (groups) {
        for (int r = 0; r < rows; r++) {
          weight.row(first + r, row);
          Schemes.requireFinite(weight, first + r, row);
          if (recipe.group() == 0) {
            groups.fit(weight.name(), first + r, 0, row, columns);
          }
          for (int c = 0; c < columns; c++) {
            row[c] = isDead[c] ? 0 : row[c];
          }
          if (recipe.group() != 0 && recipe.staticGroups()) {
            for (int g = 0; g < groups.count; g++) {
              int n = Math.min(groups.size, columns - g * groups.size);
              System.arraycopy(row, g * groups.size, group, 0, n);
              groups.fit(weight.name(), first + r, g, group, n);
            }
          }
          for (int position = 0; position < columns; position++) {
            w.set(r, position, row[order[position]]);
          }
        }
      }
    }

    /** Those whose first column lies in a block; they may reach beyond it. */
    private void fitGroups(int from, int end) {
      float[] group = new float[groups.size];
      for (int g = Blocks.parts(from, groups.size); g * groups.size < end; g++) {
        int start = g * groups.size;
        int n = Math.min(groups.size, columns - start);
        for (int r = 0; r < rows; r++) {
          for (int i = 0; i < n; i++) {
            group[i] = (float) w.get(r, start + i);
          }
          groups.fit(weight.name(), first + r, groups.at(start), group, n);
        }
      }
    }

    /**
     * One row of a block.
     *
     * @param square of U, (128, 128)
     */
    private void quantize(int r, int from, int end, double[] square) {
      float most = (1 << recipe.bits()) - 1;
      double[] v = new double[BLOCK];
      int n = end - from;
      for (int i = 0; i < n; i++) {
        v[i] = w.get(r, from + i);
      }
      double loss = 0;
      int tile = r / Panels.HEIGHT * Panels.HEIGHT * BLOCK + r % Panels.HEIGHT;
      for (int i = 0; i < n; i++) {
        int grid = (first + r) * groups.count + groups.at(from + i);
        float scale = groups.scales[grid];
        float zero = groups.zeros[grid];
        float code = (float) Math.rint((float) v[i] / scale) + zero;
        code = Math.max(0, Math.min(most, code));
        codes[r * columns + order[from + i]] = (byte) (int) code;
        double error = (v[i] - (code - zero) * scale) / square[i * BLOCK + i];
        loss += error * error / 2;
        subtract(error, square, i * BLOCK, v, i + 1, n);
        errors[tile + i * Panels.HEIGHT] = -error;
      }
      losses[first + r] += loss;
    }

    /** {@code v[i] −= factor · u[at + i]}, i from {@code from} to {@code end − 1}. */
    private static void subtract(double factor, double[] u, int at, double[] v, int from, int end) {
      for (int i = from; i < end; i++) {
        v[i] -= factor * u[at + i];
      }
    }

    /** A block's errors from all columns after it. */
    private void subtractErrors(int from, int end) {
      for (int p = Blocks.parts(end, Panels.WIDTH); p < w.count(); p++) {
        double[] right = u.panel(p);
        double[] out = w.panel(p);
        for (int at = 0; at < out.length; at += Panels.HEIGHT * Panels.WIDTH) {
          int tile = at / Panels.WIDTH * BLOCK;
          Panels.addProduct(errors, tile, right, from * Panels.WIDTH, BLOCK, out, at);
        }
      }
    }
  }
}
