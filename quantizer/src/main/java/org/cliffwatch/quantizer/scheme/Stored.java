package org.cliffwatch.quantizer.scheme;

import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.WeightRows;

/**
 * A quantized checkpoint as its file has it: its codes, scales and zero points, its way of
 * quantizing inputs. Layers that it holds as plain numbers are multiplied as those.
 */
final class Stored implements Scheme {
  @Override
  public String name() {
    return "stored";
  }

  @Override
  public void check(Precision precision) {
    if (precision.weightBits() != 0 || precision.activationBits() != 0) {
      throw new InvalidInputException(
          ("precision %s: scheme stored has weight_bits 0 and activation_bits 0, for what the"
                  + " checkpoint says; found %s and %s")
              .formatted(precision.name(), precision.weightBits(), precision.activationBits()));
    }
    new Options(precision).requireNoOthers();
  }

  /** Of a layer that the file holds as plain numbers. */
  @Override
  public double bits(int columns, Precision precision) {
    return precision.compute() == FloatType.FLOAT32 ? Float.SIZE : Short.SIZE;
  }

  @Override
  public LinearForm prepare(WeightRows weight, Precision precision) {
    return weight instanceof StoredWeight stored
        ? stored.form(precision.compute())
        : new LinearForm.Floating(weight, precision.compute());
  }
}
