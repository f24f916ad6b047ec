package org.cliffwatch.jobs;

import java.io.PrintStream;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.cliffwatch.jobs.Degradation.TaskScores;
import org.cliffwatch.jobs.plan.Cell;
import org.cliffwatch.jobs.plan.Plan;
import org.cliffwatch.jobs.plan.Planner;
import org.cliffwatch.jobs.score.Scoring;
import org.cliffwatch.jobs.score.Scoring.Scored;
import org.cliffwatch.jobs.suite.Suite;
import org.cliffwatch.jobs.table.DegradationRow;
import org.cliffwatch.jobs.table.MetricRow;
import org.cliffwatch.jobs.table.RowFile;
import org.cliffwatch.jobs.table.ScoreRow;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.jobs.table.Tables.Slice;

/**
 * The way of the data, a call a stage:
 *
 * <pre>
 *   suite ─► plan ─► scores ─► metrics ─► degradation ─► runs
 * </pre>
 */
final class Evaluation {
  /** Cells whose shards are offered to Spark at once: the next one's fill the last one's gaps. */
  private static final int CELLS_AT_ONCE = 2;

  private static final String CELLS = "cliffwatch.cells";

  private final JavaSparkContext spark;
  private final Suite suite;
  private final String output;
  private final boolean fresh;
  private final Tables tables;
  private final PrintStream log;

  private final Instant started = Instant.now().truncatedTo(ChronoUnit.MILLIS);
  private final Map<Cell, String> failures = new ConcurrentHashMap<>();
  private Scoring scoring;
  private int reused;

  /**
   * @param output folder of the tables, any Hadoop URI
   * @param fresh whether committed cells are scored again
   * @param log for progress and warnings
   */
  Evaluation(JavaSparkContext spark, Suite suite, String output, boolean fresh, PrintStream log) {
    this.spark = spark;
    this.suite = suite;
    this.output = output;
    this.fresh = fresh;
    this.tables = new Tables(new Path(output), spark.hadoopConfiguration());
    this.log = log;
  }

  /** What a run came to. */
  record Outcome(
      Plan plan,
      List<MetricRow> metrics,
      Map<Slice, List<DegradationRow>> degradation,
      int exitCode) {}

  Outcome run() {
    Plan plan = plan();
    Map<Cell, List<MetricRow>> metrics = score(plan);
    Map<Slice, List<DegradationRow>> degradation = degradation(plan, metrics);
    int exitCode = failures.isEmpty() ? ExitCode.DONE : ExitCode.CELLS_FAILED;
    record(plan, exitCode);
    return new Outcome(
        plan, metrics.values().stream().flatMap(List::stream).toList(), degradation, exitCode);
  }

  /** The suite's plan; the stages after it share what it broadcasts. */
  Plan plan() {
    Plan plan = new Planner(spark).plan(suite);
    Report.warn(plan.warnings(), log);
    scoring = new Scoring(spark, plan, tables, output);
    return plan;
  }

  /** What a run would do with a cell of the plan. */
  String state(Cell cell) {
    if (cell.refusal() != null) {
      return "fails";
    }
    return scoring.isCommitted(cell) ? "committed" : "to score";
  }

  /** Scores every cell that is not committed, and makes its metrics. */
  private Map<Cell, List<MetricRow>> score(Plan plan) {
    Map<Cell, List<MetricRow>> metrics = new ConcurrentHashMap<>();
    List<Cell> pending = new ArrayList<>();
    for (Cell cell : plan.cells()) {
      if (cell.refusal() != null) {
        metrics.put(cell, metrics(plan, cell, List.of(), null, cell.refusal()));
      } else if (!fresh && scoring.isCommitted(cell)) {
        metrics.put(cell, reuse(plan, cell));
        reused++;
      } else {
        pending.add(cell);
      }
    }
    Progress progress = new Progress(log, pending, plan.cells().size());
    if (reused > 0) {
      progress.line(reused + " of " + plan.cells().size() + " cells are committed already");
    }
    ExecutorService cells = Executors.newFixedThreadPool(CELLS_AT_ONCE);
    try {
      Map<Cell, Future<List<MetricRow>>> running = new LinkedHashMap<>();
      for (Cell cell : pending) {
        running.put(cell, cells.submit(() -> scoreOne(plan, cell, progress)));
      }
      for (Map.Entry<Cell, Future<List<MetricRow>>> entry : running.entrySet()) {
        metrics.put(entry.getKey(), entry.getValue().get());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    } catch (ExecutionException e) {
      throw new IllegalStateException(e.getCause());
    } finally {
      cells.shutdownNow();
    }
    Map<Cell, List<MetricRow>> inOrder = new LinkedHashMap<>();
    plan.cells().forEach(cell -> inOrder.put(cell, metrics.get(cell)));
    ComparabilityLint.across(inOrder.values().stream().flatMap(List::stream).toList())
        .forEach(warning -> progress.line("warning: " + warning));
    return inOrder;
  }

  private List<MetricRow> scoreOne(Plan plan, Cell cell, Progress progress) {
    if (fresh) {
      scoring.forget(cell);
    }
    Scored scored;
    try {
      scored = scoring.score(cell);
    } catch (Exception e) {
      if (spark.sc().isStopped()) {
        throw e; // the run is over, and that says nothing of the cell
      }
      String error = rootMessage(e);
      progress.line(cell + " failed: " + error);
      return metrics(plan, cell, List.of(), null, error);
    }
    String error = tooManyRejected(scored.rows());
    List<MetricRow> rows = metrics(plan, cell, scored.rows(), scored, error);
    // Metrics before scores: the scores' file is the commit.
    scoring.commit(cell, scored);
    for (String warning : ComparabilityLint.of(cell, suite.bos(), scored.rows())) {
      progress.line("warning: " + cell + ": " + warning);
    }
    progress.finished(
        cell,
        error != null ? "failed: " + error : Summary.firstMetric(rows),
        scored.seconds() > 0 ? scored.items() / scored.seconds() : Double.NaN);
    return rows;
  }

  private static String rootMessage(Throwable e) {
    Throwable root = e;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    return root.getClass().getSimpleName()
        + ": "
        + String.valueOf(root.getMessage()).lines().findFirst().orElse("");
  }

  private String tooManyRejected(List<ScoreRow> rows) {
    List<ScoreRow> rejected =
        rows.stream().filter(row -> row.replica() == 0 && !row.isOk()).toList();
    if (rejected.size() <= suite.maxRejectedItems()) {
      return null;
    }
    return rejected.size()
        + " items rejected, max_rejected_items allows "
        + suite.maxRejectedItems()
        + "; item "
        + rejected.get(0).item()
        + ": "
        + rejected.get(0).error();
  }

  private List<MetricRow> reuse(Plan plan, Cell cell) {
    RowFile file = tables.metrics(cell.slice(), cell.task());
    if (isOf(cell.id(), file)) {
      List<MetricRow> rows = file.read(Tables.METRICS);
      if (rows.stream()
          .allMatch(row -> row.failed() <= suite.maxRejectedItems() && row.error() == null)) {
        return rows;
      }
    }
    List<ScoreRow> rows = scoring.committed(cell);
    return metrics(plan, cell, rows, null, tooManyRejected(rows));
  }

  private static boolean isOf(String cells, RowFile file) {
    return file.metadata().map(metadata -> cells.equals(metadata.get(CELLS))).orElse(false);
  }

  private List<MetricRow> metrics(
      Plan plan, Cell cell, List<ScoreRow> rows, Scored scored, String error) {
    if (error != null) {
      failures.put(cell, error);
    }
    Metrics.Throughput throughput =
        scored == null
            ? new Metrics.Throughput(0, 0, 0)
            : new Metrics.Throughput(scored.items(), scored.tokens(), scored.seconds());
    List<MetricRow> metrics =
        Metrics.of(cell, rows, suite.replicas(), plan.kernel(), throughput, error);
    tables
        .metrics(cell.slice(), cell.task())
        .write(tables.staging(), Tables.METRICS, Map.of(CELLS, cell.id()), metrics);
    return metrics;
  }

  /** Compares every precision of a checkpoint with the baseline, where either changed. */
  private Map<Slice, List<DegradationRow>> degradation(
      Plan plan, Map<Cell, List<MetricRow>> metrics) {
    Map<Slice, List<Cell>> bySlice = new LinkedHashMap<>();
    plan.cells()
        .forEach(cell -> bySlice.computeIfAbsent(cell.slice(), s -> new ArrayList<>()).add(cell));
    Map<Slice, List<DegradationRow>> degradation = new LinkedHashMap<>();
    bySlice.forEach(
        (slice, cells) -> {
          if (slice.precision().equals(suite.baseline())) {
            return;
          }
          List<Cell> baseline =
              bySlice.get(new Slice(slice.model(), suite.baseline(), slice.step()));
          RowFile file = tables.degradation(slice);
          String identity = identity(baseline, cells);
          if (!isOf(identity, file)) {
            List<TaskScores> tasks = new ArrayList<>();
            for (int i = 0; i < cells.size(); i++) {
              tasks.add(
                  new TaskScores(
                      cells.get(i).items().definition(),
                      metrics.get(baseline.get(i)),
                      metrics.get(cells.get(i)),
                      rows(baseline.get(i)),
                      rows(cells.get(i))));
            }
            file.write(
                tables.staging(),
                Tables.DEGRADATION,
                Map.of(CELLS, identity),
                Degradation.of(tasks, suite.baseline(), suite.replicas(), suite.seed()));
          }
          degradation.put(slice, file.read(Tables.DEGRADATION));
        });
    return degradation;
  }

  private List<ScoreRow> rows(Cell cell) {
    return failures.containsKey(cell) ? List.of() : scoring.committed(cell);
  }

  private String identity(List<Cell> baseline, List<Cell> cells) {
    // "by task": how the comparison draws. What was drawn otherwise is compared again.
    StringBuilder identity = new StringBuilder("seed " + suite.seed() + " by task");
    for (List<Cell> side : List.of(baseline, cells)) {
      side.forEach(
          cell ->
              identity
                  .append(' ')
                  .append(cell.id())
                  .append(failures.containsKey(cell) ? " failed" : ""));
    }
    return identity.toString();
  }

  private void record(Plan plan, int exitCode) {
    Instant finished = Instant.now().truncatedTo(ChronoUnit.MILLIS);
    String runId =
        started.toString().replaceAll("[-:.]", "")
            + "-"
            + java.util.UUID.randomUUID().toString().substring(0, 8);
    tables
        .run(runId)
        .write(
            tables.staging(),
            Tables.RUNS,
            Map.of(),
            List.of(
                Runs.row(
                    suite,
                    plan,
                    started,
                    finished,
                    spark.version(),
                    reused,
                    failures.size(),
                    exitCode)));
  }
}
