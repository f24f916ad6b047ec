package org.cliffwatch.quantizer.scheme;

import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.scheme.RowQuantizer.Scaling;

/**
 * OCP's Microscaling formats 1.0: 32 columns share a power of two (section 6.3, {@code 2^(⌊log2
 * max⌋ − emax)}, from the exponent's bits; elements round half to even and saturate). The last
 * block of a row may be shorter. Inputs are quantized the same way, a token's 32 at a time, or left
 * as they are.
 *
 * <p>Options: {@code element} of the weights: e4m3 by default with 8 bits, e2m3 with 6, e2m1 with
 * 4; {@code activation_element}, by default the same; {@code scaling_mode}, torchao 0.18's: the
 * specification's {@code floor} by default, whose largest elements may lie beyond the element's
 * range and are then cut off; {@code ceil} and {@code rceil}, which cut none off; {@code even}.
 */
final class Microscaling implements Scheme {
  private static final int SCALE_BITS = 8;
  private static final int BLOCK = 32;

  private static final Element[] ELEMENTS = {
    Element.MXINT8,
    Element.E4M3,
    Element.E5M2,
    Element.E2M3,
    Element.E3M2,
    Element.E2M1,
    Element.MXINT4
  };

  /**
   * @param inputs null: as they are
   */
  private record Recipe(Element weights, Element inputs, Scaling scaling) {
    static Recipe of(Precision precision) {
      Options options = new Options(precision);
      options.weights(bits -> bits == 8 || bits == 6 || bits == 4, "8, 6 or 4");
      Element weights = options.choice("element", usual(precision.weightBits()), ELEMENTS);
      options.weights(
          bits -> bits == weights.bits(), weights.bits() + ", those of " + weights.spelled());
      Scaling scaling =
          options.choice(
              "scaling_mode",
              Scaling.FLOOR,
              Scaling.FLOOR,
              Scaling.CEIL,
              Scaling.RCEIL,
              Scaling.EVEN);
      if (precision.keepsInputs()) {
        options.requireNoOthers();
        return new Recipe(weights, null, scaling);
      }
      Element inputs = options.choice("activation_element", weights, ELEMENTS);
      options.inputs(
          bits -> bits == inputs.bits(), inputs.bits() + ", those of " + inputs.spelled());
      options.requireNoOthers();
      return new Recipe(weights, inputs, scaling);
    }

    private static Element usual(int bits) {
      return bits == 8 ? Element.E4M3 : bits == 6 ? Element.E2M3 : Element.E2M1;
    }
  }

  @Override
  public String name() {
    return "mx";
  }

  @Override
  public void check(Precision precision) {
    Recipe.of(precision);
  }

  @Override
  public LinearForm prepare(WeightRows weight, Precision precision) {
    Recipe recipe = Recipe.of(precision);
    RowQuantizer inputs =
        recipe.inputs() == null
            ? null
            : RowQuantizer.microscaling(recipe.inputs(), recipe.scaling());
    return new LinearForm.Coded(
        CodedWeight.quantized(
            weight, RowQuantizer.microscaling(recipe.weights(), recipe.scaling())),
        inputs,
        precision.compute());
  }

  @Override
  public double bits(int columns, Precision precision) {
    return precision.weightBits() + (double) SCALE_BITS / Math.min(BLOCK, columns);
  }
}
