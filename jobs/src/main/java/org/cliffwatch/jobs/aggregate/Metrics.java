package org.cliffwatch.jobs.aggregate;

import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.apache.commons.math3.stat.StatUtils;
import org.cliffwatch.jobs.plan.AskedTask;
import org.cliffwatch.jobs.table.MetricRow;
import org.cliffwatch.jobs.table.ScoreRow;
import org.cliffwatch.jobs.table.Tables.Slice;
import org.cliffwatch.tasks.metric.ItemResult;
import org.cliffwatch.tasks.metric.Metric;
import org.cliffwatch.tasks.metric.MetricState;
import org.cliffwatch.tasks.metric.OutputType;

/** Scores → metrics: every metric of a cell, a mean over its replicas. */
final class Metrics {
  private Metrics() {}

  /** The results of one replica's items that were scored, in item order. */
  static List<ItemResult> results(List<ScoreRow> rows, OutputType type, int replica) {
    return rows.stream()
        .filter(row -> row.isOk() && row.replica() == replica)
        .map(row -> row.result(type))
        .toList();
  }

  /**
   * A cell's rows of {@code metrics}.
   *
   * @param rows the cell's scores, all replicas
   * @param error why the cell counts as failed, or null
   */
  static List<MetricRow> of(CellResult cell, List<ScoreRow> rows, int replicas, String error) {
    AskedTask task = cell.task();
    Slice slice = cell.cell().slice();
    long failed = rows.stream().filter(row -> row.replica() == 0 && !row.isOk()).count();
    List<List<ItemResult>> results =
        IntStream.range(0, replicas)
            .mapToObj(replica -> results(rows, task.outputType(), replica))
            .toList();
    List<MetricRow> metrics = new ArrayList<>();
    for (Metric metric : cell.metrics()) {
      List<MetricState> states =
          results.stream().map(of -> metric.over(measured(metric, of))).toList();
      boolean valued = error == null && states.get(0).items() > 0;
      metrics.add(
          new MetricRow(
              slice.precision(),
              slice.step(),
              cell.cell().id(),
              task.name(),
              metric.toString(),
              metric.higherIsBetter(),
              valued ? mean(states, MetricState::value) : null,
              valued ? mean(states, state -> state.stderr().orElse(Double.NaN)) : null,
              valued ? mean(states, state -> state.interval().low()) : null,
              valued ? mean(states, state -> state.interval().high()) : null,
              replicas,
              valued && replicas > 1 ? Math.sqrt(StatUtils.variance(values(states))) : null,
              states.get(0).items(),
              failed,
              cell.itemsPerSecond(),
              cell.tokensPerSecond(),
              cell.kernel(),
              String.valueOf(task.version()),
              task.hash(),
              cell.comparableKey(),
              cell.comparableParts(),
              error));
    }
    return metrics;
  }

  /** An item that the baseline could not score has no divergence from it. */
  private static List<ItemResult> measured(Metric metric, List<ItemResult> results) {
    return metric.isDivergence()
        ? results.stream().filter(ItemResult::isCompared).toList()
        : results;
  }

  private static double[] values(List<MetricState> states) {
    return states.stream().mapToDouble(MetricState::value).toArray();
  }

  /** Null where a replica has none. */
  private static Double mean(List<MetricState> states, ToDoubleFunction<MetricState> of) {
    double mean = states.stream().mapToDouble(of).sum() / states.size();
    return Double.isNaN(mean) ? null : (Double) mean;
  }
}
