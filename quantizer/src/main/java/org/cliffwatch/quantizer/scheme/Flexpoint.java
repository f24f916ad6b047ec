package org.cliffwatch.quantizer.scheme;

import java.io.Serializable;

/**
 * flexN+M (Köster et al. 2017): all numbers of a tensor are two's complement mantissas of N bits
 * times one power of two, {@code κ = 2^−e}.
 *
 * <p>That e is an unsigned integer of M bits is read from the paper's Figure 2, whose axis for
 * flex16+5 spans 2⁻³² to 2¹⁶: κ is 2⁻³¹ to 1.
 *
 * @param mantissaBits N, 8 to 16
 * @param exponentBits M, 1 to 6: κ² stays a normal float32
 */
public record Flexpoint(int mantissaBits, int exponentBits) implements Serializable {
  private static final long serialVersionUID = 1L;

  public Flexpoint {
    if (mantissaBits < 8 || mantissaBits > 16 || exponentBits < 1 || exponentBits > 6) {
      throw new IllegalArgumentException(
          "flex%s+%s, expected 8 to 16 bits and 1 to 6".formatted(mantissaBits, exponentBits));
    }
  }

  /** 2^−e. */
  float scale(int exponent) {
    return Math.scalb(1f, -exponent);
  }

  /** The exponent that is there, for one that is wanted. */
  int nearestExponent(int wanted) {
    return Math.max(0, Math.min((1 << exponentBits) - 1, wanted));
  }

  /**
   * A number's mantissa, the nearest, half to even; beyond −2^(N−1) and 2^(N−1) − 1 these.
   *
   * @param scale κ
   */
  public int mantissa(float value, float scale) {
    return (int) element().round(value / scale);
  }

  /**
   * Whether a tensor may have been cut off.
   *
   * @param largest magnitude of its mantissas
   */
  public boolean overflows(int largest) {
    return largest >= (1 << (mantissaBits - 1)) - 1;
  }

  /** How rows of a tensor become numbers of it. */
  RowQuantizer quantizer(float scale) {
    return RowQuantizer.fixed(element(), scale, 0);
  }

  private Element element() {
    return Element.integer(mantissaBits);
  }
}
