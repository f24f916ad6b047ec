package org.cliffwatch.quantizer.analysis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.cliffwatch.quantizer.kernel.MatrixRows;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.junit.jupiter.api.Test;

/** Every formula where the answer is known. */
class FormulasTest {
  /** Sums of float64 of a few values. */
  private static final double ROUNDING = 1e-12;

  /** σ of power iterations that stop where it changes by 1e-8, and the gap is not small. */
  private static final double CONVERGED = 1e-6;

  private static WeightRows matrix(int rows, int columns, float... values) {
    return new MatrixRows("w", rows, columns, values);
  }

  @Test
  void moments() {
    // 1, 2, 3, 4: variance 5/4, fourth moment (2 · 1.5⁴ + 2 · 0.5⁴) / 4 = 2.5625.
    Moments moments = Moments.of(new float[] {9, 1, 2, 3, 4, 9}, 1, 4);
    assertThat(moments.mean()).isEqualTo(2.5);
    assertThat(moments.variance()).isEqualTo(1.25);
    assertThat(moments.kurtosis()).isCloseTo(2.5625 / (1.25 * 1.25), within(ROUNDING));
    assertThat(moments.standardDeviation()).isCloseTo(Math.sqrt(1.25), within(ROUNDING));
    // Two values as often as each other have the least kurtosis there is.
    assertThat(Moments.of(new float[] {-1, 1, -1, 1}, 0, 4).kurtosis()).isEqualTo(1);
  }

  @Test
  void roundTrip() {
    RoundTrip trip = new RoundTrip();
    // Scale 1: 0.25 and 0.5 become 0 (a tie goes to the even code), 127 stays.
    trip.add(new float[] {127, 0.25f, 0.5f, -3}, 0, 4);
    assertThat(trip.rmse()).isCloseTo(Math.sqrt((0.0625 + 0.25) / 4), within(ROUNDING));
    double power = 127 * 127 + 0.0625 + 0.25 + 9;
    assertThat(trip.sqnrDecibels()).isCloseTo(10 * Math.log10(power / 0.3125), within(ROUNDING));
    // A row of zeros loses nothing, and counts.
    trip.add(new float[4], 0, 4);
    assertThat(trip.rmse()).isCloseTo(Math.sqrt(0.3125 / 8), within(ROUNDING));
  }

  @Test
  void spectralNormOfKnownMatrices() {
    SpectralNorm diagonal = SpectralNorm.of(List.of(matrix(2, 3, 3, 0, 0, 0, 2, 0)), 1);
    assertThat(diagonal.value()).isCloseTo(3, within(3 * CONVERGED));
    assertThat(diagonal.residual()).isLessThan(1e-3);
    // ‖a bᵀ‖ = ‖a‖ ‖b‖: |(3, 4)| · |(1, 2, 2)|.
    assertThat(SpectralNorm.of(List.of(matrix(2, 3, 3, 6, 6, 4, 8, 8)), 1).value())
        .isCloseTo(15, within(15 * CONVERGED));
    assertThat(SpectralNorm.of(List.of(matrix(2, 2, 0, 0, 0, 0)), 1))
        .isEqualTo(new SpectralNorm(0, 0));
  }

  @Test
  void spectralNormOfMatricesOnTopOfOneAnother() {
    float[] values = new float[13 * 21];
    Random random = new Random(5);
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    SpectralNorm whole = SpectralNorm.of(List.of(matrix(13, 21, values)), 1);
    WeightRows above = matrix(5, 21, Arrays.copyOf(values, 5 * 21));
    WeightRows below = matrix(8, 21, Arrays.copyOfRange(values, 5 * 21, values.length));
    assertThat(SpectralNorm.of(List.of(above, below), 1)).isEqualTo(whole);
    assertThat(SpectralNorm.of(List.of(above), 1).value()).isLessThan(whole.value());
    // Another start ends at the same norm.
    assertThat(SpectralNorm.of(List.of(matrix(13, 21, values)), 2).value())
        .isCloseTo(whole.value(), within(whole.value() * CONVERGED));
  }

  /** Adds four layers of one sample, 100 positions of 3 dimensions, those given being 7. */
  private static void add(
      OutlierRule rule, int sample, int[] layers, int positions, int dimension) {
    for (int layer = 0; layer < 4; layer++) {
      float[] x = new float[100 * 3];
      int l = layer;
      if (Arrays.stream(layers).anyMatch(each -> each == l)) {
        for (int p = 0; p < positions; p++) {
          x[3 * p + dimension] = p % 2 == 0 ? 7 : -7;
        }
      }
      Moments[] moments = new Moments[100];
      for (int r = 0; r < moments.length; r++) {
        moments[r] = Moments.of(x, 3 * r, 3);
      }
      rule.add(layer, sample, x, 3, moments);
    }
  }

  private static OutlierRule sixes() {
    return new OutlierRule("6.0", row -> 6.0, false);
  }

  @Test
  void anOutlierIsInAQuarterOfTheLayersAndSixPercentOfThePositions() {
    OutlierRule rule = sixes();
    add(rule, 0, new int[] {2}, 6, 1);
    assertThat(rule.dimensions()).containsExactly(1);
    assertThat(rule.isIn(1, 2)).isTrue();
    assertThat(rule.isIn(1, 1)).isFalse();
    assertThat(rule.layerShare()).isEqualTo(0.25);
    assertThat(rule.positionShare()).isEqualTo(0.06);

    OutlierRule fewer = sixes();
    add(fewer, 0, new int[] {0, 1, 2, 3}, 5, 1);
    assertThat(fewer.dimensions()).isEmpty();
    assertThat(fewer.layerShare()).isZero();
    assertThat(fewer.positionShare()).isZero();
  }

  @Test
  void anOutlierIsOneOfEverySample() {
    OutlierRule rule = sixes();
    add(rule, 0, new int[] {0, 1}, 50, 2);
    add(rule, 1, new int[] {1}, 50, 2);
    assertThat(rule.dimensions()).containsExactly(2);
    assertThat(rule.isIn(2, 0)).as("not in every sample").isFalse();
    assertThat(rule.isIn(2, 1)).isTrue();
    add(rule, 2, new int[] {1}, 50, 0);
    assertThat(rule.dimensions()).isEmpty();
  }

  @Test
  void llmInt8TakesAllSamplesForOne() {
    OutlierRule rule = new OutlierRule("llm_int8", row -> 6.0, true);
    add(rule, 0, new int[] {0, 1}, 12, 2);
    add(rule, 1, new int[] {}, 0, 2);
    assertThat(rule.dimensions()).as("12 of 200 positions").containsExactly(2);
    assertThat(rule.positionShare()).isEqualTo(0.06);
    add(rule, 2, new int[] {}, 0, 2);
    assertThat(rule.dimensions()).as("12 of 300").isEmpty();
  }
}
