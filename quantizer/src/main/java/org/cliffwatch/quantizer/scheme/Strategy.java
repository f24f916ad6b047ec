package org.cliffwatch.quantizer.scheme;

/** What of a weight shares a scale, as compressed-tensors calls it. */
enum Strategy {
  /** Every output has its own. */
  CHANNEL,
  /** All of it. */
  TENSOR;

  static Strategy of(Options options) {
    return options.choice("strategy", CHANNEL, values());
  }

  /** Bits of scales that a weight takes. */
  double scaleBits(int columns) {
    return this == TENSOR ? 0 : (double) Float.SIZE / columns;
  }
}
