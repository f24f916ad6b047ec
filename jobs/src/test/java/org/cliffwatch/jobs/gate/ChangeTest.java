package org.cliffwatch.jobs.gate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.apache.commons.math3.stat.StatUtils;
import org.cliffwatch.jobs.aggregate.PairedComparison;
import org.cliffwatch.jobs.gate.Change.Term;
import org.cliffwatch.tasks.metric.Metric;
import org.junit.jupiter.api.Test;

class ChangeTest {
  /** Two standard errors of a standard deviation of 2 000 resamples, and what is not linear. */
  private static final double RESAMPLED_PERCENT = 6;

  private static final double EXACT = 1e-12;

  private static Contributions of(Metric metric, double[]... replicas) {
    double[] weights = new double[replicas[0].length];
    Arrays.fill(weights, 1);
    return new Contributions(metric, replicas, weights);
  }

  private static double[] right(int items, int... wrong) {
    double[] right = new double[items];
    Arrays.fill(right, 1);
    for (int item : wrong) {
      right[item] = 0;
    }
    return right;
  }

  /** 100 items, 3 gained, 10 lost: Agresti and Min's b* = 3.5, c* = 10.5, N = 102. */
  @Test
  void sharesAreTestedAsAgrestiAndMinDo() {
    double[] before = right(100, 0, 1, 2);
    double[] after = right(100, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19);
    Change change = Change.difference(of(Metric.ACC, before), of(Metric.ACC, after));
    assertThat(change.value()).isCloseTo(-7, within(1e-9));
    assertThat(change.centre()).isCloseTo(100 * (3.5 - 10.5) / 102, within(1e-9));
    double n = 102;
    double variance = ((3.5 + 10.5) - (3.5 - 10.5) * (3.5 - 10.5) / n) / (n * (n - 1));
    assertThat(change.standardError()).isCloseTo(100 * Math.sqrt(variance), within(1e-9));
    assertThat(change.items()).isEqualTo(100);
    assertThat(change.rounding()).isNaN();
  }

  @Test
  void itemsThatAllTurnedOutAlikeAreNotCertain() {
    Contributions same = of(Metric.ACC, right(20, 3, 4));
    Change change = Change.difference(same, same);
    assertThat(change.value()).isZero();
    assertThat(change.isTestable()).isTrue();
    assertThat(change.interval(0.05)[0]).isLessThan(-2);
    assertThat(Change.difference(of(Metric.ACC, right(1)), of(Metric.ACC, right(1))).isTestable())
        .isFalse();
  }

  @Test
  void relativeChangesHaveTheErrorOfABootstrap() {
    SplittableRandom random = new SplittableRandom(5);
    double[] before = new double[600];
    double[] after = new double[600];
    for (int i = 0; i < before.length; i++) {
      before[i] = random.nextInt(100) < 60 ? 1 : 0;
      after[i] = random.nextInt(100) < 15 ? 1 - before[i] : before[i];
    }
    Change change = Change.relative(of(Metric.ACC, before), of(Metric.ACC, after));
    double[] weights = new double[before.length];
    Arrays.fill(weights, 1);
    PairedComparison paired = new PairedComparison(before, after, weights, mean -> mean);
    assertThat(change.value()).isCloseTo(paired.relativePercent(), within(EXACT));
    assertThat(change.standardError())
        .isCloseTo(
            Math.sqrt(StatUtils.variance(paired.relativeResamples(1))),
            withinPercentage(RESAMPLED_PERCENT));
  }

  @Test
  void perplexitiesHaveTheErrorOfABootstrapAndGetWorseUpwards() {
    SplittableRandom random = new SplittableRandom(6);
    double[] before = new double[600];
    double[] after = new double[600];
    double[] words = new double[600];
    for (int i = 0; i < before.length; i++) {
      words[i] = 5 + random.nextInt(20);
      before[i] = -words[i] * (2 + random.nextDouble());
      after[i] = before[i] - words[i] * (0.2 * random.nextDouble() - 0.05);
    }
    Metric metric = Metric.WORD_PERPLEXITY;
    Change change =
        Change.relative(
            new Contributions(metric, new double[][] {before}, words),
            new Contributions(metric, new double[][] {after}, words));
    PairedComparison paired =
        new PairedComparison(before, after, words, mean -> metric.aggregate(mean, 1));
    assertThat(change.value()).isCloseTo(paired.relativePercent(), within(1e-9)).isPositive();
    assertThat(change.standardError())
        .isCloseTo(
            Math.sqrt(StatUtils.variance(paired.relativeResamples(1))),
            withinPercentage(RESAMPLED_PERCENT));
    assertThat(change.pWorse(1, metric.higherIsBetter())).isLessThan(1e-6);
    assertThat(change.pWorse(1, true)).isGreaterThan(0.999);
  }

  @Test
  void replicasTakeRoundingOutAndNothingElse() {
    SplittableRandom random = new SplittableRandom(7);
    double[][] before = new double[8][400];
    double[][] after = new double[8][400];
    for (int r = 0; r < before.length; r++) {
      for (int i = 0; i < before[r].length; i++) {
        before[r][i] = i < 200 ? random.nextInt(2) : 1;
        after[r][i] = i < 200 ? random.nextInt(2) : i < 220 ? 0 : 1;
      }
    }
    Change change = Change.difference(of(Metric.ACC, before), of(Metric.ACC, after));
    // Half of the items vary by 2 · 1/4 / 8; 20 of 400 are lost for good.
    double rounding = 0.5 * 0.5 / 8;
    double lost = 0.05 * 0.95;
    assertThat(change.rounding()).isCloseTo(1e4 * rounding / 402, withinPercentage(5));
    assertThat(change.variance())
        .isCloseTo(1e4 * (rounding + lost + 1.0 / 402) / 402, withinPercentage(10));
    double needed = change.replicasToDetect(4, 1, 0.01, 0.8);
    double items = change.itemsToDetect(4, 1, 0.01, 0.8);
    assertThat(items).isGreaterThan(400);
    // What is lost for good is there with any number of replicas.
    assertThat(needed).isNaN();
    assertThat(change.replicasToDetect(5.5, 1, 0.01, 0.8)).isBetween(1.0, 16.0);
  }

  @Test
  void whatIsDetectableIsDetectedWithThePower() {
    Change change = new Change(0, 0, 0.5, 1000, 1001, 1, Double.NaN);
    double detectable = change.detectable(1, 0.01, 0.8);
    assertThat(change.power(detectable, 1, 0.01)).isCloseTo(0.8, within(1e-9));
    assertThat(new Change(1, 1, 0.5, 1e6, 1001, 1, Double.NaN).passing(2, false, 0.05))
        .isCloseTo(0.639, within(0.001)); // Φ((2 − 1) / 0.5 − 1.645)
    // z(0.99) + z(0.8) = 2.326 + 0.842
    assertThat(detectable).isCloseTo(1 + 0.5 * (2.326 + 0.842), within(0.005));
  }

  @Test
  void theMeanOfTasksAddsTheirVariances() {
    Change a = new Change(1, 1, 0.3, 99, 100, 2, 0.01);
    Change b = new Change(3, 3, 0.4, 99, 100, 2, 0.03);
    Change mean = Change.mean(List.of(a, b, Change.none(50, 2)));
    assertThat(mean.value()).isCloseTo(4.0 / 3, within(EXACT));
    assertThat(mean.standardError()).isCloseTo(0.5 / 3, within(EXACT));
    assertThat(mean.rounding()).isCloseTo(0.04 / 9, within(EXACT));
    assertThat(mean.items()).isEqualTo(250);
    assertThat(mean.freedom()).isBetween(99.0, 198.0);
  }

  @Test
  void flipsCountAnswersThatTurnedEitherWay() {
    Contributions flips =
        Contributions.flips(of(Metric.ACC, right(50, 0, 1, 2)), of(Metric.ACC, right(50, 2, 3)));
    Change change = Change.linear(List.of(new Term(1, flips)));
    assertThat(change.value()).isCloseTo(100 * 3.0 / 50, within(EXACT));
    assertThat(change.centre()).isCloseTo(100 * 4.0 / 52, within(1e-9));
  }

  @Test
  void aSteadyDriftIsItsSlopeTimesTheRuns() {
    Change drift =
        Change.drift(
            List.of(
                of(Metric.ACC, right(200)),
                of(Metric.ACC, right(200, 1, 2)),
                of(Metric.ACC, right(200, 1, 2, 3, 4)),
                of(Metric.ACC, right(200, 1, 2, 3, 4, 5, 6))));
    assertThat(drift.value()).isCloseTo(-3, within(1e-9));
  }
}
