package org.cliffwatch.jobs.aggregate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.apache.commons.math3.distribution.BinomialDistribution;
import org.apache.commons.math3.stat.StatUtils;
import org.cliffwatch.jobs.aggregate.OutcomeCounts.Binomial;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OutcomeCountsTest {
  /** Four standard errors of an end of an interval of 2000 resamples, of its width, and more. */
  private static final double RESAMPLED = 0.08;

  /** Standard errors of a mean of draws that a seeded test may be off. */
  private static final double FOUR_SIGMA = 4;

  private static final int SUITES = 2000;
  private static final double COVERED = 0.95;
  private static final double COVERED_TOLERANCE = 0.01;

  /** The same questions as 0s and 1s, for the bootstrap that draws items. */
  private static PairedComparison items(OutcomeCounts counts) {
    int n = (int) counts.items();
    double[] before = new double[n];
    double[] after = new double[n];
    double[] weights = new double[n];
    Arrays.fill(weights, 1);
    int i = 0;
    for (; i < counts.kept(); i++) {
      before[i] = 1;
      after[i] = 1;
    }
    for (; i < counts.kept() + counts.gained(); i++) {
      after[i] = 1;
    }
    for (; i < counts.kept() + counts.gained() + counts.lost(); i++) {
      before[i] = 1;
    }
    return new PairedComparison(before, after, weights, mean -> mean);
  }

  @ParameterizedTest
  @CsvSource({"600, 40, 70, 290", "300, 60, 90, 300", "900, 0, 30, 70", "2000, 300, 10, 7700"})
  void isTheBootstrapOfItemsInDistribution(long kept, long gained, long lost, long wrong) {
    OutcomeCounts counts = new OutcomeCounts(kept, gained, lost, wrong);
    double[] drawn = counts.relativeResamples(1);
    double[] ofItems = items(counts).relativeResamples(2);
    double[] interval = PairedComparison.interval(drawn);
    double[] expected = PairedComparison.interval(ofItems);
    double tolerance = RESAMPLED * (expected[1] - expected[0]);
    assertThat(interval[0]).isCloseTo(expected[0], within(tolerance));
    assertThat(interval[1]).isCloseTo(expected[1], within(tolerance));
    double[] finite = Arrays.stream(drawn).filter(x -> !Double.isNaN(x)).toArray();
    double[] finiteItems = Arrays.stream(ofItems).filter(x -> !Double.isNaN(x)).toArray();
    assertThat(Math.sqrt(StatUtils.variance(finite)))
        .isCloseTo(
            Math.sqrt(StatUtils.variance(finiteItems)),
            within(RESAMPLED * Math.sqrt(StatUtils.variance(finiteItems))));
    assertThat(StatUtils.mean(finite)).isCloseTo(StatUtils.mean(finiteItems), within(tolerance));
  }

  @Test
  void nothingTurnedIsNoChange() {
    assertThat(new OutcomeCounts(10, 0, 0, 5).relativeResamples(3)).containsOnly(0);
    assertThat(new OutcomeCounts(0, 0, 0, 5).relativeResamples(3)).containsOnly(Double.NaN);
    assertThat(new OutcomeCounts(0, 0, 5, 0).relativeResamples(3)).containsOnly(-100);
  }

  @ParameterizedTest
  @CsvSource({
    "1, 0.3",
    "2, 0.5",
    "17, 0.01",
    "100, 0.999",
    "1267, 0.02",
    "10042, 0.31",
    "10042, 0.00005"
  })
  void drawsAreBinomial(int n, double p) {
    Binomial binomial = new Binomial(n, p);
    BinomialDistribution expected = new BinomialDistribution(n, p);
    SplittableRandom random = new SplittableRandom(5);
    int draws = 50_000;
    int[] seen = new int[n + 1];
    for (int i = 0; i < draws; i++) {
      seen[binomial.draw(random)]++;
    }
    double cumulative = 0;
    for (int k = 0; k <= n; k++) {
      cumulative += (double) seen[k] / draws;
      double of = expected.cumulativeProbability(k);
      double error = FOUR_SIGMA * Math.sqrt(of * (1 - of) / draws) + 1.0 / draws;
      assertThat(cumulative).as("P(X <= %d)", k).isCloseTo(of, within(error));
    }
  }

  /** Suites whose truth is known: 95 % intervals hold it in 95 % of them. */
  @Test
  void intervalsCoverTheTruth() {
    SplittableRandom random = new SplittableRandom(11);
    int items = 1000;
    double kept = 0.55;
    double gained = 0.04;
    double lost = 0.06;
    double truth = 100 * (gained - lost) / (kept + lost);
    int covered = 0;
    for (int suite = 0; suite < SUITES; suite++) {
      long[] counts = new long[4];
      for (int i = 0; i < items; i++) {
        double draw = random.nextDouble();
        counts[draw < kept ? 0 : draw < kept + gained ? 1 : draw < kept + gained + lost ? 2 : 3]++;
      }
      double[] interval =
          PairedComparison.interval(
              new OutcomeCounts(counts[0], counts[1], counts[2], counts[3])
                  .relativeResamples(suite));
      covered += interval[0] <= truth && truth <= interval[1] ? 1 : 0;
    }
    assertThat((double) covered / SUITES).isCloseTo(COVERED, within(COVERED_TOLERANCE));
  }
}
