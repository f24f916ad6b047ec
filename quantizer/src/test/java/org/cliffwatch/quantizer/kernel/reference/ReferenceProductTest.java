package org.cliffwatch.quantizer.kernel.reference;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.SplittableRandom;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.MatrixRows;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.scheme.LinearForm;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ReferenceProductTest {
  private static final int OUTPUTS = 50;
  private static final int INPUTS = 33;
  private static final int ROWS = 4;

  /** Small integers, whose sums are exact. */
  private static WeightRows weight() {
    SplittableRandom random = new SplittableRandom(1);
    float[] values = new float[OUTPUTS * INPUTS];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextInt(-9, 10);
    }
    return new MatrixRows("w", OUTPUTS, INPUTS, values);
  }

  /** A vocabulary too large for one array is multiplied a panel of outputs at a time. */
  @ParameterizedTest
  @ValueSource(ints = {1, INPUTS, 7 * INPUTS, 49 * INPUTS, 50 * INPUTS, 1 << 28})
  void panelsOfOutputsAreTheSameOutputs(int maxElements) {
    WeightRows weight = weight();
    float[] x = new float[ROWS * INPUTS];
    for (int i = 0; i < x.length; i++) {
      x[i] = i % 11 - 5;
    }
    float[] y = new float[ROWS * OUTPUTS];
    LinearForm.Floating form = new LinearForm.Floating(weight, FloatType.FLOAT32);
    try (ReferenceProduct product = new ReferenceProduct.Floating(form, maxElements)) {
      product.multiply(x, ROWS, y);
      assertThat(product.bytes()).isEqualTo((long) Float.BYTES * OUTPUTS * INPUTS);
    }
    float[] row = new float[INPUTS];
    for (int o = 0; o < OUTPUTS; o++) {
      weight.row(o, row);
      for (int t = 0; t < ROWS; t++) {
        float sum = 0;
        for (int i = 0; i < INPUTS; i++) {
          sum += x[t * INPUTS + i] * row[i];
        }
        assertThat(y[t * OUTPUTS + o]).isEqualTo(sum);
      }
    }
  }
}
