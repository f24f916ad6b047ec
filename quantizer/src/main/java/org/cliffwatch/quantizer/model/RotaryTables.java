package org.cliffwatch.quantizer.model;

import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.Constants;
import org.cliffwatch.quantizer.kernel.FloatType;

/**
 * {@link Rotary.Tables} where a backend keeps them, rounded to the compute type.
 *
 * @param positions rows of both
 */
record RotaryTables(int positions, Constants cos, Constants sin) implements AutoCloseable {
  static RotaryTables of(Rotary.Tables tables, FloatType compute, Backend backend) {
    return new RotaryTables(
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
