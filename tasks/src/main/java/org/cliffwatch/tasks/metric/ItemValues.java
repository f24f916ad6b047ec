package org.cliffwatch.tasks.metric;

import java.util.Arrays;
import java.util.OptionalDouble;

/**
 * A metric that needs its items' values one by one: floating-point sums depend on their order, and
 * the bootstrap draws by position. Kept sorted by item, so that merging in any order gives the same
 * state. Each item has a value, here always in nats or a likelihood, and a weight.
 */
final class ItemValues implements MetricState {
  private static final long serialVersionUID = 1L;

  private final Metric metric;
  private final int[] item;
  private final double[] sum;
  private final double[] weight;
  private transient Bootstrap bootstrap;

  private ItemValues(Metric metric, int[] item, double[] sum, double[] weight) {
    this.metric = metric;
    this.item = item;
    this.sum = sum;
    this.weight = weight;
  }

  static ItemValues empty(Metric metric) {
    return new ItemValues(metric, new int[0], new double[0], new double[0]);
  }

  static ItemValues of(Metric metric, int item, double sum, double weight) {
    return new ItemValues(metric, new int[] {item}, new double[] {sum}, new double[] {weight});
  }

  /** The value of the i-th item in item order. */
  double sum(int i) {
    return sum[i];
  }

  /** The weight of the i-th item in item order. */
  double weight(int i) {
    return weight[i];
  }

  @Override
  public MetricState merge(MetricState other) {
    if (!(other instanceof ItemValues o) || o.metric != metric) {
      throw new IllegalArgumentException("cannot merge " + metric + " with " + other);
    }
    int n = item.length + o.item.length;
    ItemValues merged = new ItemValues(metric, new int[n], new double[n], new double[n]);
    int mine = 0;
    int theirs = 0;
    for (int i = 0; i < n; i++) {
      boolean takeMine =
          theirs == o.item.length || (mine < item.length && item[mine] < o.item[theirs]);
      if (!takeMine && mine < item.length && item[mine] == o.item[theirs]) {
        throw new IllegalArgumentException("item " + item[mine] + " is in both states");
      }
      if (takeMine) {
        merged.set(i, this, mine++);
      } else {
        merged.set(i, o, theirs++);
      }
    }
    return merged;
  }

  @Override
  public long items() {
    return item.length;
  }

  @Override
  public double value() {
    double total = 0;
    double weights = 0;
    for (int i = 0; i < sum.length; i++) {
      total += sum[i];
      weights += weight[i];
    }
    return metric.aggregate(total, weights);
  }

  @Override
  public OptionalDouble stderr() {
    if (item.length < 2) {
      return OptionalDouble.empty();
    }
    return switch (metric) {
      case PERPLEXITY -> OptionalDouble.of(bootstrap().standardError());
      case MC2, BYTE_LIKELIHOOD -> OptionalDouble.of(meanStandardError());
      case KL, TOP1_AGREEMENT -> OptionalDouble.of(ratioStandardError());
      default -> OptionalDouble.empty();
    };
  }

  @Override
  public Interval interval() {
    if (item.length == 0) {
      return new Interval(Double.NaN, Double.NaN);
    }
    return metric.isDivergence() ? normalInterval() : bootstrap().interval();
  }

  /** Of a value that is not below 0, and for a share not above 1. */
  private Interval normalInterval() {
    double half = Interval.Z_95 * stderr().orElse(Double.NaN);
    double most = metric.isShare() ? 1 : Double.POSITIVE_INFINITY;
    return new Interval(Math.max(0, value() - half), Math.min(most, value() + half));
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof ItemValues o
        && metric == o.metric
        && Arrays.equals(item, o.item)
        && Arrays.equals(sum, o.sum)
        && Arrays.equals(weight, o.weight);
  }

  @Override
  public int hashCode() {
    return 31 * metric.hashCode() + Arrays.hashCode(item) + 31 * Arrays.hashCode(sum);
  }

  @Override
  public String toString() {
    return metric + " of " + item.length + " items";
  }

  private void set(int at, ItemValues from, int index) {
    item[at] = from.item[index];
    sum[at] = from.sum[index];
    weight[at] = from.weight[index];
  }

  /** Made once: standard error and interval are of the same replicates. */
  private synchronized Bootstrap bootstrap() {
    if (bootstrap == null) {
      bootstrap = Bootstrap.of(item.length, this::over);
    }
    return bootstrap;
  }

  private double over(int[] picked) {
    double total = 0;
    double weights = 0;
    for (int pick : picked) {
      total += sum[pick];
      weights += weight[pick];
    }
    return metric.aggregate(total, weights);
  }

  /**
   * Of Σ sum / Σ weight over items that are drawn whole: Cochran 1977, Sampling Techniques, 6.4.
   */
  private double ratioStandardError() {
    double ratio = value();
    double squares = 0;
    double weights = 0;
    for (int i = 0; i < sum.length; i++) {
      double residual = sum[i] - ratio * weight[i];
      squares += residual * residual;
      weights += weight[i];
    }
    return Math.sqrt(squares * sum.length / (sum.length - 1)) / weights;
  }

  private double meanStandardError() {
    double mean = value();
    double squares = 0;
    for (double x : sum) {
      squares += (x - mean) * (x - mean);
    }
    return Math.sqrt(squares / (sum.length - 1)) / Math.sqrt(sum.length);
  }
}
