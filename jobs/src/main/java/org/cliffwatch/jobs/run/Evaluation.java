package org.cliffwatch.jobs.run;

import java.io.PrintStream;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Collectors;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.cliffwatch.jobs.ExitCode;
import org.cliffwatch.jobs.aggregate.Aggregation;
import org.cliffwatch.jobs.aggregate.CellResult;
import org.cliffwatch.jobs.aggregate.CellResult.Throughput;
import org.cliffwatch.jobs.aggregate.ComparabilityLint;
import org.cliffwatch.jobs.aggregate.ComparisonSettings;
import org.cliffwatch.jobs.aggregate.SliceResult;
import org.cliffwatch.jobs.plan.Cell;
import org.cliffwatch.jobs.plan.ComparableKey;
import org.cliffwatch.jobs.plan.Estimate;
import org.cliffwatch.jobs.plan.Plan;
import org.cliffwatch.jobs.plan.Planner;
import org.cliffwatch.jobs.plan.TaskItems;
import org.cliffwatch.jobs.suite.Suite;
import org.cliffwatch.jobs.table.StoredCell;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.tasks.item.ItemSet;

/**
 * The way of the data, a call a stage:
 *
 * <pre>
 *   suite ─► plan ─► calibration ─► scores ─► metrics, degradation ─► runs
 * </pre>
 */
public final class Evaluation {
  private final JavaSparkContext spark;
  private final Suite suite;
  private final String output;
  private final boolean fresh;
  private final Tables tables;
  private final Progress progress;

  private final Instant started = Instant.now().truncatedTo(ChronoUnit.MILLIS);
  private final String runId =
      started.toString().replaceAll("[-:.]", "")
          + "-"
          + UUID.randomUUID().toString().substring(0, 8);

  /**
   * @param output folder of the tables, any Hadoop URI
   * @param fresh whether committed cells are scored again
   * @param log for progress and warnings
   */
  public Evaluation(
      JavaSparkContext spark, Suite suite, String output, boolean fresh, PrintStream log) {
    this.spark = spark;
    this.suite = suite;
    this.output = output;
    this.fresh = fresh;
    this.tables = new Tables(new Path(output), spark.hadoopConfiguration());
    this.progress = new Progress(log);
  }

  /**
   * What a run came to.
   *
   * @param runId its name in {@code runs}
   * @param results one a checkpoint and precision, in the plan's order
   */
  public record Outcome(String runId, Plan plan, List<SliceResult> results, int exitCode) {}

  /**
   * @throws org.cliffwatch.jobs.suite.SuiteException or either module's InvalidInputException for
   *     what the user must mend
   */
  public Outcome run() {
    Plan plan = plan();
    try (Claim claim = Claim.take(tables, plan, runId, spark.hadoopConfiguration())) {
      long reused = plan.cells().stream().filter(cell -> !fresh && cell.committed()).count();
      if (reused > 0) {
        progress.line(reused + " of " + plan.cells().size() + " cells are committed already");
      }
      Map<String, String> uncalibrated =
          new Calibrations(spark, plan, output).make(Scoring.pending(plan, fresh), progress);
      Map<StoredCell, CellReport> reports =
          new Scoring(spark, plan, output, runId, fresh, uncalibrated).score(progress);
      progress.end();
      List<SliceResult> results = aggregate(plan, reports);
      int failed = results.stream().mapToInt(result -> result.failures().size()).sum();
      int exitCode = failed == 0 ? ExitCode.DONE : ExitCode.CELLS_FAILED;
      List<String> warnings = warnings(plan, reports);
      warnings.addAll(ComparabilityLint.across(results));
      warnings.forEach(warning -> progress.line("warning: " + warning));
      record(plan, claim.runId(), (int) reused, failed, exitCode);
      return new Outcome(runId, plan, results, exitCode);
    }
  }

  /** The suite's plan. */
  public Plan plan() {
    Plan plan = new Planner(spark, output).plan(suite);
    plan.warnings().forEach(warning -> progress.line("warning: " + warning));
    plan.tasks().stream()
        .filter(task -> task.set().shots().count() > 0)
        .forEach(task -> progress.line(shots(task)));
    return plan;
  }

  private static String shots(TaskItems task) {
    ItemSet.Shots shots = task.set().shots();
    return "%s: %s shot%s%s, %s"
        .formatted(
            task.definition().name(),
            shots.count(),
            shots.count() == 1 ? "" : "s",
            shots.split() == null ? "" : " of split " + shots.split(),
            shots.files().stream()
                .map(file -> file.path() + " sha256 " + file.sha256())
                .collect(Collectors.joining(", ")));
  }

  /** What running a plan is expected to take. */
  public Estimate estimate(Plan plan) {
    return new Scoring(spark, plan, output, runId, fresh, Map.of()).estimate();
  }

  private List<SliceResult> aggregate(Plan plan, Map<StoredCell, CellReport> reports) {
    List<CellResult> cells = new ArrayList<>(plan.cells().size());
    for (Cell cell : plan.cells()) {
      CellReport report = reports.get(cell.stored());
      cells.add(
          new CellResult(
              cell.stored(),
              cell.items().asked(),
              cell.compared(),
              cell.comparableKey(),
              ComparableKey.parts(cell, suite.bos()),
              plan.kernel(),
              report == null || report.seconds() == 0
                  ? null
                  : new Throughput(report.items(), report.tokens(), report.seconds()),
              report == null ? cell.refusal() : report.error()));
    }
    progress.startShare("compared", cells.size());
    try (Underway underway = new Underway(spark.sc(), progress)) {
      return new Aggregation(
              spark,
              new ComparisonSettings(
                  output,
                  suite.baseline(),
                  suite.replicas(),
                  suite.seed(),
                  suite.maxRejectedItems()),
              underway.counters().work())
          .of(cells);
    } finally {
      progress.end();
    }
  }

  /** What was found in cells' scores: the first cell of each kind, and how many more. */
  private static List<String> warnings(Plan plan, Map<StoredCell, CellReport> reports) {
    Map<String, String> first = new LinkedHashMap<>();
    Map<String, Integer> more = new LinkedHashMap<>();
    for (Cell cell : plan.cells()) {
      CellReport report = reports.get(cell.stored());
      if (report == null) {
        continue;
      }
      for (String warning : report.warnings()) {
        String kind = cell.task() + warning.replaceAll("[0-9]+", "#");
        if (first.putIfAbsent(kind, cell + ": " + warning) != null) {
          more.merge(kind, 1, Integer::sum);
        }
      }
    }
    List<String> warnings = new ArrayList<>();
    first.forEach(
        (kind, text) ->
            warnings.add(
                text
                    + (more.containsKey(kind)
                        ? " (the like of " + more.get(kind) + " more cells)"
                        : "")));
    return warnings;
  }

  private void record(Plan plan, String run, int reused, int failed, int exitCode) {
    Instant finished = Instant.now().truncatedTo(ChronoUnit.MILLIS);
    tables
        .run(run)
        .write(
            tables.staging(),
            Tables.RUNS,
            Map.of(),
            List.of(
                Runs.row(
                    suite, plan, started, finished, spark.version(), reused, failed, exitCode)));
  }
}
