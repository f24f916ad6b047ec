package org.cliffwatch.jobs.aggregate;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.DoubleUnaryOperator;
import org.apache.commons.math3.stat.inference.AlternativeHypothesis;
import org.apache.commons.math3.stat.inference.BinomialTest;

/**
 * One metric of one task at two precisions over the same items. The metric is {@code link(Σ x / Σ
 * w)}: an accuracy is the mean of 0 and 1, a perplexity exp of the mean negative log-likelihood.
 *
 * <p>Items are paired, because both precisions answered the same questions: an unpaired test would
 * drown the difference in the items' own spread.
 */
public final class PairedComparison {
  /**
   * Resamples of the bootstrap: the ends of a 95 % interval then wander by about 2 % of its width.
   */
  public static final int RESAMPLES = 2000;

  /** Sign flips: the smallest p-value is then 1/10 001. */
  static final int FLIPS = 10_000;

  private static final double TAIL = 0.025;

  private final double[] baseline;
  private final double[] value;
  private final double[] weight;
  private final DoubleUnaryOperator link;

  /**
   * @param baseline one contribution an item, a mean over replicas
   * @param value the same items in the same order
   * @param weight one an item: 1, or the words or bytes of a document
   * @param link from the weighted mean to the metric
   */
  public PairedComparison(
      double[] baseline, double[] value, double[] weight, DoubleUnaryOperator link) {
    if (baseline.length != value.length || weight.length != value.length) {
      throw new IllegalArgumentException("unequal numbers of items");
    }
    this.baseline = baseline;
    this.value = value;
    this.weight = weight;
    this.link = link;
  }

  /** The items of both, these first. */
  PairedComparison plus(PairedComparison other) {
    return new PairedComparison(
        joined(baseline, other.baseline),
        joined(value, other.value),
        joined(weight, other.weight),
        link);
  }

  private static double[] joined(double[] first, double[] second) {
    double[] both = Arrays.copyOf(first, first.length + second.length);
    System.arraycopy(second, 0, both, first.length, second.length);
    return both;
  }

  public int items() {
    return value.length;
  }

  public double baselineValue() {
    return link.applyAsDouble(mean(baseline));
  }

  public double value() {
    return link.applyAsDouble(mean(value));
  }

  /** 100 · (value − baseline) / baseline; NaN where the baseline is 0. */
  public double relativePercent() {
    return relativePercent(baselineValue(), value());
  }

  public static double relativePercent(double before, double after) {
    return before == 0 ? Double.NaN : 100 * (after - before) / before;
  }

  private double mean(double[] x) {
    double sum = 0;
    double weights = 0;
    for (int i = 0; i < x.length; i++) {
      sum += x[i];
      weights += weight[i];
    }
    return sum / weights;
  }

  /**
   * Percentile bootstrap of the relative change, items drawn together with their pair.
   *
   * @return RESAMPLES values in drawing order; NaN where a resample's baseline is 0
   */
  public double[] relativeResamples(long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    double[] resamples = new double[RESAMPLES];
    int n = value.length;
    for (int r = 0; r < RESAMPLES; r++) {
      double before = 0;
      double after = 0;
      double weights = 0;
      for (int i = 0; i < n; i++) {
        int pick = random.nextInt(n);
        before += baseline[pick];
        after += value[pick];
        weights += weight[pick];
      }
      resamples[r] =
          relativePercent(
              link.applyAsDouble(before / weights), link.applyAsDouble(after / weights));
    }
    return resamples;
  }

  /** The ends of the central 95 % of the values, NaN left out; null where none is left. */
  public static double[] interval(double[] resamples) {
    double[] sorted = Arrays.stream(resamples).filter(x -> !Double.isNaN(x)).sorted().toArray();
    if (sorted.length == 0) {
      return null;
    }
    int low = (int) Math.floor(TAIL * (sorted.length - 1));
    int high = (int) Math.ceil((1 - TAIL) * (sorted.length - 1));
    return new double[] {sorted[low], sorted[high]};
  }

  /**
   * McNemar's exact test: whether gained and lost items are equally likely, two-sided.
   *
   * @return 1 where nothing changed
   */
  public static double mcNemar(long gained, long lost) {
    int changed = Math.toIntExact(gained + lost);
    if (changed == 0) {
      return 1;
    }
    double p =
        new BinomialTest()
            .binomialTest(changed, Math.toIntExact(gained), 0.5, AlternativeHypothesis.TWO_SIDED);
    return Math.min(1, p);
  }

  /**
   * Sign-flip test of the mean paired difference, two-sided: the share of random sign patterns
   * whose sum is at least as far from 0 as the seen one, the seen one counted in.
   */
  public double signFlip(long seed) {
    double[] differences = new double[value.length];
    double seen = 0;
    for (int i = 0; i < value.length; i++) {
      differences[i] = value[i] - baseline[i];
      seen += differences[i];
    }
    SplittableRandom random = new SplittableRandom(seed);
    double bar = Math.abs(seen) * (1 - 1e-12); // equal sums in another order must count
    int asFar = 0;
    for (int f = 0; f < FLIPS; f++) {
      double sum = 0;
      long bits = 0;
      for (int i = 0; i < differences.length; i++) {
        if ((i & 63) == 0) {
          bits = random.nextLong();
        }
        sum += (bits & 1) == 0 ? differences[i] : -differences[i];
        bits >>>= 1;
      }
      if (Math.abs(sum) >= bar) {
        asFar++;
      }
    }
    return (asFar + 1.0) / (FLIPS + 1.0);
  }

  /** Holm's step-down adjustment; NaN stays NaN and is not counted. */
  public static double[] holm(double[] p) {
    Integer[] order =
        java.util.stream.IntStream.range(0, p.length)
            .filter(i -> !Double.isNaN(p[i]))
            .boxed()
            .sorted(java.util.Comparator.comparingDouble(i -> p[i]))
            .toArray(Integer[]::new);
    double[] adjusted = p.clone();
    double running = 0;
    for (int rank = 0; rank < order.length; rank++) {
      running = Math.max(running, Math.min(1, (order.length - rank) * p[order[rank]]));
      adjusted[order[rank]] = running;
    }
    return adjusted;
  }
}
