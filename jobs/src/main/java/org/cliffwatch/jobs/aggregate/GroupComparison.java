package org.cliffwatch.jobs.aggregate;

import org.cliffwatch.jobs.table.MetricRow;

/**
 * One share of a group's tasks at two precisions: the mean weighted by items, as
 * lm-evaluation-harness's {@code weight_by_size} has it, which is the share over the items of all.
 * Holds three numbers an item, or four in all where outcomes tell everything.
 */
final class GroupComparison {
  private PairedComparison paired;
  private OutcomeCounts counts;
  private double baselineSum;
  private double baselineItems;
  private double sum;
  private double items;
  private boolean failed;

  /** A task without a value: the group has none then. */
  void addFailed() {
    failed = true;
  }

  /**
   * Adds a task.
   *
   * @param pairs its items; null where the outcomes of a single replica tell all
   * @param outcomes of replica 0; null where the metric is no accuracy
   */
  void add(MetricRow before, MetricRow after, PairedComparison pairs, OutcomeCounts outcomes) {
    baselineSum += before.value() * before.items();
    baselineItems += before.items();
    sum += after.value() * after.items();
    items += after.items();
    if (pairs != null) {
      paired = paired == null ? pairs : paired.plus(pairs);
    }
    if (outcomes != null) {
      counts = counts == null ? outcomes : counts.plus(outcomes);
    }
  }

  boolean isWhole() {
    return !failed && items > 0 && baselineItems > 0;
  }

  double baselineValue() {
    return baselineSum / baselineItems;
  }

  double value() {
    return sum / items;
  }

  double relativePercent() {
    return PairedComparison.relativePercent(baselineValue(), value());
  }

  /** Of replica 0; null where the metric is no accuracy or a task failed. */
  OutcomeCounts counts() {
    return failed ? null : counts;
  }

  /** Items scored in both. */
  long items() {
    return paired == null ? counts.items() : paired.items();
  }

  double[] relativeResamples(long seed) {
    return paired == null ? counts.relativeResamples(seed) : paired.relativeResamples(seed);
  }

  /** McNemar's test of outcomes, else sign flips: as of a task. */
  double pValue(long seed) {
    return paired == null
        ? PairedComparison.mcNemar(counts.gained(), counts.lost())
        : paired.signFlip(seed);
  }
}
