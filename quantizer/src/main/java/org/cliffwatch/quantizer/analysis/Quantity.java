package org.cliffwatch.quantizer.analysis;

import java.io.Serializable;

/**
 * A number that an analysis found.
 *
 * @param layer of the decoder, from 0; null: of the whole model
 * @param projection linear layers that share an input, {@code query_key_value}, one of them, {@code
 *     key}, or a norm, {@code attention_norm}
 * @param quantity its name, as {@link CheckpointAnalysis} lists them
 */
public record Quantity(Integer layer, String projection, String quantity, double value)
    implements Serializable {
  private static final long serialVersionUID = 1L;
}
