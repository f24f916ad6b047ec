package org.cliffwatch.jobs.plan;

import java.io.Serializable;

/**
 * A checkpoint whose content has been read once, or that cannot be.
 *
 * @param identity sha256 of weights, configuration and tokenizer; null if it cannot be read
 * @param bytes size of its weights as stored
 * @param addsBos whether its tokenizer begins a text with BOS of itself
 * @param refusal why nothing can be scored with it, naming the file; null where it can
 */
public record FingerprintedCheckpoint(
    CheckpointAt checkpoint, String identity, long bytes, boolean addsBos, String refusal)
    implements Serializable {
  private static final long serialVersionUID = 1L;

  static FingerprintedCheckpoint refused(CheckpointAt checkpoint, String refusal) {
    return new FingerprintedCheckpoint(checkpoint, null, 0, false, refusal);
  }
}
