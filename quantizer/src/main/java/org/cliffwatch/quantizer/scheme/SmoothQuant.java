package org.cliffwatch.quantizer.scheme;

import java.util.Arrays;
import java.util.Set;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.WeightRows;

/**
 * SmoothQuant (Xiao et al. 2023; {@code smoothquant/smooth.py}): what a norm gives is divided, and
 * the columns of all linear layers that read it multiplied, by {@code s_j = max|x_j|^α /
 * max|W_j|^(1 − α)}, 10⁻⁵ at least, before both are quantized to int8; each step rounded to the
 * compute type, exponents too, as smooth.py and torch on a CPU do it in a model's own. Layers
 * behind no norm are quantized as they are.
 *
 * <p>Options: {@code alpha}, 0.5 by default; {@code strategy}, a scale for every {@code channel} of
 * a weight (default) or for the whole {@code tensor}; {@code activation_scheme}, a scale a token
 * ({@code dynamic}, default) or one for all that calibration finds ({@code static}: max|x| / 127,
 * what is beyond saturates); {@link Calibration}.
 */
final class SmoothQuant implements Scheme {
  /** smooth.py's clamp of the weights' maxima and of s. */
  private static final float SMALLEST = 1e-5f;

  private record Recipe(float alpha, Strategy strategy, ActivationScheme inputs) {
    static Recipe of(Precision precision) {
      Options options = new Options(precision);
      options.weights(bits -> bits == 8, "8").inputs(bits -> bits == 8, "8");
      float alpha = options.number("alpha", 0.5f);
      if (alpha > 1) {
        throw options.mismatch("alpha", Float.toString(alpha), "a number from 0 to 1");
      }
      Recipe recipe = new Recipe(alpha, Strategy.of(options), ActivationScheme.of(options));
      Calibration.of(options);
      options.requireNoOthers();
      return recipe;
    }
  }

  @Override
  public String name() {
    return "smoothquant";
  }

  @Override
  public void check(Precision precision) {
    Recipe.of(precision);
  }

  @Override
  public boolean multipliesIntegers(Precision precision) {
    return true;
  }

  @Override
  public double bits(int columns, Precision precision) {
    return precision.weightBits() + Recipe.of(precision).strategy().scaleBits(columns);
  }

  @Override
  public Set<Statistic> statistics(Precision precision) {
    return Set.of(Statistic.LARGEST);
  }

  @Override
  public void calibrate(CalibrationBlock block, Precision precision, Findings findings) {
    Recipe recipe = Recipe.of(precision);
    for (CalibrationBlock.Foldable norm : block.foldables()) {
      if (norm.isNorm()) {
        findings.fold(norm, factors(norm, recipe.alpha(), precision.compute()));
      }
    }
    if (recipe.inputs() == ActivationScheme.STATIC) {
      ActivationScheme.findScales(block, Vectorwise.LEVELS_8_BIT, findings);
    }
  }

  private static float[] factors(CalibrationBlock.Foldable norm, float alpha, FloatType type) {
    float smallest = type.round(SMALLEST);
    float exponent = type.round(alpha);
    float rest = type.round((float) (1 - Double.parseDouble(Float.toString(alpha))));
    float[] inputs = type.rounded(norm.inputs().largest());
    float[] weights = new float[inputs.length];
    Arrays.fill(weights, smallest);
    float[] row = new float[inputs.length];
    for (CalibrationBlock.Layer consumer : norm.consumers()) {
      for (int r = 0; r < consumer.weight().rows(); r++) {
        consumer.weight().row(r, row);
        for (int c = 0; c < row.length; c++) {
          weights[c] = Math.max(weights[c], Math.abs(type.round(row[c])));
        }
      }
    }
    float[] s = new float[inputs.length];
    for (int c = 0; c < s.length; c++) {
      float quotient = type.round(power(inputs[c], exponent)) / type.round(power(weights[c], rest));
      s[c] = Math.max(smallest, type.round(quotient));
      if (!Float.isFinite(s[c])) {
        throw new InvalidInputException(
            "%s: channel %s: found inputs up to %s and weights up to %s, expected a factor that %s holds"
                .formatted(
                    norm.producer(),
                    c,
                    norm.inputs().largest()[c],
                    weights[c],
                    Options.spelled(type)));
      }
    }
    return s;
  }

  /** The same on every machine. */
  private static float power(float base, float exponent) {
    return (float) StrictMath.pow(base, exponent);
  }

  @Override
  public LinearForm prepare(WeightRows weight, Precision precision) {
    Recipe recipe = Recipe.of(precision);
    WeightRows calibrated =
        new LinearForm.RoundedRows(CalibratedWeight.of(weight, precision), precision.compute());
    RowQuantizer inputs =
        recipe.inputs() == ActivationScheme.STATIC
            ? ActivationScheme.fixed(Element.INT8_SYMMETRIC, weight, precision)
            : null;
    QuantizedWeight quantized =
        recipe.strategy() == Strategy.CHANNEL
            ? Vectorwise.quantize(calibrated, Byte.SIZE)
            : TensorInt8.quantize(calibrated);
    return new LinearForm.IntegerProduct(quantized, inputs);
  }
}
