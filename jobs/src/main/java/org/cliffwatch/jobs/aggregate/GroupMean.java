package org.cliffwatch.jobs.aggregate;

import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.cliffwatch.jobs.table.MetricRow;

/**
 * A group's value of one metric, of its tasks' rows: lm-evaluation-harness's {@code
 * aggregate_subtask_metrics} and {@code pooled_sample_stderr} (api/metrics.py).
 *
 * @param value the mean weighted by items, its {@code weight_by_size: true}
 * @param unweighted the plain mean of the tasks
 * @param stderr of {@code value}; null where a task has none
 */
public record GroupMean(double value, double unweighted, Double stderr, long items, long failed) {

  /**
   * The mean over a group's tasks.
   *
   * @param rows one a task, each with a value
   */
  public static GroupMean of(Collection<MetricRow> rows) {
    double weighted = 0;
    double plain = 0;
    long items = 0;
    long failed = 0;
    double squares = 0;
    for (MetricRow row : rows) {
      weighted += row.value() * row.items();
      plain += row.value();
      items += row.items();
      failed += row.failed();
      double stderr = row.stderr() == null ? Double.NaN : row.stderr();
      squares += (row.items() - 1) * stderr * stderr * row.items();
    }
    double pooled = Math.sqrt(squares / (items - rows.size()) / items);
    return new GroupMean(
        weighted / items,
        plain / rows.size(),
        Double.isNaN(pooled) ? null : (Double) pooled,
        items,
        failed);
  }

  /** The mean over tasks, a group of the suite being one of them. */
  static double overTasks(List<MetricRow> rows, List<CellResult> cells) {
    Map<String, String> groups = new LinkedHashMap<>();
    for (CellResult cell : cells) {
      String group = cell.task().group();
      groups.put(
          cell.task().name(), group == null ? "task " + cell.task().name() : "group " + group);
    }
    return rows.stream()
        .collect(
            Collectors.groupingBy(
                row -> groups.get(row.task()), LinkedHashMap::new, Collectors.toList()))
        .values()
        .stream()
        .mapToDouble(of -> of.size() == 1 ? of.get(0).value() : of(of).value())
        .average()
        .orElse(Double.NaN);
  }
}
