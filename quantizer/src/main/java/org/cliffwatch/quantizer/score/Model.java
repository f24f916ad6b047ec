package org.cliffwatch.quantizer.score;

import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.model.Decoder;
import org.cliffwatch.quantizer.model.Inventory;
import org.cliffwatch.quantizer.scheme.Findings;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.tokenizer.Tokenizer;

/**
 * A checkpoint's packed weights and its tokenizer: what scorers can share.
 *
 * @param checkpoint stays open as long as this: its token embeddings are read as they are needed
 * @param tokenizer null for a checkpoint without one
 * @param kernel kernel identity of the backend
 */
record Model(Checkpoint checkpoint, Decoder decoder, Tokenizer tokenizer, String kernel)
    implements AutoCloseable {
  /**
   * Reads a checkpoint, which stays open as long as this.
   *
   * @param findings of a precision that is calibrated, else null
   * @throws InvalidInputException if its tokenizer has more tokens than the embedding, a tensor
   *     cannot be used, or a file has changed since it was opened
   */
  static Model load(
      Checkpoint checkpoint,
      Inventory inventory,
      Precision precision,
      Findings findings,
      Backend backend) {
    long heapBytes = Runtime.getRuntime().maxMemory();
    return load(checkpoint, inventory, precision, findings, backend, heapBytes);
  }

  /**
   * As {@link #load(Checkpoint, Inventory, Precision, Findings, Backend)}.
   *
   * @param heapBytes what the heap can grow to: requests whose activations do not fit are refused
   */
  static Model load(
      Checkpoint checkpoint,
      Inventory inventory,
      Precision precision,
      Findings findings,
      Backend backend,
      long heapBytes) {
    return checkpoint.consistently(
        () -> read(checkpoint, inventory, precision, findings, backend, heapBytes));
  }

  private static Model read(
      Checkpoint checkpoint,
      Inventory inventory,
      Precision precision,
      Findings findings,
      Backend backend,
      long heapBytes) {
    Tokenizer tokenizer = null;
    if (checkpoint.tokenizerFiles().isPresent()) {
      tokenizer = Tokenizer.open(checkpoint);
      tokenizer.requireFits(checkpoint.tensor(inventory.embedding().name()));
    }
    Decoder decoder = new Decoder(inventory, precision, findings, backend, heapBytes);
    return new Model(checkpoint, decoder, tokenizer, backend.kernel());
  }

  @Override
  public void close() {
    decoder.close();
  }
}
