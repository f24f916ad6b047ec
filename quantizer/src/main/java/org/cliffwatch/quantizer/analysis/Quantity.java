package org.cliffwatch.quantizer.analysis;

import java.io.Serializable;

/**
 * A number that an analysis found.
 *
 * @param layer of the decoder, from 0; null: of the whole model
 * @param projection linear layers that share an input, {@code query_key_value}, one of them, {@code
 *     key}, or a norm, {@code attention_norm}; {@code all}: all linear layers inside blocks
 * @param quantity its name, as {@link CheckpointAnalysis} and {@link LossLandscape} list them
 * @param precision that it is of; null: of the checkpoint in float32
 */
public record Quantity(
    Integer layer, String projection, String quantity, String precision, double value)
    implements Serializable {
  private static final long serialVersionUID = 2L;

  /** Of the checkpoint in float32. */
  public Quantity(Integer layer, String projection, String quantity, double value) {
    this(layer, projection, quantity, null, value);
  }
}
