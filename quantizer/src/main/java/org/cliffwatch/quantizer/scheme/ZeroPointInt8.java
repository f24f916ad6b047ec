package org.cliffwatch.quantizer.scheme;

import org.cliffwatch.quantizer.kernel.WeightRows;

/**
 * int8 with a scale and a zero point a row, of a weight an output, of inputs a token: "zeropoint
 * vector-wise" of LLM.int8()'s Table 1, with all 256 codes where the paper has 255 ({@link
 * RowQuantizer.Scaling#RANGE}).
 */
final class ZeroPointInt8 implements Scheme {
  private static final RowQuantizer ROWS = RowQuantizer.dynamic(Element.INT8, false, 0);

  @Override
  public String name() {
    return "zero-point-int8";
  }

  @Override
  public void check(Precision precision) {
    new Options(precision)
        .weights(bits -> bits == 8, "8")
        .inputs(bits -> bits == 8, "8")
        .requireNoOthers();
  }

  @Override
  public LinearForm prepare(WeightRows weight, Precision precision) {
    return new LinearForm.Coded(CodedWeight.quantized(weight, ROWS), ROWS, precision.compute());
  }

  @Override
  public double bits(int columns, Precision precision) {
    return precision.weightBits() + (double) (Float.SIZE + Byte.SIZE) / columns;
  }
}
