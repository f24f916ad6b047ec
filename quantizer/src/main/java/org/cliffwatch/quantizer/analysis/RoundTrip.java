package org.cliffwatch.quantizer.analysis;

import org.cliffwatch.quantizer.scheme.Vectorwise;

/**
 * What vectorwise int8 takes from rows and does not give back: of {@code X − dequant(quant(X))}
 * (Ahmadian et al. 2023, section 5) over all rows, in float64.
 */
final class RoundTrip {
  private double error;
  private double power;
  private long values;
  private byte[] codes = {};

  /** Adds a row, {@code v[at .. at + n)}. */
  void add(float[] v, int at, int n) {
    codes = codes.length < n ? new byte[n] : codes;
    float scale = Vectorwise.quantize(v, at, n, Vectorwise.LEVELS_8_BIT, codes, 0);
    for (int i = 0; i < n; i++) {
      double value = v[at + i];
      double lost = value - codes[i] * scale;
      error += lost * lost;
      power += value * value;
    }
    values += n;
  }

  /** The root mean square of the difference. */
  double rmse() {
    return Math.sqrt(error / values);
  }

  /** 10 · log10(Σ x² / Σ (x − x̂)²), dB: Xu et al. 2024's SQNR. Infinite where nothing is lost. */
  double sqnrDecibels() {
    return 10 * Math.log10(power / error);
  }
}
