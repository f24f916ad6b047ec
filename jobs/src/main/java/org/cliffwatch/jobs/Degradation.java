package org.cliffwatch.jobs;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import org.cliffwatch.jobs.compare.PairedComparison;
import org.cliffwatch.jobs.plan.Sha256;
import org.cliffwatch.jobs.table.DegradationRow;
import org.cliffwatch.jobs.table.MetricRow;
import org.cliffwatch.jobs.table.ScoreRow;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.metric.ItemResult;
import org.cliffwatch.tasks.metric.Metric;

/**
 * Scores of two precisions of one checkpoint → its rows of {@code degradation}.
 *
 * <p>The mean over the tasks follows Ahmadian et al. 2023 §3.2: each task's own relative change
 * first, then their plain mean. It is made per metric, over the tasks that have it; the {@code acc}
 * mean takes a task without acc by its first metric that is a share (byte_likelihood), as the paper
 * counts Paralex.
 */
final class Degradation {
  /** One task's scores at both precisions. */
  record TaskScores(
      TaskDefinition task,
      List<MetricRow> baselineMetrics,
      List<MetricRow> metrics,
      List<ScoreRow> baseline,
      List<ScoreRow> scores) {}

  private final String baseline;
  private final int replicas;
  private final long seed;

  private final List<DegradationRow> rows = new ArrayList<>();
  private final Map<DegradationRow, double[]> resamples = new HashMap<>();

  private Degradation(String baseline, int replicas, long seed) {
    this.baseline = baseline;
    this.replicas = replicas;
    this.seed = seed;
  }

  /**
   * @param baseline name of the baseline precision
   * @param seed of the bootstraps and sign-flip tests, each task's own stream of it
   */
  static List<DegradationRow> of(List<TaskScores> tasks, String baseline, int replicas, long seed) {
    Degradation degradation = new Degradation(baseline, replicas, seed);
    Map<TaskDefinition, List<DegradationRow>> byTask = new java.util.LinkedHashMap<>();
    for (TaskScores task : tasks) {
      byTask.put(
          task.task(),
          task.task().metrics().stream().map(metric -> degradation.row(task, metric)).toList());
    }
    degradation.addMeans(byTask);
    return degradation.adjusted();
  }

  private DegradationRow row(TaskScores task, Metric metric) {
    MetricRow before = find(task.baselineMetrics(), metric);
    MetricRow after = find(task.metrics(), metric);
    DegradationRow row;
    double[] relative = null;
    if (before == null || after == null || before.value() == null || after.value() == null) {
      row =
          new DegradationRow(
              task.task().name(),
              metric.toString(),
              baseline,
              value(before),
              value(after),
              null,
              null,
              null,
              null,
              null,
              null,
              null,
              null,
              null,
              0);
    } else {
      Paired paired = pair(task, metric);
      PairedComparison comparison = paired.comparison;
      double difference = after.value() - before.value();
      double relPct = PairedComparison.relativePercent(before.value(), after.value());
      long stream = stream(seed, task.task());
      relative = comparison.relativeResamples(stream);
      double[] interval = PairedComparison.interval(relative);
      double p =
          paired.gained != null && replicas == 1
              ? PairedComparison.mcNemar(paired.gained, paired.lost)
              : comparison.signFlip(stream);
      row =
          new DegradationRow(
              task.task().name(),
              metric.toString(),
              baseline,
              before.value(),
              after.value(),
              metric.isShare() ? 100 * difference : difference,
              Double.isNaN(relPct) ? null : (Double) relPct,
              interval == null ? null : (Double) interval[0],
              interval == null ? null : (Double) interval[1],
              p,
              null,
              paired.gained,
              paired.lost,
              after.roundingSd(),
              comparison.items());
    }
    rows.add(row);
    if (relative != null) {
      resamples.put(row, relative);
    }
    return row;
  }

  /**
   * A task's own random stream: tasks of equal size would otherwise draw the same items, and the
   * interval of their mean would carry the chance correlations of items that have nothing to do
   * with each other. The metrics of a task share it: they are of the same answers.
   */
  private static long stream(long seed, TaskDefinition task) {
    return Sha256.seed("seed", Long.toString(seed), "task", task.name());
  }

  private static Double value(MetricRow row) {
    return row == null ? null : row.value();
  }

  private static MetricRow find(List<MetricRow> rows, Metric metric) {
    return rows.stream()
        .filter(row -> row.metric().equals(metric.toString()))
        .findFirst()
        .orElse(null);
  }

  private record Paired(PairedComparison comparison, Long gained, Long lost) {}

  private Paired pair(TaskScores task, Metric metric) {
    Map<Integer, double[]> before = contributions(task.baseline(), task, metric);
    Map<Integer, double[]> after = contributions(task.scores(), task, metric);
    List<Integer> items = after.keySet().stream().filter(before::containsKey).sorted().toList();
    int n = items.size();
    double[] baselines = new double[n];
    double[] values = new double[n];
    double[] weights = new double[n];
    for (int i = 0; i < n; i++) {
      double[] b = before.get(items.get(i));
      double[] a = after.get(items.get(i));
      baselines[i] = b[0];
      values[i] = a[0];
      weights[i] = a[1];
    }
    PairedComparison comparison =
        new PairedComparison(baselines, values, weights, mean -> metric.aggregate(mean, 1));
    if (!metric.isAccuracy()) {
      return new Paired(comparison, null, null);
    }
    Map<Integer, ItemResult> old =
        byItem(Metrics.results(task.baseline(), task.task().outputType(), 0));
    long gained = 0;
    long lost = 0;
    for (ItemResult result : Metrics.results(task.scores(), task.task().outputType(), 0)) {
      ItemResult was = old.get(result.item());
      if (was != null) {
        boolean right = metric.contribution(result) > 0;
        boolean wasRight = metric.contribution(was) > 0;
        gained += right && !wasRight ? 1 : 0;
        lost += wasRight && !right ? 1 : 0;
      }
    }
    return new Paired(comparison, gained, lost);
  }

  private static Map<Integer, ItemResult> byItem(List<ItemResult> results) {
    return results.stream().collect(Collectors.toMap(ItemResult::item, Function.identity()));
  }

  /** (contribution, weight) an item, the contribution a mean over replicas. */
  private Map<Integer, double[]> contributions(
      List<ScoreRow> rows, TaskScores task, Metric metric) {
    Map<Integer, double[]> sums = new HashMap<>();
    for (int replica = 0; replica < replicas; replica++) {
      for (ItemResult result : Metrics.results(rows, task.task().outputType(), replica)) {
        double[] sum = sums.computeIfAbsent(result.item(), i -> new double[2]);
        sum[0] += metric.contribution(result) / replicas;
        sum[1] = metric.weight(result);
      }
    }
    return sums;
  }

  private void addMeans(Map<TaskDefinition, List<DegradationRow>> byTask) {
    Map<String, List<DegradationRow>> byMetric = new java.util.TreeMap<>();
    byTask.forEach(
        (task, taskRows) -> {
          for (DegradationRow row : taskRows) {
            byMetric.computeIfAbsent(row.metric(), m -> new ArrayList<>()).add(row);
          }
          List<Metric> metrics = task.metrics();
          if (!metrics.contains(Metric.ACC)) {
            metrics.stream()
                .filter(Metric::isShare)
                .findFirst()
                .map(metrics::indexOf)
                .ifPresent(
                    i ->
                        byMetric
                            .computeIfAbsent(Metric.ACC.toString(), m -> new ArrayList<>())
                            .add(taskRows.get(i)));
          }
        });
    byMetric.forEach((metric, taskRows) -> rows.add(mean(metric, baseline, taskRows, resamples)));
  }

  /** The mean over tasks; without an interval where a task has none. */
  static DegradationRow mean(
      String metric,
      String baseline,
      List<DegradationRow> tasks,
      Map<DegradationRow, double[]> resamples) {
    boolean whole =
        tasks.stream().allMatch(row -> row.relPct() != null && resamples.containsKey(row));
    double[] interval = null;
    if (whole) {
      double[] means = new double[PairedComparison.RESAMPLES];
      for (DegradationRow task : tasks) {
        double[] relative = resamples.get(task);
        Arrays.setAll(means, i -> means[i] + relative[i] / tasks.size());
      }
      interval = PairedComparison.interval(means);
    }
    return new DegradationRow(
        DegradationRow.MEAN,
        metric,
        baseline,
        average(tasks, DegradationRow::baselineValue),
        average(tasks, DegradationRow::value),
        average(tasks, DegradationRow::absPp),
        average(tasks, DegradationRow::relPct),
        interval == null ? null : (Double) interval[0],
        interval == null ? null : (Double) interval[1],
        null,
        null,
        sum(tasks, DegradationRow::gained),
        sum(tasks, DegradationRow::lost),
        null,
        tasks.stream().mapToLong(DegradationRow::items).sum());
  }

  /** Null where a task has none: a mean over fewer tasks would be another quantity. */
  private static Double average(List<DegradationRow> rows, Function<DegradationRow, Double> of) {
    return rows.stream().map(of).allMatch(Objects::nonNull)
        ? (Double) rows.stream().mapToDouble(toDouble(of)).average().orElseThrow()
        : null;
  }

  private static ToDoubleFunction<DegradationRow> toDouble(Function<DegradationRow, Double> of) {
    return row -> of.apply(row);
  }

  private static Long sum(List<DegradationRow> rows, Function<DegradationRow, Long> of) {
    return rows.stream().map(of).allMatch(Objects::nonNull)
        ? (Long) rows.stream().map(of).mapToLong(Long::longValue).sum()
        : null;
  }

  private List<DegradationRow> adjusted() {
    double[] adjusted =
        PairedComparison.holm(
            rows.stream()
                .mapToDouble(row -> row.pValue() == null ? Double.NaN : row.pValue())
                .toArray());
    List<DegradationRow> result = new ArrayList<>();
    for (int i = 0; i < adjusted.length; i++) {
      result.add(Double.isNaN(adjusted[i]) ? rows.get(i) : rows.get(i).withAdjusted(adjusted[i]));
    }
    return result;
  }
}
