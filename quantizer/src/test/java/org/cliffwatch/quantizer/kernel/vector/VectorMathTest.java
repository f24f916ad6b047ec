package org.cliffwatch.quantizer.kernel.vector;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class VectorMathTest {
  @Test
  void exponentialOverItsRange() {
    float[] x = new float[VectorMath.LANES];
    for (double v = -87.2; v < 87.2; v += 0.0007) {
      x[0] = (float) v;
      double exact = Math.exp(x[0]);
      double found = VectorMath.exp(VectorMath.load(x, 0)).lane(0);
      assertThat(Math.abs(found / exact - 1)).isLessThan(1.5e-7);
    }
  }
}
