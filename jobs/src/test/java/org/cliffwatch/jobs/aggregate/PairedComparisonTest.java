package org.cliffwatch.jobs.aggregate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Test;

class PairedComparisonTest {
  private static final double EXACT = 1e-12;

  private static PairedComparison of(double[] baseline, double[] value) {
    double[] weights = new double[value.length];
    Arrays.fill(weights, 1);
    return new PairedComparison(baseline, value, weights, DoubleUnaryOperator.identity());
  }

  @Test
  void relativeChangeIsOfTheBaseline() {
    PairedComparison comparison = of(new double[] {1, 1, 1, 0}, new double[] {1, 0, 0, 1});
    assertThat(comparison.baselineValue()).isEqualTo(0.75);
    assertThat(comparison.value()).isEqualTo(0.5);
    assertThat(PairedComparison.relativePercent(0.75, 0.5)).isCloseTo(-100.0 / 3, within(EXACT));
    assertThat(PairedComparison.relativePercent(0, 0.5)).isNaN();
  }

  @Test
  void weightsAndLinkMakeAPerplexity() {
    PairedComparison comparison =
        new PairedComparison(
            new double[] {-10, -20},
            new double[] {-12, -24},
            new double[] {5, 10},
            mean -> Math.exp(-mean));
    assertThat(comparison.baselineValue()).isCloseTo(Math.exp(2), within(EXACT));
    assertThat(comparison.value()).isCloseTo(Math.exp(2.4), within(EXACT));
  }

  /** Reference: scipy.stats.binomtest(124, 216).pvalue, scipy.stats.binomtest(1, 6).pvalue. */
  @Test
  void mcNemarIsTheExactBinomialTest() {
    assertThat(PairedComparison.mcNemar(124, 92)).isCloseTo(0.03466, within(1e-4));
    assertThat(PairedComparison.mcNemar(1, 5)).isCloseTo(0.21875, within(EXACT));
    assertThat(PairedComparison.mcNemar(0, 0)).isEqualTo(1);
    assertThat(PairedComparison.mcNemar(3, 3)).isEqualTo(1);
  }

  @Test
  void signFlipSeesAShiftAndNotNoise() {
    double[] baseline = new double[100];
    double[] shifted = new double[100];
    double[] balanced = new double[100];
    for (int i = 0; i < 100; i++) {
      shifted[i] = 0.1 + 0.01 * (i % 7);
      balanced[i] = i % 2 == 0 ? 0.3 : -0.3;
    }
    assertThat(of(baseline, shifted).signFlip(1)).isEqualTo(1.0 / (PairedComparison.FLIPS + 1));
    assertThat(of(baseline, balanced).signFlip(1)).isGreaterThan(0.9);
    assertThat(of(baseline, baseline).signFlip(1)).isEqualTo(1);
  }

  @Test
  void bootstrapIsSeededAndCoversTheChange() {
    double[] baseline = new double[400];
    double[] value = new double[400];
    for (int i = 0; i < 400; i++) {
      baseline[i] = i % 2;
      value[i] = i % 10 == 1 ? 0 : baseline[i];
    }
    double[] resamples = of(baseline, value).relativeResamples(7);
    assertThat(resamples).isEqualTo(of(baseline, value).relativeResamples(7));
    assertThat(resamples).isNotEqualTo(of(baseline, value).relativeResamples(8));
    double[] interval = PairedComparison.interval(resamples);
    assertThat(interval[0]).isBetween(-28.0, -22.0);
    assertThat(interval[1]).isBetween(-17.0, -12.0);
  }

  @Test
  void intervalLeavesOutWhatHasNoValue() {
    assertThat(PairedComparison.interval(new double[] {Double.NaN})).isNull();
    assertThat(PairedComparison.interval(new double[] {Double.NaN, 3})).containsExactly(3, 3);
  }

  /** Reference: R's p.adjust(c(0.01, 0.04, 0.03, 0.5), "holm"). */
  @Test
  void holmStepsDownAndKeepsOrder() {
    assertThat(PairedComparison.holm(new double[] {0.01, 0.04, Double.NaN, 0.03, 0.5}))
        .usingComparatorWithPrecision(EXACT)
        .containsExactly(0.04, 0.09, Double.NaN, 0.09, 0.5);
    assertThat(PairedComparison.holm(new double[] {0.6, 0.7})).containsExactly(1, 1);
  }
}
