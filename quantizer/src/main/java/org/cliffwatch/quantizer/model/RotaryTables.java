package org.cliffwatch.quantizer.model;

import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.Constants;
import org.cliffwatch.quantizer.kernel.FloatType;

/**
 * {@link Rotary.Tables} where a backend keeps them, rounded to the compute type.
 *
 * @param regime of the sequences they serve
 * @param positions rows of both
 */
record RotaryTables(int regime, int positions, Constants cos, Constants sin)
    implements AutoCloseable {
  static RotaryTables of(int regime, Rotary.Tables tables, FloatType compute, Backend backend) {
    return new RotaryTables(
        regime,
        tables.positions(),
        backend.constants(compute.rounded(tables.cos())),
        backend.constants(compute.rounded(tables.sin())));
  }

  @Override
  public void close() {
    cos.close();
    sin.close();
  }
}
