package org.cliffwatch.quantizer.scheme;

import java.util.Set;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.WeightRows;

/**
 * Flexpoint (Köster et al. 2017) for inference: weights and inputs of linear layers are {@link
 * Flexpoint} tensors, whose exponents are found beforehand, for a score may not follow its batch.
 *
 * <p>A weight's is what Algorithm 1 of {@link Autoflex} gives its largest number. Inputs have one
 * for each use, which is a group of layers that read the same: Autoflex goes through the largest
 * magnitudes of the calibration samples in their order, a sample a minibatch, and what it predicts
 * for the next one is kept; what is beyond saturates. Samples without inputs, of an expert that
 * none of their tokens chose, are no minibatches, and inputs that no text reaches have the largest
 * κ of the block.
 *
 * <p>Mantissas of 8 bits are multiplied as integers, exactly. Of wider ones, products and sums are
 * float32, as in the paper's simulation on GPUs.
 *
 * <p>Options: {@code exponent_bits}, 5 by default, up to 6; {@link Calibration}. The mantissas'
 * bits are {@code weight_bits} and {@code activation_bits}, 8 to 16.
 */
final class FlexpointScheme implements Scheme {
  private static final int EXPONENT_BITS = 5;

  @Override
  public String name() {
    return "flexpoint";
  }

  @Override
  public void check(Precision precision) {
    format(precision);
  }

  private static Flexpoint format(Precision precision) {
    Options options = new Options(precision);
    int bits = precision.weightBits();
    options
        .weights(n -> n >= Byte.SIZE && n <= Short.SIZE, "8 to 16")
        .inputs(n -> n == bits, bits + ", as weight_bits");
    if (precision.compute() != FloatType.FLOAT32) {
      String found = Precisions.spelled(precision.compute());
      throw options.mismatch("compute", found, "float32, which holds every mantissa");
    }
    int exponentBits =
        options.integer("exponent_bits", EXPONENT_BITS, n -> n >= 1 && n <= 6, "1 to 6");
    Calibration.of(options);
    options.requireNoOthers();
    return new Flexpoint(bits, exponentBits);
  }

  @Override
  public double bits(int columns, Precision precision) {
    return precision.weightBits();
  }

  @Override
  public double packedBits(int columns, Precision precision) {
    return multipliesIntegers(precision) ? Byte.SIZE : Float.SIZE;
  }

  @Override
  public boolean multipliesIntegers(Precision precision) {
    return precision.weightBits() == Byte.SIZE;
  }

  @Override
  public Set<Statistic> statistics(Precision precision) {
    return Set.of(Statistic.LARGEST);
  }

  @Override
  public void calibrate(CalibrationBlock block, Precision precision, Findings findings) {
    Flexpoint format = format(precision);
    float largest = 0;
    for (CalibrationBlock.Group group : block.groups()) {
      largest = Math.max(largest, predicted(group.inputs(), format));
    }
    for (CalibrationBlock.Group group : block.groups()) {
      float own = predicted(group.inputs(), format);
      for (CalibrationBlock.Layer layer : group.layers()) {
        findings.put(layer.name(), Findings.INPUT_SCALE, own == 0 ? largest : own);
      }
    }
  }

  /** κ after all samples; 0 if none has inputs. */
  private static float predicted(InputStatistics inputs, Flexpoint format) {
    Autoflex autoflex = null;
    for (float magnitude : inputs.largestOfSamples()) {
      if (magnitude > 0) {
        autoflex = autoflex == null ? Autoflex.initialized(format, magnitude) : autoflex;
        autoflex.update(format.mantissa(magnitude, autoflex.scale()));
      }
    }
    return autoflex == null ? 0 : autoflex.scale();
  }

  @Override
  public LinearForm prepare(WeightRows weight, Precision precision) {
    Flexpoint format = format(precision);
    float inputScale = CalibratedWeight.of(weight, precision).require(Findings.INPUT_SCALE, 1)[0];
    RowQuantizer inputs = format.quantizer(inputScale);
    float scale = Autoflex.initialized(format, Schemes.largestMagnitude(weight)).scale();
    RowQuantizer weights = format.quantizer(scale);
    return multipliesIntegers(precision)
        ? new LinearForm.IntegerProduct(codes(weight, weights), inputs)
        : new LinearForm.Floating(new Widened(weight, weights), precision.compute(), inputs);
  }

  private static QuantizedWeight codes(WeightRows weight, RowQuantizer quantizer) {
    return QuantizedWeight.of(
        weight, Byte.SIZE, (r, row, codes, at) -> quantizer.codes(row, 0, row.length, codes, at));
  }

  /** A weight's rows, quantized and widened as they are read. */
  private record Widened(WeightRows weight, RowQuantizer quantizer) implements ChangedRows {
    @Override
    public void row(int r, float[] out) {
      weight.row(r, out);
      quantizer.apply(out, 0, columns(), out, 0);
    }
  }
}
