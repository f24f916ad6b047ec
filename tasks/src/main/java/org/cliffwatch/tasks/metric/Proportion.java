package org.cliffwatch.tasks.metric;

import java.util.OptionalDouble;

/** The share of items that were right: counts, so that merging is exact. */
record Proportion(Metric metric, long right, long items) implements MetricState {
  private static final long serialVersionUID = 1L;

  /** The 0.975 quantile of the standard normal distribution. */
  @Override
  public MetricState merge(MetricState other) {
    if (!(other instanceof Proportion p) || p.metric != metric) {
      throw new IllegalArgumentException("cannot merge " + metric + " with " + other);
    }
    return new Proportion(metric, right + p.right, items + p.items);
  }

  @Override
  public double value() {
    return (double) right / items;
  }

  /** {@code sample_stddev(xs) / sqrt(n)} of lm-evaluation-harness over ones and zeros. */
  @Override
  public OptionalDouble stderr() {
    if (items < 2) {
      return OptionalDouble.empty();
    }
    double mean = value();
    double squares = right * (1 - mean) * (1 - mean) + (items - right) * mean * mean;
    return OptionalDouble.of(Math.sqrt(squares / (items - 1)) / Math.sqrt((double) items));
  }

  /** Wilson's score interval (1927), without continuity correction. */
  @Override
  public Interval interval() {
    double n = items;
    double p = value();
    double z2 = Interval.Z_95 * Interval.Z_95;
    double centre = (p + z2 / (2 * n)) / (1 + z2 / n);
    double half = Interval.Z_95 / (1 + z2 / n) * Math.sqrt(p * (1 - p) / n + z2 / (4 * n * n));
    return new Interval(Math.max(0, centre - half), Math.min(1, centre + half));
  }
}
