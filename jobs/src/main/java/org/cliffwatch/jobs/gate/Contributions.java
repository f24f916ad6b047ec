package org.cliffwatch.jobs.gate;

import org.cliffwatch.tasks.metric.Metric;

/**
 * What a cell's items add to a metric.
 *
 * @param values (replicas, items); item i of two cells of a task is the same question
 * @param weights (items): 1, or the words, bytes or tokens of the item
 */
record Contributions(Metric metric, double[][] values, double[] weights) {
  int items() {
    return weights.length;
  }

  int replicas() {
    return values.length;
  }

  /** An item's mean over the replicas. */
  double mean(int item) {
    double sum = 0;
    for (double[] replica : values) {
      sum += replica[item];
    }
    return sum / values.length;
  }

  /** The variance of {@link #mean(int)} that comes from rounding; NaN with one replica. */
  double roundingVariance(int item) {
    double mean = mean(item);
    double squares = 0;
    for (double[] replica : values) {
      squares += (replica[item] - mean) * (replica[item] - mean);
    }
    return squares / (values.length - 1) / values.length;
  }

  /**
   * Where the answers differ, as 1: the share of answers that turned. Replica r is paired with
   * replica r, so that with fresh rounding in each the answers that rounding turns count too.
   */
  static Contributions flips(Contributions before, Contributions after) {
    int replicas = Math.max(before.replicas(), after.replicas());
    double[][] flips = new double[replicas][after.items()];
    for (int r = 0; r < replicas; r++) {
      double[] was = before.values[r % before.replicas()];
      double[] is = after.values[r % after.replicas()];
      for (int i = 0; i < is.length; i++) {
        flips[r][i] = Math.abs(is[i] - was[i]);
      }
    }
    return new Contributions(after.metric, flips, after.weights);
  }
}
