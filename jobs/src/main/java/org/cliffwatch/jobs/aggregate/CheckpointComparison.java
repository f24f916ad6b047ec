package org.cliffwatch.jobs.aggregate;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.DoubleAccumulator;
import org.apache.spark.util.SerializableConfiguration;
import org.cliffwatch.jobs.aggregate.Degradation.TaskScores;
import org.cliffwatch.jobs.aggregate.SliceResult.Failure;
import org.cliffwatch.jobs.plan.AskedTask;
import org.cliffwatch.jobs.table.DegradationRow;
import org.cliffwatch.jobs.table.MetricRow;
import org.cliffwatch.jobs.table.ScoreRow;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.jobs.table.Tables.Slice;
import org.cliffwatch.tasks.metric.Metric;

/**
 * Runs on an executor: some checkpoints' cells → their rows of {@code metrics} and {@code
 * degradation}, task by task, so that a task's scores at two precisions are all it holds.
 */
final class CheckpointComparison
    implements FlatMapFunction<Iterator<CheckpointCells>, CheckpointRows> {
  private static final long serialVersionUID = 1L;

  private final ComparisonSettings settings;
  private final DoubleAccumulator done;
  private final Broadcast<SerializableConfiguration> hadoop;

  /**
   * @param done counts cells
   */
  CheckpointComparison(
      ComparisonSettings settings,
      DoubleAccumulator done,
      Broadcast<SerializableConfiguration> hadoop) {
    this.settings = settings;
    this.done = done;
    this.hadoop = hadoop;
  }

  @Override
  public Iterator<CheckpointRows> call(Iterator<CheckpointCells> checkpoints) {
    Tables tables = new Tables(new Path(settings.output()), hadoop.value().value());
    return new Iterator<>() {
      private ModelTables known;

      @Override
      public boolean hasNext() {
        return checkpoints.hasNext();
      }

      @Override
      public CheckpointRows next() {
        CheckpointCells checkpoint = checkpoints.next();
        if (known == null || !known.model().equals(checkpoint.model())) {
          known = ModelTables.read(tables, checkpoint.model());
        }
        return new Comparison(tables, known, checkpoint).rows();
      }
    };
  }

  /** A cell's scores, read when they are first asked for. */
  private static final class Scores {
    private final Tables tables;
    private final CellResult cell;
    private List<ScoreRow> rows;

    Scores(Tables tables, CellResult cell) {
      this.tables = tables;
      this.cell = cell;
    }

    List<ScoreRow> rows() {
      if (rows == null) {
        rows = tables.scores(cell.cell()).readCommitted(Tables.SCORES);
      }
      return rows;
    }
  }

  /** One checkpoint. */
  private final class Comparison {
    private final Tables tables;
    private final ModelTables known;
    private final CheckpointCells checkpoint;
    private final Map<Slice, Degradation> compared = new LinkedHashMap<>();
    private final Map<Slice, List<MetricRow>> metrics = new LinkedHashMap<>();

    Comparison(Tables tables, ModelTables known, CheckpointCells checkpoint) {
      this.tables = tables;
      this.known = known;
      this.checkpoint = checkpoint;
    }

    CheckpointRows rows() {
      List<CellResult> baseline = null;
      for (Map.Entry<Slice, List<CellResult>> entry : checkpoint.slices().entrySet()) {
        metrics.put(entry.getKey(), new ArrayList<>());
        if (entry.getKey().precision().equals(settings.baseline())) {
          baseline = entry.getValue();
        }
      }
      for (Map.Entry<Slice, List<CellResult>> entry : checkpoint.slices().entrySet()) {
        Slice slice = entry.getKey();
        if (baseline != null
            && entry.getValue() != baseline
            && !isKnown(slice, entry.getValue(), baseline)) {
          compared.put(
              slice,
              new Degradation(slice, settings.baseline(), settings.replicas(), settings.seed()));
        }
      }
      int tasks = checkpoint.slices().values().iterator().next().size();
      for (int task = 0; task < tasks; task++) {
        task(task, baseline);
      }
      return result();
    }

    private void task(int task, List<CellResult> baseline) {
      TaskScores before = null;
      if (baseline != null) {
        CellResult cell = baseline.get(task);
        Scores scores = new Scores(tables, cell);
        List<MetricRow> rows = metrics(cell, scores);
        metrics.get(cell.cell().slice()).addAll(rows);
        before = compared.isEmpty() ? null : scores(cell, rows, scores);
        done.add(1);
      }
      for (Map.Entry<Slice, List<CellResult>> entry : checkpoint.slices().entrySet()) {
        if (entry.getValue() == baseline) {
          continue;
        }
        CellResult cell = entry.getValue().get(task);
        Scores scores = new Scores(tables, cell);
        List<MetricRow> rows = metrics(cell, scores);
        metrics.get(entry.getKey()).addAll(rows);
        Degradation degradation = compared.get(entry.getKey());
        if (degradation != null) {
          degradation.add(cell.task(), before, scores(cell, rows, scores));
        }
        done.add(1);
      }
    }

    private TaskScores scores(CellResult cell, List<MetricRow> rows, Scores scores) {
      boolean valued = rows.stream().anyMatch(row -> row.value() != null);
      return new TaskScores(cell.cell().id(), rows, valued ? scores.rows() : List.of());
    }

    private List<MetricRow> metrics(CellResult cell, Scores scores) {
      if (cell.error() != null) {
        return Metrics.of(cell, List.of(), settings.replicas(), cell.error());
      }
      List<MetricRow> rows = known.metrics(cell.cell().slice(), cell.task().name());
      boolean current =
          cell.throughput() == null
              && rows.size() == cell.metrics().size()
              && rows.stream()
                  .allMatch(
                      row ->
                          row.cellId().equals(cell.cell().id())
                              && row.error() == null
                              && row.failed() <= settings.maxRejectedItems());
      return current
          ? rows
          : Metrics.of(cell, scores.rows(), settings.replicas(), tooManyRejected(scores.rows()));
    }

    private String tooManyRejected(List<ScoreRow> rows) {
      List<ScoreRow> rejected =
          rows.stream().filter(row -> row.replica() == 0 && !row.isOk()).toList();
      return rejected.size() <= settings.maxRejectedItems()
          ? null
          : rejected.size()
              + " items rejected, max_rejected_items allows "
              + settings.maxRejectedItems()
              + "; item "
              + rejected.get(0).item()
              + ": "
              + rejected.get(0).error();
    }

    /**
     * Whether the table holds this very comparison: of these cells, with this seed, of no others.
     */
    private boolean isKnown(Slice slice, List<CellResult> cells, List<CellResult> baseline) {
      List<DegradationRow> rows =
          known.degradation(slice).stream().filter(DegradationRow::isTask).toList();
      int expected = cells.stream().mapToInt(cell -> cell.task().metrics().size()).sum();
      if (rows.size() != expected || !groups(cells).equals(knownGroups(slice))) {
        return false;
      }
      for (int i = 0; i < cells.size(); i++) {
        CellResult cell = cells.get(i);
        CellResult before = baseline.get(i);
        boolean same =
            cell.error() == null
                && before.error() == null
                && rows.stream()
                        .filter(row -> row.task().equals(cell.task().name()))
                        .filter(row -> cell.cell().id().equals(row.cellId()))
                        .filter(row -> before.cell().id().equals(row.baselineCellId()))
                        .filter(row -> row.baseline().equals(settings.baseline()))
                        .filter(row -> row.seed() == settings.seed())
                        .filter(row -> row.value() != null && row.baselineValue() != null)
                        .count()
                    == cell.task().metrics().size();
        if (!same) {
          return false;
        }
      }
      return true;
    }

    private Set<String> knownGroups(Slice slice) {
      return known.degradation(slice).stream()
          .filter(DegradationRow::isGroup)
          .map(DegradationRow::task)
          .collect(Collectors.toSet());
    }

    private CheckpointRows result() {
      List<DegradationRow> degradation = new ArrayList<>();
      List<SliceResult> results = new ArrayList<>();
      metrics.forEach(
          (slice, rows) -> {
            List<DegradationRow> changes = List.of();
            if (!slice.precision().equals(settings.baseline())) {
              Degradation made = compared.get(slice);
              changes = made == null ? known.degradation(slice) : made.rows();
              degradation.addAll(changes);
            }
            results.add(
                CheckpointComparison.result(slice, checkpoint.slices().get(slice), rows, changes));
          });
      return new CheckpointRows(
          checkpoint.model(),
          metrics.values().stream().flatMap(List::stream).toList(),
          degradation,
          results);
    }
  }

  /** The groups with a share, whose rows the table has. */
  private static Set<String> groups(List<CellResult> cells) {
    return cells.stream()
        .map(CellResult::task)
        .filter(task -> task.group() != null && task.metrics().stream().anyMatch(Metric::isShare))
        .map(AskedTask::group)
        .collect(Collectors.toSet());
  }

  private static SliceResult result(
      Slice slice, List<CellResult> cells, List<MetricRow> metrics, List<DegradationRow> changes) {
    List<DegradationRow> means = changes.stream().filter(DegradationRow::isMean).toList();
    String acc = Metric.ACC.toString();
    String headline =
        metrics.stream().anyMatch(row -> row.metric().equals(acc))
                || means.stream().anyMatch(row -> row.metric().equals(acc))
            ? acc
            : metrics.get(0).metric();
    List<MetricRow> own = metrics.stream().filter(row -> row.metric().equals(headline)).toList();
    Double value =
        own.stream().anyMatch(row -> row.value() == null)
            ? null
            : (Double) GroupMean.overTasks(own, cells);
    DegradationRow mean =
        means.stream().filter(row -> row.metric().equals(headline)).findFirst().orElse(null);
    List<DegradationRow> ofTasks =
        changes.stream()
            .filter(row -> row.isTask() && row.metric().equals(headline))
            .filter(row -> row.relPct() != null)
            .toList();
    boolean higherIsBetter = own.isEmpty() || own.get(0).higherIsBetter();
    Comparator<DegradationRow> byChange = Comparator.comparingDouble(DegradationRow::relPct);
    DegradationRow worst =
        ofTasks.stream().min(higherIsBetter ? byChange : byChange.reversed()).orElse(null);
    List<DegradationRow> answered =
        changes.stream()
            .filter(row -> row.isTask() && row.metric().equals(acc) && row.gained() != null)
            .toList();
    Map<String, Long> items = new TreeMap<>();
    Map<String, Failure> failures = new LinkedHashMap<>();
    for (MetricRow row : metrics) {
      if (Metric.named(row.metric()).isEmpty()) {
        continue; // a divergence: what it lacks, the baseline lacks
      }
      if (row.value() != null) {
        items.put(row.task(), row.items());
      } else {
        failures.put(
            row.task(),
            new Failure(row.task(), Objects.requireNonNullElse(row.error(), "no item was scored")));
      }
    }
    return new SliceResult(
        slice,
        headline,
        value,
        mean,
        worst,
        answered.stream().mapToLong(row -> row.gained() + row.lost()).sum(),
        answered.stream().mapToLong(DegradationRow::items).sum(),
        items,
        List.copyOf(failures.values()));
  }
}
