package org.cliffwatch.quantizer.kernel;

/** Rows that are looked up, where a backend keeps them: token embeddings, learned positions. */
public interface Table extends AutoCloseable {
  @Override
  void close();
}
