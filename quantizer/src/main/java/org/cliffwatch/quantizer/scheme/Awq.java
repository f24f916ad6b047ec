package org.cliffwatch.quantizer.scheme;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.WeightRows;

/**
 * AWQ (Lin et al. 2024; llm-awq @d6e797a, {@code awq/quantize/auto_scale.py}, {@code auto_clip.py},
 * {@code quantizer.py}): weights of 4 or 3 bits on {@link RoundToNearest}'s grid of llm-awq, with a
 * zero point for every group of columns, inputs as they are.
 *
 * <p>Columns that see large inputs are made larger first, and what is before them divided by as
 * much. Of {@code s_j = mean|x_j|^r}, 10⁻⁴ at least, over {@code √(max s · min s)}, the r of 0,
 * 0.05, … 0.95 is taken whose rounded weights, divided by s again, change least what the text's
 * rows become: {@link CalibrationBlock#leastChanging} says where, and {@link
 * CalibrationBlock#foldables} what can be divided. Every search is made in the block as it was.
 * llm-awq also divides what an activation gives, before the second layer of a feed-forward without
 * gate (BLOOM, Falcon, NeoX); that is no fold, and left out. Where one norm feeds both halves of a
 * block, the sum of what they give judges; llm-awq takes that of the whole block.
 *
 * <p>Then the weights of a group are clipped: to the c of max|w| · 1, 0.95, … 0.55 whose rounded
 * weights change least the group's share of the products with up to 1023 rows, every ⌊rows /
 * 512⌋-th. Not of query and key, whose errors meet in a product; of value in every family, while
 * llm-awq leaves out a matrix that holds all three.
 *
 * <p>Options: {@code group}, columns of a group, 128 by default, the last one of a row shorter
 * where they do not divide it, −1 for a whole row; {@code clip}, true by default; {@code
 * duo_scaling}, false by default, else AutoAWQ's {@code s_j = mean|x_j|^r / (w_j^(1 − r) + 10⁻⁴)},
 * w_j the mean of |w| / (max|w| of its group + 10⁻⁶); {@link Calibration}.
 *
 * <p>All rows go 21 times through a block's halves, and 21 times more through layers that follow
 * linear ones, most of these times for a part of the way; as often weights are packed. Clipping
 * multiplies each weight 10 times with every row that is looked at. In memory are the inputs of all
 * layers of the block, and of one search what it compares with, in float32.
 */
final class Awq implements Scheme {
  private static final int RATIOS = 20;
  private static final float SMALLEST = 1e-4f;
  private static final int CLIPS = 10;
  private static final int CLIP_ROWS = 512;

  private record Recipe(RoundToNearest.Recipe rounding, boolean clips, boolean isDuo) {
    static Recipe of(Precision precision) {
      Options options = new Options(precision);
      options.weights(bits -> bits == 4 || bits == 3, "4 or 3").inputsAsTheyAre();
      int group = RoundToNearest.Recipe.groupOf(options);
      boolean clips = options.flag("clip", true);
      boolean isDuo = options.flag("duo_scaling", false);
      Calibration.of(options);
      options.requireNoOthers();
      return new Recipe(RoundToNearest.Recipe.awq(precision.weightBits(), group), clips, isDuo);
    }

    int group(int columns) {
      return rounding.group(columns);
    }
  }

  @Override
  public String name() {
    return "awq";
  }

  @Override
  public void check(Precision precision) {
    Recipe.of(precision);
  }

  @Override
  public double bits(int columns, Precision precision) {
    return Recipe.of(precision).rounding().bits(columns);
  }

  @Override
  public Set<Statistic> statistics(Precision precision) {
    return Set.of(Statistic.MEAN_MAGNITUDE, Statistic.ROWS);
  }

  /** All ratios, of which most are given up early, and clipping. */
  @Override
  public double calibrationWalks(Precision precision) {
    return RATIOS;
  }

  @Override
  public void calibrate(CalibrationBlock block, Precision precision, Findings findings) {
    Recipe recipe = Recipe.of(precision);
    Set<String> quantized = block.quantizable();
    for (CalibrationBlock.Foldable foldable : block.foldables()) {
      List<CalibrationBlock.Layer> rounded =
          foldable.consumers().stream().filter(each -> quantized.contains(each.name())).toList();
      findings.fold(foldable, bestScales(block, foldable, rounded, recipe));
    }
    for (CalibrationBlock.Group group : block.groups()) {
      clip(block, group, recipe, findings);
    }
  }

  /** (inputs) the first of those that change least. */
  private static float[] bestScales(
      CalibrationBlock block,
      CalibrationBlock.Foldable foldable,
      List<CalibrationBlock.Layer> rounded,
      Recipe recipe) {
    float[] inputs = foldable.inputs().meanMagnitude();
    float[] weights = recipe.isDuo() ? relativeMagnitude(rounded, recipe) : null;
    List<float[]> scales = new ArrayList<>();
    List<Map<String, WeightRows>> candidates = new ArrayList<>();
    for (int i = 0; i < RATIOS; i++) {
      float[] s = scales(inputs, weights, (double) i / RATIOS);
      Map<String, WeightRows> candidate = new HashMap<>();
      for (CalibrationBlock.Layer layer : rounded) {
        candidate.put(layer.name(), new RoundedRows(layer.weight(), s, recipe.rounding()));
      }
      scales.add(s);
      candidates.add(candidate);
    }
    int best = block.leastChanging(foldable, candidates);
    if (best < 0) {
      throw new InvalidInputException(
          "%s: found no finite error with any factor of its outputs"
              .formatted(foldable.producer()));
    }
    return scales.get(best);
  }

  /**
   * @param weights (inputs), or null: inputs alone
   */
  private static float[] scales(float[] inputs, float[] weights, double ratio) {
    float[] s = new float[inputs.length];
    float min = Float.POSITIVE_INFINITY;
    float max = 0;
    for (int j = 0; j < s.length; j++) {
      float scale = power(inputs[j], ratio);
      if (weights != null) {
        scale /= power(weights[j], 1 - ratio) + SMALLEST;
      }
      s[j] = Math.max(SMALLEST, scale);
      min = Math.min(min, s[j]);
      max = Math.max(max, s[j]);
    }
    float middle = (float) Math.sqrt(max * min);
    for (int j = 0; j < s.length; j++) {
      s[j] /= middle;
    }
    return s;
  }

  /** The same on every machine. */
  private static float power(float base, double exponent) {
    return (float) StrictMath.pow(base, (float) exponent);
  }

  /** (inputs) the mean of |w| over the largest of its group. */
  private static float[] relativeMagnitude(List<CalibrationBlock.Layer> layers, Recipe recipe) {
    int columns = layers.get(0).weight().columns();
    int size = recipe.group(columns);
    double[] sums = new double[columns];
    long rows = 0;
    float[] row = new float[columns];
    for (CalibrationBlock.Layer layer : layers) {
      for (int r = 0; r < layer.weight().rows(); r++) {
        layer.weight().row(r, row);
        for (int first = 0; first < columns; first += size) {
          int n = Math.min(size, columns - first);
          float largest = Schemes.largestMagnitude(row, first, n) + 1e-6f;
          for (int c = first; c < first + n; c++) {
            sums[c] += Math.abs(row[c]) / largest;
          }
        }
      }
      rows += layer.weight().rows();
    }
    float[] means = new float[columns];
    for (int c = 0; c < columns; c++) {
      means[c] = (float) (sums[c] / rows);
    }
    return means;
  }

  /** A weight whose columns are multiplied, rounded, and divided again. */
  private record RoundedRows(WeightRows weight, float[] s, RoundToNearest.Recipe rounding)
      implements ChangedRows {
    @Override
    public void row(int r, float[] out) {
      weight.row(r, out);
      int size = rounding.group(columns());
      float[] group = new float[size];
      for (int first = 0; first < columns(); first += size) {
        int n = Math.min(size, columns() - first);
        for (int i = 0; i < n; i++) {
          group[i] = out[first + i] * s[first + i];
        }
        RoundToNearest.widened(rounding, group, n, group);
        for (int i = 0; i < n; i++) {
          out[first + i] = group[i] / s[first + i];
        }
      }
    }
  }

  private static void clip(
      CalibrationBlock block, CalibrationBlock.Group group, Recipe recipe, Findings findings) {
    float[] factor =
        findings.numbers(group.layers().get(0).name(), Findings.INPUT_FACTOR).orElse(null);
    Sample sample = Sample.of(group.inputs(), factor);
    for (CalibrationBlock.Layer layer : group.layers()) {
      WeightRows weight = new CalibratedWeight(layer.weight(), layer.name(), findings);
      boolean clips = recipe.clips() && isClippable(layer);
      int size = recipe.group(weight.columns());
      int groups = Blocks.parts(weight.columns(), size);
      float[] limits = new float[Math.multiplyExact(weight.rows(), groups)];
      block.inParallel(
          weight.rows(),
          r -> {
            float[] row = new float[weight.columns()];
            weight.row(r, row);
            Schemes.requireFinite(weight, r, row);
            for (int g = 0; g < groups; g++) {
              int first = g * size;
              int end = Math.min(first + size, row.length);
              limits[r * groups + g] =
                  clips
                      ? sample.bestLimit(row, first, end, recipe.rounding())
                      : Schemes.largestMagnitude(row, first, end - first);
            }
          });
      findings.put(layer.name(), Findings.CLIP, limits);
    }
  }

  private static boolean isClippable(CalibrationBlock.Layer layer) {
    return !layer.name().endsWith(".query") && !layer.name().endsWith(".key");
  }

  /**
   * Some of the rows that a layer reads.
   *
   * @param columns of each input, what the rows have there
   */
  private record Sample(float[][] columns, int rows) {
    static Sample of(InputStatistics inputs, float[] factor) {
      long step = Math.max(1, inputs.rows() / CLIP_ROWS);
      int rows = Math.toIntExact((inputs.rows() + step - 1) / step);
      float[][] columns = new float[inputs.columns()][rows];
      long passed = 0;
      int taken = 0;
      for (float[] x : inputs.samples()) {
        int here = x.length / columns.length;
        for (; taken * step < passed + here; taken++) {
          int at = (int) (taken * step - passed) * columns.length;
          for (int c = 0; c < columns.length; c++) {
            columns[c][taken] = factor == null ? x[at + c] : x[at + c] / factor[c];
          }
        }
        passed += here;
      }
      return new Sample(columns, rows);
    }

    /** The largest of the limits of a group, {@code w[first .. end)}, that change least. */
    float bestLimit(float[] w, int first, int end, RoundToNearest.Recipe rounding) {
      int n = end - first;
      float largest = Schemes.largestMagnitude(w, first, n);
      float[] changed = new float[n];
      float[] y = new float[rows];
      float best = largest;
      double least = Double.POSITIVE_INFINITY;
      for (int i = 0; i < CLIPS; i++) {
        float limit = largest * (float) (1 - i / (2.0 * CLIPS));
        for (int c = 0; c < n; c++) {
          changed[c] = Math.max(-limit, Math.min(limit, w[first + c]));
        }
        RoundToNearest.widened(rounding, changed, n, changed);
        for (int c = 0; c < n; c++) {
          changed[c] -= w[first + c];
        }
        double error = squares(changed, first, y);
        if (error < least) {
          least = error;
          best = limit;
        }
      }
      return best;
    }

    /**
     * Σ (Σ_c x[t, c] · v[c])² over all rows t.
     *
     * @param first the column of v[0]
     * @param y room for all rows
     */
    private double squares(float[] v, int first, float[] y) {
      Arrays.fill(y, 0);
      int c = 0;
      for (; c + 3 < v.length; c += 4) {
        addFour(
            y,
            v,
            c,
            columns[first + c],
            columns[first + c + 1],
            columns[first + c + 2],
            columns[first + c + 3]);
      }
      for (; c < v.length; c++) {
        float[] x = columns[first + c];
        for (int t = 0; t < y.length; t++) {
          y[t] += v[c] * x[t];
        }
      }
      double sum = 0;
      for (float each : y) {
        sum += (double) each * each;
      }
      return sum;
    }

    private static void addFour(
        float[] y, float[] v, int c, float[] x0, float[] x1, float[] x2, float[] x3) {
      float v0 = v[c];
      float v1 = v[c + 1];
      float v2 = v[c + 2];
      float v3 = v[c + 3];
      for (int t = 0; t < y.length; t++) {
        y[t] += v0 * x0[t] + v1 * x1[t] + (v2 * x2[t] + v3 * x3[t]);
      }
    }
  }

  @Override
  public LinearForm prepare(WeightRows weight, Precision precision) {
    RoundToNearest.Recipe rounding = Recipe.of(precision).rounding();
    CalibratedWeight calibrated = CalibratedWeight.of(weight, precision);
    int size = rounding.group(weight.columns());
    int groups = Blocks.parts(weight.columns(), size);
    float[] limits = calibrated.require(Findings.CLIP, Math.multiplyExact(weight.rows(), groups));
    CodedWeight coded =
        RoundToNearest.quantize(new ClippedRows(calibrated, size, groups, limits), rounding);
    return new LinearForm.Coded(coded, null, precision.compute());
  }

  /** A weight whose groups keep no magnitudes beyond their limits. */
  private record ClippedRows(WeightRows weight, int size, int groups, float[] limits)
      implements ChangedRows {
    @Override
    public void row(int r, float[] out) {
      weight.row(r, out);
      for (int c = 0; c < columns(); c++) {
        float limit = limits[r * groups + c / size];
        out[c] = Math.max(-limit, Math.min(limit, out[c]));
      }
    }
  }
}
