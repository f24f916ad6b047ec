package org.cliffwatch.jobs.aggregate;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import org.cliffwatch.jobs.plan.AskedTask;
import org.cliffwatch.jobs.plan.Sha256;
import org.cliffwatch.jobs.table.DegradationRow;
import org.cliffwatch.jobs.table.MetricRow;
import org.cliffwatch.jobs.table.ScoreRow;
import org.cliffwatch.jobs.table.Tables.Slice;
import org.cliffwatch.tasks.metric.ItemResult;
import org.cliffwatch.tasks.metric.Metric;

/**
 * Scores of two precisions of one checkpoint → its rows of {@code degradation}.
 *
 * <p>The mean over the tasks follows Ahmadian et al. 2023 §3.2: each task's own relative change
 * first, then their plain mean. It is made per metric, over the tasks that have it; the {@code acc}
 * mean takes a task without acc by its first metric that is a share (byte_likelihood), as the paper
 * counts Paralex. A group of tasks that the suite asks by one name counts once: by its accuracy
 * over the items of all its tasks, which is their mean weighted by items.
 */
final class Degradation {
  private final Slice slice;
  private final String baseline;
  private final int replicas;
  private final long seed;

  private final Map<AskedTask, List<DegradationRow>> byTask = new LinkedHashMap<>();
  private final Map<DegradationRow, double[]> resamples = new HashMap<>();
  private final Map<String, Map<Metric, GroupComparison>> byGroup = new LinkedHashMap<>();

  /**
   * @param slice the checkpoint at the precision that is compared
   * @param baseline name of the baseline precision
   * @param seed of the bootstraps and sign-flip tests, each task's own stream of it
   */
  Degradation(Slice slice, String baseline, int replicas, long seed) {
    this.slice = slice;
    this.baseline = baseline;
    this.replicas = replicas;
    this.seed = seed;
  }

  /** One precision's scores of a task. */
  record TaskScores(String cellId, List<MetricRow> metrics, List<ScoreRow> scores) {}

  /** Compares a task; its scores are not held. */
  void add(AskedTask task, TaskScores before, TaskScores after) {
    byTask.put(
        task, task.metrics().stream().map(metric -> row(task, metric, before, after)).toList());
    if (task.group() != null) {
      task.metrics().stream()
          .filter(Metric::isShare)
          .forEach(metric -> addToGroup(task, metric, before, after));
    }
  }

  private void addToGroup(AskedTask task, Metric metric, TaskScores before, TaskScores after) {
    GroupComparison group =
        byGroup
            .computeIfAbsent(task.group(), name -> new LinkedHashMap<>())
            .computeIfAbsent(metric, m -> new GroupComparison());
    MetricRow baselineRow = find(before.metrics(), metric);
    MetricRow row = find(after.metrics(), metric);
    if (baselineRow == null || row == null || baselineRow.value() == null || row.value() == null) {
      group.addFailed();
      return;
    }
    group.add(
        baselineRow,
        row,
        metric.isAccuracy() && replicas == 1
            ? null
            : pair(task, metric, before.scores(), after.scores()),
        metric.isAccuracy() ? counts(task, metric, before.scores(), after.scores()) : null);
  }

  private List<DegradationRow> groups() {
    List<DegradationRow> rows = new ArrayList<>();
    byGroup.forEach(
        (name, metrics) ->
            metrics.forEach((metric, group) -> rows.add(group(name, metric, group))));
    return rows;
  }

  private DegradationRow group(String name, Metric metric, GroupComparison group) {
    boolean whole = group.isWhole();
    double[] relative = whole ? group.relativeResamples(stream(seed, name)) : null;
    double[] interval = whole ? PairedComparison.interval(relative) : null;
    OutcomeCounts counts = group.counts();
    DegradationRow row =
        new DegradationRow(
            slice.precision(),
            slice.step(),
            name,
            metric.toString(),
            baseline,
            whole ? (Double) group.baselineValue() : null,
            whole ? (Double) group.value() : null,
            whole ? (Double) (100 * (group.value() - group.baselineValue())) : null,
            whole && group.baselineValue() != 0 ? (Double) group.relativePercent() : null,
            interval == null ? null : (Double) interval[0],
            interval == null ? null : (Double) interval[1],
            whole ? (Double) group.pValue(stream(seed, name)) : null,
            null,
            counts == null ? null : (Long) counts.gained(),
            counts == null ? null : (Long) counts.lost(),
            null,
            whole ? group.items() : 0,
            null,
            null,
            seed);
    if (relative != null) {
      resamples.put(row, relative);
    }
    return row;
  }

  /** The rows of all tasks added, of groups, then the means, with p-values adjusted over all. */
  List<DegradationRow> rows() {
    List<DegradationRow> rows = new ArrayList<>();
    byTask.values().forEach(rows::addAll);
    List<DegradationRow> groups = groups();
    rows.addAll(groups);
    rows.addAll(means(groups));
    return adjusted(rows);
  }

  private DegradationRow row(
      AskedTask task, Metric metric, TaskScores baselineScores, TaskScores scores) {
    MetricRow before = find(baselineScores.metrics(), metric);
    MetricRow after = find(scores.metrics(), metric);
    if (before == null || after == null || before.value() == null || after.value() == null) {
      return new DegradationRow(
          slice.precision(),
          slice.step(),
          task.name(),
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
          0,
          scores.cellId(),
          baselineScores.cellId(),
          seed);
    }
    Compared compared = compare(task, metric, baselineScores.scores(), scores.scores());
    double difference = after.value() - before.value();
    double relPct = PairedComparison.relativePercent(before.value(), after.value());
    double[] interval = PairedComparison.interval(compared.relative());
    OutcomeCounts counts = compared.counts();
    DegradationRow row =
        new DegradationRow(
            slice.precision(),
            slice.step(),
            task.name(),
            metric.toString(),
            baseline,
            before.value(),
            after.value(),
            metric.isShare() ? 100 * difference : difference,
            Double.isNaN(relPct) ? null : (Double) relPct,
            interval == null ? null : (Double) interval[0],
            interval == null ? null : (Double) interval[1],
            compared.p(),
            null,
            counts == null ? null : (Long) counts.gained(),
            counts == null ? null : (Long) counts.lost(),
            after.roundingSd(),
            compared.items(),
            scores.cellId(),
            baselineScores.cellId(),
            seed);
    resamples.put(row, compared.relative());
    return row;
  }

  /**
   * A task's own random stream: tasks of equal size would otherwise draw the same items, and the
   * interval of their mean would carry the chance correlations of items that have nothing to do
   * with each other. The metrics of a task share it: they are of the same answers.
   */
  private static long stream(long seed, String task) {
    return Sha256.seed("seed", Long.toString(seed), "task", task);
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

  /**
   * @param counts of replica 0; null where the metric is no accuracy
   */
  private record Compared(double[] relative, double p, OutcomeCounts counts, long items) {}

  private Compared compare(
      AskedTask task, Metric metric, List<ScoreRow> baselineScores, List<ScoreRow> scores) {
    long stream = stream(seed, task.name());
    OutcomeCounts counts =
        metric.isAccuracy() ? counts(task, metric, baselineScores, scores) : null;
    if (counts != null && replicas == 1) {
      return new Compared(
          counts.relativeResamples(stream),
          PairedComparison.mcNemar(counts.gained(), counts.lost()),
          counts,
          counts.items());
    }
    PairedComparison paired = pair(task, metric, baselineScores, scores);
    return new Compared(
        paired.relativeResamples(stream), paired.signFlip(stream), counts, paired.items());
  }

  private static OutcomeCounts counts(
      AskedTask task, Metric metric, List<ScoreRow> baselineScores, List<ScoreRow> scores) {
    Map<Integer, ItemResult> old = new HashMap<>();
    Metrics.results(baselineScores, task.outputType(), 0)
        .forEach(result -> old.put(result.item(), result));
    long kept = 0;
    long gained = 0;
    long lost = 0;
    long wrong = 0;
    for (ItemResult result : Metrics.results(scores, task.outputType(), 0)) {
      ItemResult was = old.get(result.item());
      if (was != null) {
        boolean right = metric.contribution(result) > 0;
        boolean wasRight = metric.contribution(was) > 0;
        kept += right && wasRight ? 1 : 0;
        gained += right && !wasRight ? 1 : 0;
        lost += wasRight && !right ? 1 : 0;
        wrong += !right && !wasRight ? 1 : 0;
      }
    }
    return new OutcomeCounts(kept, gained, lost, wrong);
  }

  private PairedComparison pair(
      AskedTask task, Metric metric, List<ScoreRow> baselineScores, List<ScoreRow> scores) {
    Map<Integer, double[]> before = contributions(baselineScores, task, metric);
    Map<Integer, double[]> after = contributions(scores, task, metric);
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
    return new PairedComparison(baselines, values, weights, mean -> metric.aggregate(mean, 1));
  }

  /** (contribution, weight) an item, the contribution a mean over replicas. */
  private Map<Integer, double[]> contributions(List<ScoreRow> rows, AskedTask task, Metric metric) {
    Map<Integer, double[]> sums = new HashMap<>();
    for (int replica = 0; replica < replicas; replica++) {
      for (ItemResult result : Metrics.results(rows, task.outputType(), replica)) {
        double[] sum = sums.computeIfAbsent(result.item(), i -> new double[2]);
        sum[0] += metric.contribution(result) / replicas;
        sum[1] = metric.weight(result);
      }
    }
    return sums;
  }

  private List<DegradationRow> means(List<DegradationRow> groups) {
    Map<String, List<DegradationRow>> byMetric = new TreeMap<>();
    Set<String> counted = new HashSet<>();
    byTask.forEach(
        (task, taskRows) -> {
          if (task.group() == null) {
            count(taskRows, byMetric);
          } else if (counted.add(task.group())) {
            count(
                groups.stream().filter(row -> row.task().equals(task.group())).toList(), byMetric);
          }
        });
    return byMetric.entrySet().stream()
        .map(entry -> mean(entry.getKey(), entry.getValue(), resamples))
        .toList();
  }

  /** Adds what stands for one task in the means: its rows of every metric. */
  private static void count(List<DegradationRow> rows, Map<String, List<DegradationRow>> byMetric) {
    String acc = Metric.ACC.toString();
    for (DegradationRow row : rows) {
      byMetric.computeIfAbsent(row.metric(), m -> new ArrayList<>()).add(row);
    }
    if (rows.stream().noneMatch(row -> row.metric().equals(acc))) {
      rows.stream()
          .filter(row -> Metric.named(row.metric()).filter(Metric::isShare).isPresent())
          .findFirst()
          .ifPresent(row -> byMetric.computeIfAbsent(acc, m -> new ArrayList<>()).add(row));
    }
  }

  /**
   * The mean over tasks; without an interval where a task has none.
   *
   * @param tasks rows of one model, precision and step
   */
  static DegradationRow mean(
      String metric, List<DegradationRow> tasks, Map<DegradationRow, double[]> resamples) {
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
    DegradationRow first = tasks.get(0);
    return new DegradationRow(
        first.precision(),
        first.step(),
        DegradationRow.MEAN,
        metric,
        first.baseline(),
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
        tasks.stream().mapToLong(DegradationRow::items).sum(),
        null,
        null,
        first.seed());
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

  private static List<DegradationRow> adjusted(List<DegradationRow> rows) {
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
