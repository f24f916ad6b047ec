package org.cliffwatch.quantizer.kernel;

/**
 * Rows of activations, where a backend keeps them: Java arrays, or a device's memory. Made by a
 * {@link Session} and used by it alone.
 */
public interface Rows extends AutoCloseable {
  /** Values of a row. */
  int width();

  @Override
  void close();
}
