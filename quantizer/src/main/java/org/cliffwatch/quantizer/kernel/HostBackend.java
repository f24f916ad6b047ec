package org.cliffwatch.quantizer.kernel;

import java.util.OptionalLong;

/** A backend whose activations are Java arrays. */
public abstract class HostBackend implements Backend {
  /**
   * Rows of a batch: enough that weights streamed from memory, or unpacked as they are multiplied,
   * are used often, few enough that its activations stay in the cache. With AMX 768 rows are not
   * slower than 384 in any precision, and weights of 4 bits a tenth to a fifth faster.
   */
  private static final int BATCH_ROWS = 768;

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
