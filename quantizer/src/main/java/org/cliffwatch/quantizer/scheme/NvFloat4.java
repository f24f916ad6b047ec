package org.cliffwatch.quantizer.scheme;

import org.cliffwatch.quantizer.kernel.WeightRows;

/**
 * NVFP4: e2m1 in blocks of 16 columns whose scales are e4m3, and one float32 scale that brings the
 * largest of those to 448, of a weight for all of it, of inputs for a token (NVIDIA calibrates one
 * for all tokens). By the formulas of compressed-tensors 0.20.
 */
final class NvFloat4 implements Scheme {
  private static final int BLOCK = 16;
  private static final int SCALE_BITS = 8;

  @Override
  public String name() {
    return "nvfp4";
  }

  @Override
  public void check(Precision precision) {
    Options options = new Options(precision);
    options.weights(bits -> bits == 4, "4");
    if (!precision.keepsInputs()) {
      options.inputs(bits -> bits == 4, "4, or the compute type's width");
    }
    options.requireNoOthers();
  }

  @Override
  public LinearForm prepare(WeightRows weight, Precision precision) {
    float global = RowQuantizer.global(Schemes.largestMagnitude(weight));
    return new LinearForm.Coded(
        CodedWeight.quantized(weight, RowQuantizer.withGlobal(global)),
        precision.keepsInputs() ? null : RowQuantizer.withRowGlobal(),
        precision.compute());
  }

  @Override
  public double bits(int columns, Precision precision) {
    return precision.weightBits() + (double) SCALE_BITS / Math.min(BLOCK, columns);
  }
}
