package org.cliffwatch.tasks.metric;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * lm-evaluation-harness's {@code bootstrap_stderr}: 100 000 replicates in chunks of 1 000, chunk i
 * drawing with {@code random.Random(i).choices(xs, k=len(xs))}. Chunks run side by side; the
 * replicates, in chunk order, do not depend on it.
 */
final class Bootstrap {
  private static final int REPLICATES = 100_000;
  private static final int CHUNK = 1_000;

  /** The statistic over one replicate, whose items are {@code picked}, with repetition. */
  @FunctionalInterface
  interface Statistic {
    double over(int[] picked);
  }

  private final double[] replicates;

  private Bootstrap(double[] replicates) {
    this.replicates = replicates;
  }

  static Bootstrap of(int items, Statistic statistic) {
    double[] replicates = new double[REPLICATES];
    IntStream.range(0, REPLICATES / CHUNK)
        .parallel()
        .forEach(chunk -> draw(chunk, items, statistic, replicates));
    return new Bootstrap(replicates);
  }

  /** {@code sample_stddev} of the replicates. */
  double standardError() {
    double mean = 0;
    for (double replicate : replicates) {
      mean += replicate;
    }
    mean /= replicates.length;
    double squares = 0;
    for (double replicate : replicates) {
      squares += (replicate - mean) * (replicate - mean);
    }
    return Math.sqrt(squares / (replicates.length - 1));
  }

  /** The 2.5 % and 97.5 % percentiles, interpolated linearly as numpy does by default. */
  Interval interval() {
    double[] sorted = replicates.clone();
    Arrays.sort(sorted);
    return new Interval(quantile(sorted, 0.025), quantile(sorted, 0.975));
  }

  private static void draw(int chunk, int items, Statistic statistic, double[] replicates) {
    MersenneTwister random = new MersenneTwister(chunk);
    int[] picked = new int[items];
    for (int i = 0; i < CHUNK; i++) {
      random.choices(items, picked);
      replicates[chunk * CHUNK + i] = statistic.over(picked);
    }
  }

  private static double quantile(double[] sorted, double probability) {
    double place = probability * (sorted.length - 1);
    int below = (int) place;
    double fraction = place - below;
    return sorted[below] + (fraction == 0 ? 0 : fraction * (sorted[below + 1] - sorted[below]));
  }
}
