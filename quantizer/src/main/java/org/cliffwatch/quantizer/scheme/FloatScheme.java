package org.cliffwatch.quantizer.scheme;

import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.WeightRows;

/** No quantization: weights rounded to the compute type, half to even. */
final class FloatScheme implements Scheme {
  @Override
  public String name() {
    return "float";
  }

  @Override
  public void check(Precision precision) {
    int width = precision.compute() == FloatType.FLOAT32 ? 32 : 16;
    if (precision.weightBits() != width || precision.activationBits() != width) {
      throw new InvalidInputException(
          "precision %s: scheme float with compute %s has weight_bits and activation_bits %s; found %s and %s"
              .formatted(
                  precision.name(),
                  Precisions.spelled(precision.compute()),
                  width,
                  precision.weightBits(),
                  precision.activationBits()));
    }
    new Options(precision).requireNoOthers();
  }

  @Override
  public double bits(int columns, Precision precision) {
    return precision.weightBits();
  }

  @Override
  public LinearForm prepare(WeightRows weight, Precision precision) {
    return new LinearForm.Floating(weight, precision.compute());
  }
}
