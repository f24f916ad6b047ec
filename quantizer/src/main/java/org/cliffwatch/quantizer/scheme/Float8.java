package org.cliffwatch.quantizer.scheme;

import org.cliffwatch.quantizer.kernel.WeightRows;

/**
 * 8-bit floats with a float32 scale a row, of a weight an output, of inputs a token as it comes:
 * {@code s = max / (largest number)}, 2⁻²³ for 0, as compressed-tensors' FP8_DYNAMIC has it.
 *
 * <p>Options: {@code element}, e4m3 by default, or e5m2.
 */
final class Float8 implements Scheme {
  private static RowQuantizer rows(Precision precision) {
    Options options = new Options(precision);
    options.weights(bits -> bits == 8, "8");
    if (!Options.asTheyAre(precision)) {
      options.inputs(bits -> bits == 8, "8, or the compute type's width");
    }
    Element element = options.choice("element", Element.E4M3, Element.E4M3, Element.E5M2);
    options.requireNoOthers();
    return RowQuantizer.dynamic(element, true, 0);
  }

  @Override
  public String name() {
    return "fp8";
  }

  @Override
  public void check(Precision precision) {
    rows(precision);
  }

  @Override
  public LinearForm prepare(WeightRows weight, Precision precision) {
    RowQuantizer rows = rows(precision);
    return new LinearForm.Coded(
        CodedWeight.quantized(weight, rows),
        Options.asTheyAre(precision) ? null : rows,
        precision.compute());
  }

  @Override
  public double bits(int columns, Precision precision) {
    return precision.weightBits() + (double) Float.SIZE / columns;
  }
}
