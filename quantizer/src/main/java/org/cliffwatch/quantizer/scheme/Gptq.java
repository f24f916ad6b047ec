package org.cliffwatch.quantizer.scheme;

import java.util.Set;
import org.cliffwatch.quantizer.kernel.WeightRows;

/**
 * GPTQ (Frantar et al. 2022): weights rounded one column after the other, what rounding leaves of
 * each taken out of those that follow ({@link GptqRounding}), block after block, a block's inputs
 * being those that the quantized blocks before it give; its layers against the inputs that its own
 * weights give or, with {@code true_sequential}, those quantized before them in it. Inputs are not
 * quantized. An expert that no row of the calibration text chooses is rounded to the nearest.
 *
 * <p>Options, as Hugging Face's {@code GPTQConfig} calls them but for the first two, which are
 * {@link RoundToNearest}'s: {@code group}, 128 by default, −1 for a whole row; {@code symmetric},
 * true by default; {@code desc_act}, columns by descending activations, {@code act_group_aware},
 * groups and the columns in each by them, {@code static_groups} and {@code true_sequential}, all
 * false by default; {@code damp_percent}, 0.01 by default; {@link Calibration}.
 */
final class Gptq implements Scheme {
  private static final String CODES = "codes";
  private static final String SCALES = "scales";
  private static final String ZEROS = "zeros";

  /** (columns) which group a column is of, where act-order permutes them. */
  private static final String GROUPS = "groups";

  private record Recipe(GptqRounding.Recipe rounding, boolean isTrueSequential) {}

  private static GptqRounding.Recipe rounding(Precision precision) {
    return recipe(precision).rounding();
  }

  private static Recipe recipe(Precision precision) {
    Options options = new Options(precision);
    options
        .weights(bits -> bits == 2 || bits == 3 || bits == 4 || bits == 8, "2, 3, 4 or 8")
        .inputsAsTheyAre();
    int group = RoundToNearest.Recipe.groupOf(options);
    float damp = options.number("damp_percent", 0.01f);
    if (damp >= 1) {
      throw options.mismatch("damp_percent", Float.toString(damp), "a number from 0 to below 1");
    }
    GptqRounding.Recipe rounding =
        new GptqRounding.Recipe(
            precision.weightBits(),
            Math.max(0, group),
            options.flag("symmetric", true),
            order(options, group),
            options.flag("static_groups", false),
            Double.parseDouble(Float.toString(damp)));
    boolean isTrueSequential = options.flag("true_sequential", false);
    Calibration.of(options);
    options.requireNoOthers();
    return new Recipe(rounding, isTrueSequential);
  }

  private static GptqRounding.Order order(Options options, int group) {
    boolean isByActivations = options.flag("desc_act", false);
    if (!options.flag("act_group_aware", false)) {
      return isByActivations ? GptqRounding.Order.DESC_ACT : GptqRounding.Order.NATURAL;
    }
    if (isByActivations || group < 0) {
      throw options.mismatch("act_group_aware", "true", "desc_act: false, and groups");
    }
    return GptqRounding.Order.ACT_GROUP_AWARE;
  }

  @Override
  public String name() {
    return "gptq";
  }

  @Override
  public void check(Precision precision) {
    recipe(precision);
  }

  @Override
  public double bits(int columns, Precision precision) {
    GptqRounding.Recipe recipe = rounding(precision);
    return RoundToNearest.bits(recipe.bits(), recipe.symmetric(), recipe.size(columns));
  }

  @Override
  public Set<Statistic> statistics(Precision precision) {
    return Set.of(Statistic.GRAM);
  }

  @Override
  public QuantizedBefore quantizedBefore(Precision precision) {
    return recipe(precision).isTrueSequential() ? QuantizedBefore.LAYERS : QuantizedBefore.BLOCKS;
  }

  /** To be looked at, before each part of a block or all at once, and on to the next block. */
  @Override
  public double calibrationWalks(Precision precision) {
    return recipe(precision).isTrueSequential() ? 5 : 2;
  }

  @Override
  public void calibrate(CalibrationBlock block, Precision precision, Findings findings) {
    GptqRounding.Recipe recipe = rounding(precision);
    for (CalibrationBlock.Group group : block.groups()) {
      String first = group.layers().get(0).name();
      GptqRounding rounding = new GptqRounding(first, group.inputs().gram(), recipe);
      for (CalibrationBlock.Layer layer : group.layers()) {
        CodedWeight weight = rounding.quantize(layer.weight()).weight();
        findings.put(layer.name(), CODES, weight.codes());
        findings.put(layer.name(), SCALES, weight.scales());
        if (!recipe.symmetric()) {
          findings.put(layer.name(), ZEROS, weight.zeros());
        }
        if (weight.blocks() instanceof Blocks.Permuted permuted) {
          float[] groups = new float[permuted.group().length];
          for (int c = 0; c < groups.length; c++) {
            groups[c] = permuted.group()[c];
          }
          findings.put(layer.name(), GROUPS, groups);
        }
      }
    }
  }

  @Override
  public LinearForm prepare(WeightRows weight, Precision precision) {
    GptqRounding.Recipe recipe = rounding(precision);
    CalibratedWeight found = CalibratedWeight.of(weight, precision);
    int columns = weight.columns();
    Blocks blocks = new Blocks.Grid(weight.rows(), columns, 1, recipe.size(columns));
    if (recipe.hasPermutedGroups(columns)) {
      float[] groups = found.require(GROUPS, columns);
      int[] group = new int[columns];
      for (int c = 0; c < columns; c++) {
        group[c] = (int) groups[c];
      }
      int count = Blocks.parts(columns, recipe.size(columns));
      blocks = new Blocks.Permuted(weight.rows(), count, group);
    }
    float[] scales = found.require(SCALES, blocks.count());
    float[] zeros = recipe.symmetric() ? null : found.require(ZEROS, blocks.count());
    CodedWeight coded =
        new CodedWeight(
            weight.name(),
            weight.rows(),
            columns,
            CodedWeight.integers(recipe.bits(), recipe.low()),
            new CodedWeight.Scales(blocks, scales, zeros),
            null);
    byte[] codes = found.requireCodes(CODES);
    for (int r = 0; r < weight.rows(); r++) {
      coded.put(r, 0, codes, r * columns, columns);
    }
    return new LinearForm.Coded(coded, null, precision.compute());
  }
}
