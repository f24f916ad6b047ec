package org.cliffwatch.quantizer.model;

import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.Constants;
import org.cliffwatch.quantizer.kernel.FloatType;

/**
 * {@link Rotary.Tables} where a backend keeps them, rounded to the compute type where the family's
 * are.
 *
 * @param rotary whose they are
 * @param regime of the sequences they serve
 * @param positions rows of both
 */
record RotaryTables(Rotary rotary, int regime, int positions, Constants cos, Constants sin)
    implements AutoCloseable {
  /**
   * @param positions there are to be
   * @param length of the sequence
   */
  static RotaryTables of(
      Rotary rotary, int positions, int length, FloatType compute, Backend backend) {
    FloatType type = rotary.isRounded() ? compute : FloatType.FLOAT32;
    Rotary.Tables tables = rotary.tables(positions, length);
    return new RotaryTables(
        rotary,
        rotary.regime(length),
        tables.positions(),
        backend.constants(type.rounded(tables.cos())),
        backend.constants(type.rounded(tables.sin())));
  }

  @Override
  public void close() {
    cos.close();
    sin.close();
  }
}
