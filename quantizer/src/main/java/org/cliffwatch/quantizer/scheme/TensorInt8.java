package org.cliffwatch.quantizer.scheme;

import org.cliffwatch.quantizer.kernel.WeightRows;

/**
 * int8 with one scale for a whole weight, max|W| / 127, and one a token for inputs: "absmax" of
 * LLM.int8()'s Table 1, whose inputs have one scale a call, and SmoothQuant's W8A8 with tokens of
 * their own. Otherwise as {@link Vectorwise}.
 */
final class TensorInt8 implements Scheme {
  @Override
  public String name() {
    return "tensor-int8";
  }

  @Override
  public void check(Precision precision) {
    new Options(precision)
        .weights(bits -> bits == 8, "8")
        .inputs(bits -> bits == 8, "8")
        .requireNoOthers();
  }

  @Override
  public boolean multipliesIntegers(Precision precision) {
    return true;
  }

  @Override
  public LinearForm prepare(WeightRows weight, Precision precision) {
    return new LinearForm.IntegerProduct(quantize(weight));
  }

  static QuantizedWeight quantize(WeightRows weight) {
    float scale = Vectorwise.scale(Schemes.largestMagnitude(weight), Vectorwise.LEVELS_8_BIT);
    return QuantizedWeight.of(
        weight,
        Byte.SIZE,
        (r, row, codes, at) -> {
          for (int c = 0; c < row.length; c++) {
            codes[at + c] = Vectorwise.code(row[c], scale, Vectorwise.LEVELS_8_BIT);
          }
          return scale;
        });
  }

  @Override
  public double bits(int columns, Precision precision) {
    return precision.weightBits();
  }
}
