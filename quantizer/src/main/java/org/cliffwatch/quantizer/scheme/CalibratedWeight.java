package org.cliffwatch.quantizer.scheme;

import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.WeightRows;

/**
 * A linear layer's weight with what calibration found for it: its columns multiplied by what was
 * taken out of its inputs, its rows divided by what its consumers give back.
 */
public final class CalibratedWeight implements ChangedRows {
  private final WeightRows weight;
  private final String layer;
  private final Findings findings;
  private final float[] factor;
  private final float[] divisor;

  /**
   * @param layer as {@link CalibrationBlock.Layer} names it
   */
  public CalibratedWeight(WeightRows weight, String layer, Findings findings) {
    this.weight = weight;
    this.layer = layer;
    this.findings = findings;
    this.factor = found(Findings.INPUT_FACTOR, weight.columns());
    this.divisor = found(Findings.OUTPUT_DIVISOR, weight.rows());
  }

  /** Whether its inputs or outputs are scaled, and others' with them. */
  public boolean isScaled() {
    return factor != null || divisor != null;
  }

  private float[] found(String what, int size) {
    float[] values = findings.numbers(layer, what).orElse(null);
    if (values != null && values.length != size) {
      throw mismatch(what, values.length, size);
    }
    return values;
  }

  private InvalidInputException mismatch(String what, int found, int expected) {
    return new InvalidInputException(
        "calibration of %s: %s: found %s numbers, expected %s"
            .formatted(layer, what, found, expected));
  }

  /**
   * A weight's findings.
   *
   * @throws InvalidInputException if it was not calibrated
   */
  static CalibratedWeight of(WeightRows weight, Precision precision) {
    if (weight instanceof CalibratedWeight calibrated) {
      return calibrated;
    }
    throw new InvalidInputException(
        "precision %s: found no calibration of %s, expected text to calibrate it with, or a precision that needs none"
            .formatted(precision.name(), weight.name()));
  }

  /**
   * Numbers that were found for it.
   *
   * @throws InvalidInputException if there are none, or not as many
   */
  float[] require(String what, int size) {
    float[] values = found(what, size);
    if (values == null) {
      throw mismatch(what, 0, size);
    }
    return values;
  }

  /** Codes that were found for it: a byte a weight. */
  byte[] requireCodes(String what) {
    byte[] codes = findings.codes(layer, what).orElse(new byte[0]);
    if (codes.length != (long) rows() * columns()) {
      throw mismatch(what, codes.length, rows() * columns());
    }
    return codes;
  }

  @Override
  public WeightRows weight() {
    return weight;
  }

  @Override
  public void row(int r, float[] out) {
    weight.row(r, out);
    for (int c = 0; factor != null && c < columns(); c++) {
      out[c] *= factor[c];
    }
    for (int c = 0; divisor != null && c < columns(); c++) {
      out[c] /= divisor[r];
    }
  }
}
