package org.cliffwatch.quantizer.scheme;

/** What is quantized already where calibration text reaches a layer. */
public enum QuantizedBefore {
  /** Nothing: all schemes that ask for this see the same inputs. */
  NOTHING,
  /** The blocks before its own. */
  BLOCKS,
  /**
   * All layers before it; those that share its input, and the other experts' at its place, are not.
   */
  LAYERS
}
