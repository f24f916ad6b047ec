package org.cliffwatch.quantizer.scheme;

import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.WeightRows;

/**
 * LLM.int8() (Dettmers et al. 2022, section 3) as bitsandbytes computes it ({@code
 * backends/default/ops.py}): weights rounded to float16, {@code q = rint(w · (127 / max|w|))} a
 * row; inputs of at least a threshold multiply the dequantized weights as they are, the others as
 * codes with a scale a token. Which inputs are outliers is decided row by row, as bitsandbytes does
 * for a call of one row: of all rows of a call a score would depend on its batch.
 *
 * <p>Options: {@code threshold}, 6.0 by default, 0 for no outliers.
 */
final class LlmInt8 implements Scheme {
  /** bitsandbytes' 1 / 127 for dequantized weights. */
  private static final float STEP = 0.007874016f;

  private static float threshold(Precision precision) {
    Options options = new Options(precision);
    options.weights(bits -> bits == 8, "8").inputs(bits -> bits == 8, "8");
    float threshold = options.number("threshold", 6);
    if (precision.options().containsKey("batch_outliers")) {
      throw new InvalidInputException(
          ("precision %s: scheme llm-int8: batch_outliers: outliers of a whole call would make a"
                  + " score depend on its batch; they are each row's own")
              .formatted(precision.name()));
    }
    options.requireNoOthers();
    return threshold == 0 ? Float.POSITIVE_INFINITY : threshold;
  }

  @Override
  public String name() {
    return "llm-int8";
  }

  @Override
  public void check(Precision precision) {
    threshold(precision);
  }

  @Override
  public boolean multipliesIntegers(Precision precision) {
    return true;
  }

  @Override
  public LinearForm prepare(WeightRows weight, Precision precision) {
    return new LinearForm.IntegerProduct(
        quantize(weight), RowQuantizer.withOutliers(threshold(precision)));
  }

  @Override
  public double bits(int columns, Precision precision) {
    return precision.weightBits() + (double) Float.SIZE / columns;
  }

  private static QuantizedWeight quantize(WeightRows weight) {
    return QuantizedWeight.of(
        weight,
        Byte.SIZE,
        (r, row, codes, at) -> {
          Schemes.round(weight, r, row, FloatType.FLOAT16);
          float max = Schemes.largestMagnitude(row, 0, row.length);
          float factor = 127 / max;
          for (int c = 0; c < row.length; c++) {
            codes[at + c] = max == 0 ? 0 : (byte) Math.rint(row[c] * factor);
          }
          return max * STEP;
        });
  }
}
