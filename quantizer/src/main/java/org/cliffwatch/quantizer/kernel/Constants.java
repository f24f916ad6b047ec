package org.cliffwatch.quantizer.kernel;

/**
 * Float32 values that operations read, where a backend keeps them: gains and biases of norms,
 * ALiBi's slopes, rotary tables.
 */
public interface Constants extends AutoCloseable {
  @Override
  void close();
}
