package org.cliffwatch.quantizer.train;

import org.cliffwatch.quantizer.kernel.FloatType;

/** How the results of a decoder's operations are kept. */
interface Rounding {
  /**
   * Rounds a result, or a part of it, in place.
   *
   * @param use which operation's: an index below {@link DecoderGradient#uses}
   * @param x of which the first {@code n} values are the result
   */
  void round(int use, float[] x, int n);

  /** To a floating-point type, whatever the operation. */
  static Rounding to(FloatType type) {
    return (use, x, n) -> Lanes.round(type, x, n);
  }
}
