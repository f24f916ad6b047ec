package org.cliffwatch.quantizer.scheme;

import java.util.Set;
import org.cliffwatch.quantizer.kernel.WeightRows;

/**
 * 8-bit floats with a float32 scale, {@code max / (largest number)}, 2⁻²³ for 0, as
 * compressed-tensors has it: one a row of a weight and of inputs (FP8_DYNAMIC), or one a weight and
 * one for all inputs (FP8).
 *
 * <p>Options: {@code element}, e4m3 by default, or e5m2; {@code strategy}, a scale for every {@code
 * channel} of a weight (default) or for the whole {@code tensor}; {@code activation_scheme}, a
 * scale a token ({@code dynamic}, default) or one for all that calibration finds ({@code static},
 * with {@link Calibration}; what is beyond saturates).
 */
final class Float8 implements Scheme {
  private record Recipe(Element element, Strategy strategy, ActivationScheme inputs) {
    static Recipe of(Precision precision) {
      Options options = new Options(precision);
      options.weights(bits -> bits == 8, "8");
      boolean isWeightOnly = precision.keepsInputs();
      if (!isWeightOnly) {
        options.inputs(bits -> bits == 8, "8, or the compute type's width");
      }
      ActivationScheme inputs = isWeightOnly ? null : ActivationScheme.of(options);
      Recipe recipe =
          new Recipe(
              options.choice("element", Element.E4M3, Element.E4M3, Element.E5M2),
              Strategy.of(options),
              inputs);
      if (inputs == ActivationScheme.STATIC) {
        Calibration.of(options);
      }
      options.requireNoOthers();
      return recipe;
    }
  }

  @Override
  public String name() {
    return "fp8";
  }

  @Override
  public void check(Precision precision) {
    Recipe.of(precision);
  }

  @Override
  public double bits(int columns, Precision precision) {
    return precision.weightBits() + Recipe.of(precision).strategy().scaleBits(columns);
  }

  @Override
  public Set<Statistic> statistics(Precision precision) {
    return ActivationScheme.statistics(Recipe.of(precision).inputs());
  }

  @Override
  public void calibrate(CalibrationBlock block, Precision precision, Findings findings) {
    ActivationScheme.findScales(block, Recipe.of(precision).element().high(), findings);
  }

  @Override
  public LinearForm prepare(WeightRows weight, Precision precision) {
    Recipe recipe = Recipe.of(precision);
    RowQuantizer rows = RowQuantizer.dynamic(recipe.element(), true, 0);
    RowQuantizer weights = rows;
    if (recipe.strategy() == Strategy.TENSOR) {
      float scale = rows.symmetricScale(Schemes.largestMagnitude(weight));
      weights = RowQuantizer.fixed(recipe.element(), scale, 0);
    }
    RowQuantizer inputs = recipe.inputs() == null ? null : rows;
    if (recipe.inputs() == ActivationScheme.STATIC) {
      inputs = ActivationScheme.fixed(recipe.element(), weight, precision);
    }
    return new LinearForm.Coded(
        CodedWeight.quantized(weight, weights), inputs, precision.compute());
  }
}
