package org.cliffwatch.quantizer.scheme;

/** What a scheme may ask of the inputs that calibration text gives a linear layer. */
public enum Statistic {
  /** The largest magnitude of every column, and of every sample. */
  LARGEST,
  /** The mean magnitude of every column. */
  MEAN_MAGNITUDE,
  /** Σ x xᵀ. */
  GRAM,
  /** All of them. */
  ROWS
}
