package org.cliffwatch.quantizer.kernel;

import java.util.OptionalLong;

/** A backend whose activations are Java arrays. */
public abstract class HostBackend implements Backend {
  /**
   * Rows of a batch: enough that weights streamed from memory are reused, few enough that its
   * activations stay in the cache.
   */
  private static final int BATCH_ROWS = 384;

  @Override
  public final Constants constants(float[] values) {
    return new HostSession.Values(values);
  }

  @Override
  public final Table table(WeightRows rows, FloatType type) {
    return new HostSession.Lookup(rows);
  }

  @Override
  public final Session session(FloatType compute) {
    return new HostSession(operations(), compute);
  }

  @Override
  public final int batchRows() {
    return BATCH_ROWS;
  }

  @Override
  public final OptionalLong deviceBytes() {
    return OptionalLong.empty();
  }
}
