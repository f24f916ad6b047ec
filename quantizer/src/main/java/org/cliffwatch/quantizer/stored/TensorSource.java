package org.cliffwatch.quantizer.stored;

import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.StoredTensor;

/** The tensors of a checkpoint by their whole names. */
public interface TensorSource {
  boolean has(String name);

  /**
   * The tensor of this name, which has a role from now on.
   *
   * @throws InvalidInputException if there is none
   */
  StoredTensor take(String name);
}
