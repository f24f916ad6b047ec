package org.cliffwatch.quantizer.scheme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.SplittableRandom;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.MatrixRows;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class VectorwiseTest {
  @Test
  void tiesGoToEven() {
    float[] v = {127, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 126.5f};
    byte[] codes = new byte[v.length];
    assertThat(Vectorwise.quantize(v, 0, v.length, 127, codes, 0)).isEqualTo(1);
    assertThat(codes).containsExactly(127, 0, 2, 2, 0, -2, 126);
  }

  @Test
  void zeroRowHasScaleOne() {
    byte[] codes = {9, 9};
    assertThat(Vectorwise.quantize(new float[] {0, -0f}, 0, 2, 127, codes, 0)).isEqualTo(1);
    assertThat(codes).containsExactly(0, 0);
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
  void notFiniteRowsAreNaN(float bad) {
    byte[] codes = {9, 9, 9};
    assertThat(Vectorwise.quantize(new float[] {1, bad, 2}, 0, 3, 127, codes, 0)).isNaN();
    assertThat(codes).containsExactly(0, 0, 0);
  }

  @Test
  void subnormalScalesStayWithinTheLevels() {
    float[] v = {Float.MIN_VALUE * 190, -Float.MIN_VALUE * 190, Float.MIN_VALUE};
    byte[] codes = new byte[3];
    assertThat(Vectorwise.quantize(v, 0, 3, 127, codes, 0)).isEqualTo(Float.MIN_VALUE);
    assertThat(codes).containsExactly(127, -127, 1);
    assertThat(Vectorwise.quantize(v, 2, 1, 127, codes, 0)).isEqualTo(1);
  }

  /** Half a step, and the rounding of v / s at 127 levels. */
  @ParameterizedTest
  @ValueSource(ints = {7, 127})
  void errorIsAtMostHalfAStep(int levels) {
    SplittableRandom random = new SplittableRandom(7);
    float[] v = new float[1031];
    for (int i = 0; i < v.length; i++) {
      v[i] = (float) (random.nextGaussian() * (i % 100 == 0 ? 50 : 1));
    }
    byte[] codes = new byte[v.length];
    float scale = Vectorwise.quantize(v, 0, v.length, levels, codes, 0);
    for (int i = 0; i < v.length; i++) {
      assertThat(Math.abs(v[i] - (double) codes[i] * scale)).isLessThanOrEqualTo(scale * 0.50001);
      assertThat((int) codes[i]).isBetween(-levels, levels);
    }
  }

  @Test
  void weightThatIsNotFiniteIsNamed() {
    float[] values = {1, 1, 1, 1, 1, Float.NaN};
    WeightRows weight = new MatrixRows("h.0.mlp", 2, 3, values);
    assertThatThrownBy(() -> new Vectorwise().prepare(weight, Precisions.packaged().named("w8a8")))
        .isInstanceOf(InvalidInputException.class)
        .hasMessage("h.0.mlp: row 1, column 2: found NaN, expected a finite weight");
  }

  @ParameterizedTest
  @ValueSource(strings = {"w8", "w4", "w8a8"})
  void aMatrixOfMoreThanAnArrayHoldsIsRefusedByName(String name) {
    WeightRows huge =
        new WeightRows() {
          @Override
          public String name() {
            return "up_proj";
          }

          @Override
          public int rows() {
            return 1 << 16;
          }

          @Override
          public int columns() {
            return 1 << 15;
          }

          @Override
          public void row(int r, float[] out) {
            throw new AssertionError("read before its size was checked");
          }
        };
    Precision precision = Precisions.packaged().named(name);
    assertThatThrownBy(() -> new Vectorwise().prepare(huge, precision))
        .isInstanceOf(InvalidInputException.class)
        .hasMessage(
            "up_proj: found (65536, 32768), 2147483648 weights; expected at most 2147483639 in a"
                + " quantized matrix");
  }
}
