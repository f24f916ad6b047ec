package org.cliffwatch.jobs.gate;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.util.SerializableConfiguration;
import org.cliffwatch.jobs.gate.AcceptedRuns.Baseline;
import org.cliffwatch.jobs.gate.Gate.Kind;
import org.cliffwatch.jobs.gate.Gate.Rule;
import org.cliffwatch.jobs.gate.TaskComparison.Site;
import org.cliffwatch.jobs.gate.TaskComparison.Unit;
import org.cliffwatch.jobs.plan.AskedTask;
import org.cliffwatch.jobs.plan.Cell;
import org.cliffwatch.jobs.plan.Plan;
import org.cliffwatch.jobs.plan.TaskItems;
import org.cliffwatch.jobs.run.Evaluation;
import org.cliffwatch.jobs.suite.Suite;
import org.cliffwatch.jobs.suite.Suite.CheckpointSeries;
import org.cliffwatch.jobs.suite.SuiteException;
import org.cliffwatch.jobs.table.StoredCell;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.jobs.table.Tables.Slice;
import org.cliffwatch.quantizer.cli.Machine;
import org.cliffwatch.tasks.definition.Tasks;

/**
 * The gate's way:
 *
 * <pre>
 *   run, accepted run ─► changes of cells ─► verdicts ─► accepted
 * </pre>
 *
 * <p>The executors read the scores of both, and of a trend's runs, a model and task at a time; the
 * driver has some numbers a rule and cell.
 */
public final class Gatekeeper {
  /** Partitions a slot, so that a slow one does not hold up all. */
  private static final int TASKS_A_SLOT = 4;

  private final JavaSparkContext spark;
  private final Gate gate;
  private final Tables tables;
  private final AcceptedRuns runs;
  private final Set<String> models;
  private final String baselinePrecision;
  private final Optional<Baseline> baseline;

  /**
   * @param output folder of the tables, any Hadoop URI
   * @param wanted what {@code --baseline} named, or null
   * @throws SuiteException if there is no such run or folder
   */
  public Gatekeeper(JavaSparkContext spark, Gate gate, Suite suite, String output, String wanted) {
    this.spark = spark;
    this.gate = gate;
    this.tables = new Tables(new Path(output), spark.hadoopConfiguration());
    this.runs = new AcceptedRuns(spark, output, suite.name());
    this.models =
        suite.checkpoints().stream()
            .map(CheckpointSeries::model)
            .collect(Collectors.toCollection(TreeSet::new));
    this.baselinePrecision = suite.baseline();
    tables.requireVersion();
    this.baseline = runs.baseline(wanted, models);
    requireMetrics(suite);
  }

  private void requireMetrics(Suite suite) {
    List<AskedTask> tasks =
        suite.tasks().stream().map(data -> AskedTask.of(suite.known().task(data.task()))).toList();
    for (Rule rule : gate.rules()) {
      if (rule.metric() != null
          && tasks.stream()
              .filter(task -> rule.tasks().isEmpty() || rule.tasks().contains(task.name()))
              .noneMatch(task -> TaskComparison.judged(rule, task).isPresent())) {
        throw new SuiteException(
            gate.origin()
                + ": rule '"
                + rule.name()
                + "': found metric "
                + rule.metric()
                + ", expected one that a task it is about has");
      }
    }
  }

  /** What is compared with; empty before the first accepted run. */
  public Optional<String> baseline() {
    return baseline.map(Baseline::name);
  }

  /** Judges a run and writes its verdicts. */
  public Verdicts judge(Evaluation.Outcome outcome, boolean fresh) {
    List<RecordedCell> now = cells(outcome.plan(), fresh);
    List<Site> sites = sites(now);
    List<Measured> measured = measure(outcome.plan(), sites, false);
    Verdicts verdicts =
        Verdicts.of(gate, outcome.runId(), baseline().orElse(null), measured, sites);
    tables
        .verdicts(outcome.runId())
        .write(tables.staging(), Tables.VERDICTS, Map.of(), verdicts.rows());
    return verdicts;
  }

  /**
   * What a run of the plan could detect, as text: from the accepted run's scores, and where it has
   * none from the number of items.
   */
  public String forecast(Plan plan) {
    List<Site> sites =
        sites(baseline.map(Baseline::cells).orElse(List.of())).stream()
            .filter(site -> site.accepted() != null)
            .toList();
    return Forecast.of(gate, plan, measure(plan, sites, true));
  }

  /** Makes the run what later ones are compared with. */
  public void accept(Evaluation.Outcome outcome, boolean fresh, String who, String reason) {
    runs.accept(outcome.runId(), cells(outcome.plan(), fresh), who, reason);
  }

  /** The rules that cannot say anything yet, and why. */
  public List<String> silent() {
    List<String> silent = new ArrayList<>();
    for (Rule rule : gate.rules()) {
      if (rule.needsAccepted() && baseline.isEmpty()) {
        silent.add("rule '" + rule.name() + "' needs an accepted run, and there is none yet");
      } else if (rule.kind() == Kind.TREND
          && runs.last(TaskComparison.FEWEST_RUNS).size() + 1 < TaskComparison.FEWEST_RUNS) {
        silent.add(
            "rule '"
                + rule.name()
                + "' needs "
                + (TaskComparison.FEWEST_RUNS - 1)
                + " accepted runs, and there are fewer");
      }
    }
    return silent;
  }

  private List<RecordedCell> cells(Plan plan, boolean fresh) {
    Set<String> planned = new TreeSet<>();
    Set<String> scored = new TreeSet<>();
    for (Cell cell : plan.cells()) {
      planned.add(cell.stored().toString());
      if (fresh || !cell.committed()) {
        scored.add(cell.id());
      }
    }
    List<RecordedCell> cells = new ArrayList<>();
    for (String model : models) {
      AcceptedRuns.recorded(tables, model, Machine.cpu(), scored).stream()
          .filter(
              cell ->
                  planned.contains(
                      new StoredCell(cell.slice(), cell.task(), cell.cellId()).toString()))
          .forEach(cells::add);
    }
    return cells;
  }

  private record Place(Slice slice, String task) {}

  private List<Site> sites(List<RecordedCell> now) {
    Map<Place, RecordedCell> current = byPlace(now);
    Map<Place, RecordedCell> accepted = byPlace(baseline.map(Baseline::cells).orElse(List.of()));
    int most =
        gate.rules().stream()
            .filter(rule -> rule.kind() == Kind.TREND)
            .mapToInt(Rule::runs)
            .max()
            .orElse(0);
    List<Map<Place, RecordedCell>> history =
        most == 0 ? List.of() : runs.last(most).stream().map(run -> byPlace(run.cells())).toList();
    Map<Place, Site> sites = new LinkedHashMap<>();
    for (Map<Place, RecordedCell> cells : List.of(current, accepted)) {
      cells
          .keySet()
          .forEach(
              place ->
                  sites.computeIfAbsent(
                      place,
                      p ->
                          new Site(
                              p.slice(),
                              current.get(p),
                              accepted.get(p),
                              history.stream()
                                  .map(run -> run.get(p))
                                  .filter(Objects::nonNull)
                                  .toList())));
    }
    return List.copyOf(sites.values());
  }

  private static Map<Place, RecordedCell> byPlace(List<RecordedCell> cells) {
    Map<Place, RecordedCell> byPlace = new LinkedHashMap<>();
    cells.forEach(cell -> byPlace.put(new Place(cell.slice(), cell.task()), cell));
    return byPlace;
  }

  /** In the order of model, step, precision and task. */
  private List<Measured> measure(Plan plan, List<Site> sites, boolean forecast) {
    Map<String, AskedTask> asked = new TreeMap<>();
    for (TaskItems items : plan.tasks()) {
      asked.put(items.asked().name(), items.asked());
    }
    Map<String, List<Site>> byUnit = new TreeMap<>();
    Tasks known = plan.suite().known();
    for (Site site : sites) {
      String task = site.task();
      if (!asked.containsKey(task)) {
        if (!known.names().contains(task)) {
          continue; // was accepted once, and is no task any more: a rule 'missing' says so
        }
        asked.put(task, AskedTask.of(known.task(task)));
      }
      byUnit
          .computeIfAbsent(site.slice().model() + "\0" + task, unit -> new ArrayList<>())
          .add(site);
    }
    List<Unit> units =
        byUnit.values().stream()
            .map(of -> new Unit(asked.get(of.get(0).task()), List.copyOf(of)))
            .toList();
    if (units.isEmpty()) {
      return List.of();
    }
    spark.setJobDescription("gate");
    var hadoop = spark.broadcast(new SerializableConfiguration(spark.hadoopConfiguration()));
    int partitions = Math.min(units.size(), TASKS_A_SLOT * Math.max(1, spark.defaultParallelism()));
    return spark
        .parallelize(units, partitions)
        .flatMap(
            new TaskComparison(gate, baselinePrecision, baseline.isPresent(), forecast, hadoop))
        .collect()
        .stream()
        .sorted(
            Comparator.comparing((Measured cell) -> cell.slice().model())
                .thenComparing(cell -> cell.slice().step())
                .thenComparing(cell -> cell.slice().precision())
                .thenComparing(Measured::task))
        .toList();
  }
}
