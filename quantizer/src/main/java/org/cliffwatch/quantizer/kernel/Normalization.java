package org.cliffwatch.quantizer.kernel;

/** Which statistics a normalization divides out. */
public enum Normalization {
  /** x / √(mean(x²) + ε) · weight. */
  RMS,
  /** (x − mean) / √(variance + ε) · weight + bias. */
  LAYER
}
