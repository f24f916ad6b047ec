package org.cliffwatch.jobs;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.commons.math3.stat.StatUtils;
import org.cliffwatch.jobs.plan.Cell;
import org.cliffwatch.jobs.table.MetricRow;
import org.cliffwatch.jobs.table.ScoreRow;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.metric.ItemResult;
import org.cliffwatch.tasks.metric.Metric;
import org.cliffwatch.tasks.metric.MetricState;
import org.cliffwatch.tasks.metric.OutputType;

/** Scores → metrics: every metric of a cell, a mean over its replicas. */
final class Metrics {
  /**
   * How fast a cell's shards were, each by its own clock: a thread's rate, whatever ran beside it.
   *
   * @param seconds summed over the shards
   */
  record Throughput(long items, long tokens, double seconds) {
    Double itemsPerSecond() {
      return seconds > 0 ? (Double) (items / seconds) : null;
    }

    Double tokensPerSecond() {
      return seconds > 0 ? (Double) (tokens / seconds) : null;
    }
  }

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
  static List<MetricRow> of(
      Cell cell,
      List<ScoreRow> rows,
      int replicas,
      String kernel,
      Throughput throughput,
      String error) {
    TaskDefinition task = cell.items().definition();
    long failed = rows.stream().filter(row -> row.replica() == 0 && !row.isOk()).count();
    Map<Integer, List<ItemResult>> results =
        IntStream.range(0, replicas)
            .boxed()
            .collect(
                Collectors.toMap(
                    replica -> replica,
                    replica -> results(rows, task.outputType(), replica),
                    (a, b) -> a,
                    TreeMap::new));
    List<MetricRow> metrics = new ArrayList<>();
    for (Metric metric : task.metrics()) {
      List<MetricState> states = results.values().stream().map(metric::over).toList();
      boolean valued = error == null && states.get(0).items() > 0;
      metrics.add(
          new MetricRow(
              cell.id(),
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
              throughput.itemsPerSecond(),
              throughput.tokensPerSecond(),
              kernel,
              String.valueOf(task.version()),
              task.hash(),
              cell.comparableKey(),
              error));
    }
    return metrics;
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
