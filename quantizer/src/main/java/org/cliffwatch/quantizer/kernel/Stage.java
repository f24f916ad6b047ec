package org.cliffwatch.quantizer.kernel;

import java.util.Locale;

/** What a scorer's time goes to. */
public enum Stage {
  /** Text to token ids. */
  TOKENIZER,
  /** The products of linear layers, alone. */
  PRODUCTS,
  /** Inputs of linear layers quantized or packed, their results scaled, biased and rounded. */
  QUANTIZATION,
  /** Scores, softmax and weighted sums of values; the rotation of queries and keys. */
  ATTENTION,
  /** Normalizations, activations, residual sums and rounding to 16 bits. */
  ELEMENTWISE,
  /** The products of the vocabulary projection, alone. */
  VOCABULARY,
  /** Its inputs packed, and its log-softmax. */
  LOG_SUM_EXP,
  /** Waiting for a device, which works while the host goes on. */
  DEVICE,
  /** Embedding, sorting and packing. */
  REST;

  /** As people read it. */
  public String spelled() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}
