package org.cliffwatch.jobs.run;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.apache.spark.SparkConf;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.rdd.RDD;
import org.apache.spark.util.SerializableConfiguration;
import org.cliffwatch.jobs.plan.Cell;
import org.cliffwatch.jobs.plan.Costs;
import org.cliffwatch.jobs.plan.Estimate;
import org.cliffwatch.jobs.plan.FingerprintedCheckpoint;
import org.cliffwatch.jobs.plan.MeasuredRates;
import org.cliffwatch.jobs.plan.Piece;
import org.cliffwatch.jobs.plan.Plan;
import org.cliffwatch.jobs.plan.Schedule;
import org.cliffwatch.jobs.plan.Unit;
import org.cliffwatch.jobs.plan.Visit;
import org.cliffwatch.jobs.run.CellFiles.Part;
import org.cliffwatch.jobs.run.UnitScorer.Questions;
import org.cliffwatch.jobs.table.StorageException;
import org.cliffwatch.jobs.table.StoredCell;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.tasks.item.ItemRecord;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.Tuple2;
import scala.collection.Iterator;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;
import scala.reflect.ClassTag$;
import scala.runtime.AbstractFunction2;
import scala.runtime.BoxedUnit;

/**
 * Cells → committed scores: what is missing of a plan, as one Spark job of units, longest first.
 * The driver gets a report a cell. Costs it a few hundred bytes a piece, and no request a cell.
 */
final class Scoring {
  private static final Logger LOG = LoggerFactory.getLogger(Scoring.class);

  /** Pauses before each look at cells of several parts. */
  private static final long[] LOOKS_MILLIS = {0, 500, 2_000, 6_000};

  /** Units that may end the life of all their executors before the run is given up. */
  private static final int MOST_DEADLY = 4;

  private static final Pattern LOCAL =
      Pattern.compile("local(?:\\[[^,\\]]*(?:,\\s*([0-9]+)\\s*)?])?");

  /** How Spark names the task for which it gave a job up. */
  private static final Pattern GIVEN_UP =
      Pattern.compile("(?i)\\btask ([0-9]+)(?: in stage| \\(partition)");

  private static final Pattern LOST = Pattern.compile("ExecutorLostFailure \\(.*?\\) Reason: (.*)");

  private final JavaSparkContext spark;
  private final Plan plan;
  private final CellFiles files;
  private final ScoringSettings settings;

  /**
   * @param output folder of the tables
   * @param runId names what is scored again where {@code fresh}
   * @param uncalibrated why calibrations were not made, by their keys
   */
  Scoring(
      JavaSparkContext spark,
      Plan plan,
      String output,
      String runId,
      boolean fresh,
      Map<String, String> uncalibrated) {
    this.spark = spark;
    this.plan = plan;
    this.settings =
        new ScoringSettings(
            output,
            plan.kernel(),
            plan.suite().bos(),
            plan.suite().chat(),
            plan.suite().seed(),
            plan.comparedWith(),
            plan.suite().replicas(),
            plan.suite().selfCheck(),
            plan.suite().shardItems(),
            fresh ? runId : null,
            uncalibrated,
            retries(spark.getConf()));
    this.files = new CellFiles(output, spark.hadoopConfiguration(), settings.fresh());
  }

  /** The cells that are to be scored, in the plan's order. */
  static List<Cell> pending(Plan plan, boolean fresh) {
    return plan.cells().stream()
        .filter(cell -> cell.refusal() == null && (fresh || !cell.committed()))
        .toList();
  }

  /**
   * Scores what is missing, and commits it.
   *
   * @return by cell; a cell is either committed or has an error
   */
  Map<StoredCell, CellReport> score(Progress progress) {
    List<Cell> pending = pending(plan, settings.fresh() != null);
    Map<StoredCell, CellReport> reports = new LinkedHashMap<>();
    if (pending.isEmpty()) {
      return reports;
    }
    Costs costs = costs();
    List<Unit> units = units(pending, costs);
    progress.start(
        pending.size(),
        units.stream().mapToDouble(Unit::cost).sum(),
        Schedule.makespan(units, slots(spark)));
    String stopped;
    try (Underway underway = new Underway(spark.sc(), progress)) {
      UnitScorer scorer =
          new UnitScorer(settings, questions(), costs, underway.counters(), configuration());
      stopped = run("scores", units, scorer, reports, underway);
      for (int i = 0; stopped == null && i < LOOKS_MILLIS.length; i++) {
        List<Unit> rest = unassembled(pending, reports);
        if (rest.isEmpty()) {
          break;
        }
        pause(LOOKS_MILLIS[i]);
        stopped = run("cells of several parts", rest, scorer, reports, underway);
      }
    }
    for (Cell cell : pending) {
      CellReport report = reports.get(cell.stored());
      if (report == null || (report.error() == null && !report.committed())) {
        String error = stopped == null ? "some of its items were not scored" : stopped;
        reports.put(cell.stored(), CellReport.failed(cell.stored(), error));
      }
    }
    clearAway(reports);
    return reports;
  }

  /**
   * Units that put together the cells whose parts are all there, or soon will be seen: two tasks
   * that end at once may each find the other's part missing, and a listing may be late.
   */
  private List<Unit> unassembled(List<Cell> pending, Map<StoredCell, CellReport> reports) {
    List<Unit> units = new ArrayList<>();
    for (Cell cell : pending) {
      CellReport report = reports.get(cell.stored());
      if (report != null && report.error() == null && !report.committed()) {
        List<Piece> nothing = List.of(piece(cell, new Part(0, 0)));
        units.add(new Unit(List.of(new Visit(cell.checkpoint(), cell.precision(), nothing)), 0));
      }
    }
    return units;
  }

  private static void pause(long millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  /** What scoring is expected to take. */
  Estimate estimate() {
    Costs costs = costs();
    List<Cell> pending = pending(plan, settings.fresh() != null);
    Calibrations calibrations = new Calibrations(spark, plan, settings.output());
    return Estimate.of(
        units(pending, costs),
        costs,
        settings.baseline(),
        slots(spark),
        slotsAnExecutor(spark.getConf()),
        calibrations.estimate(pending, costs));
  }

  private Costs costs() {
    Costs costs = new Costs(plan.tasks(), settings.replicas(), settings.baseline());
    return MeasuredRates.correct(spark, plan, settings.output(), costs);
  }

  private List<Unit> units(List<Cell> pending, Costs costs) {
    return Schedule.of(visits(pending), costs, slots(spark), spark.sc().isLocal());
  }

  /** What earlier attempts have left of cells that are committed. */
  private void clearAway(Map<StoredCell, CellReport> reports) {
    try {
      Set<String> started = files.started();
      reports.forEach(
          (cell, report) -> {
            if (report.committed() && started.contains(files.name(cell))) {
              files.forget(cell);
            }
          });
      files.removeOldUnfinished();
    } catch (StorageException e) {
      LOG.warn("what is left of committed cells stays until the next run", e);
    }
  }

  /** Whether Spark tries a failed task again: {@code local[N,F]} does, {@code local[N]} not. */
  static boolean retries(SparkConf conf) {
    String master = conf.get("spark.master");
    Matcher local = LOCAL.matcher(master);
    String failures = local.matches() ? local.group(1) : conf.get("spark.task.maxFailures", "4");
    return failures != null && Integer.parseInt(failures) > 1;
  }

  /** How many units run at once: of the executors there may be, where their number is bounded. */
  static int slots(JavaSparkContext spark) {
    SparkConf conf = spark.getConf();
    int now = spark.defaultParallelism();
    int most = 0;
    if (conf.getBoolean("spark.dynamicAllocation.enabled", false)) {
      most =
          conf.getInt("spark.dynamicAllocation.maxExecutors", 0)
              * conf.getInt("spark.executor.cores", 1);
    }
    return Math.max(1, Math.max(now, most) / conf.getInt("spark.task.cpus", 1));
  }

  /** How many units run at once in one executor. */
  static int slotsAnExecutor(SparkConf conf) {
    return Math.max(1, conf.getInt("spark.executor.cores", 1) / conf.getInt("spark.task.cpus", 1));
  }

  /** Threads of each of so many passes over checkpoints: what they leave free of an executor. */
  static int threadsAPass(JavaSparkContext spark, int passes) {
    int own = Math.max(1, slots(spark) / passes);
    return Math.min(own, spark.sc().isLocal() ? slots(spark) : slotsAnExecutor(spark.getConf()));
  }

  /** Executors that each of so many passes can have, with {@link #threadsAPass} threads on each. */
  static int executorsAPass(JavaSparkContext spark, int passes) {
    return Math.max(1, slots(spark) / passes / threadsAPass(spark, passes));
  }

  private List<Visit> visits(List<Cell> pending) {
    record Key(FingerprintedCheckpoint checkpoint, Precision precision) {}
    Set<String> started = files.started();
    Map<Key, List<Piece>> pieces = new LinkedHashMap<>();
    for (Cell cell : pending) {
      List<Piece> of =
          pieces.computeIfAbsent(
              new Key(cell.checkpoint(), cell.precision()), key -> new ArrayList<>());
      Part all = new Part(0, cell.items().size());
      if (!started.contains(files.name(cell.stored()))) {
        of.add(piece(cell, all));
        continue;
      }
      List<Part> missing = CellFiles.missing(files.parts(cell.stored()), all);
      (missing.isEmpty() ? List.of(new Part(0, 0)) : missing)
          .forEach(part -> of.add(piece(cell, part)));
    }
    List<Visit> visits = new ArrayList<>();
    pieces.forEach((key, of) -> visits.add(new Visit(key.checkpoint(), key.precision(), of)));
    return visits;
  }

  private Piece piece(Cell cell, Part part) {
    return new Piece(
        cell.stored(),
        plan.tasks().indexOf(cell.items()),
        part.first(),
        part.end() - part.first(),
        cell.items().size(),
        cell.superseded());
  }

  private List<Questions> questions() {
    return plan.tasks().stream()
        .map(
            task ->
                new Questions(
                    task.asked().name(),
                    task.asked().outputType(),
                    spark.broadcast(task.set().records().toArray(ItemRecord[]::new))))
        .toList();
  }

  private Broadcast<SerializableConfiguration> configuration() {
    return spark.broadcast(new SerializableConfiguration(spark.hadoopConfiguration()));
  }

  /** A Spark task. */
  private static final class Task
      extends AbstractFunction2<TaskContext, Iterator<Unit>, UnitScorer.Done>
      implements Serializable {
    private static final long serialVersionUID = 1L;

    private final UnitScorer scorer;

    Task(UnitScorer scorer) {
      this.scorer = scorer;
    }

    @Override
    public UnitScorer.Done apply(TaskContext context, Iterator<Unit> units) {
      return scorer.score(CollectionConverters.asJava(units));
    }
  }

  /**
   * Runs units as one job, taking each one's reports when it ends. A unit for which Spark gives the
   * job up, such as one that takes more memory than any executor has, fails alone: the others go on
   * in another job.
   *
   * @return why they were given up, or null
   */
  private String run(
      String description,
      List<Unit> units,
      UnitScorer scorer,
      Map<StoredCell, CellReport> reports,
      Underway underway) {
    List<Unit> left = units;
    for (int deadly = 0; ; deadly++) {
      Set<Integer> done = new HashSet<>();
      try {
        job(description, left, deadly == 0 ? scorer : scorer.resuming(), done, reports, underway);
        return null;
      } catch (Exception e) {
        if (spark.sc().isStopped()) {
          throw e; // the run is over, and that says nothing of its cells
        }
        String why = why(e);
        Matcher task = GIVEN_UP.matcher(String.valueOf(e.getMessage()));
        if (deadly == MOST_DEADLY || !task.find()) {
          return why;
        }
        int unit = Integer.parseInt(task.group(1));
        LOG.warn("a unit of {} is given up: {}", description, why);
        take(
            left.get(unit).visits().stream()
                .flatMap(visit -> visit.pieces().stream())
                .map(piece -> CellReport.failed(piece.cell(), why))
                .toList(),
            reports);
        done.add(unit);
        List<Unit> before = left;
        left =
            IntStream.range(0, before.size())
                .filter(i -> !done.contains(i))
                .mapToObj(before::get)
                .toList();
        if (left.isEmpty()) {
          return null;
        }
      }
    }
  }

  /** A unit a partition, which goes to a host that holds its checkpoint where one is free. */
  private RDD<Unit> placed(List<Unit> units) {
    StagedHosts staged = StagedHosts.of(spark, units, configuration());
    List<Tuple2<Unit, Seq<String>>> placed = new ArrayList<>();
    for (Unit unit : units) {
      placed.add(new Tuple2<>(unit, CollectionConverters.asScala(staged.holding(unit)).toSeq()));
    }
    return spark
        .sc()
        .makeRDD(CollectionConverters.asScala(placed).toSeq(), ClassTag$.MODULE$.apply(Unit.class));
  }

  private static String why(Exception e) {
    Matcher lost = LOST.matcher(String.valueOf(e.getMessage()));
    return lost.find()
        ? "every executor that scored this was lost, the last one so: "
            + lost.group(1).strip()
            + " (137: killed, as where memory runs out)"
        : UnitScorer.message(e);
  }

  private void job(
      String description,
      List<Unit> units,
      UnitScorer scorer,
      Set<Integer> done,
      Map<StoredCell, CellReport> reports,
      Underway underway) {
    RDD<Unit> placed = placed(units);
    spark.setJobDescription(description);
    spark
        .sc()
        .runJob(
            placed,
            new Task(scorer),
            new AbstractFunction2<Object, UnitScorer.Done, BoxedUnit>() {
              @Override
              public BoxedUnit apply(Object unit, UnitScorer.Done of) {
                done.add((Integer) unit);
                take(of.cells(), reports);
                underway.ended(
                    of.task(),
                    (int)
                        of.cells().stream()
                            .filter(report -> report.committed() || report.error() != null)
                            .count(),
                    of.tokens(),
                    units.get((Integer) unit).cost());
                return BoxedUnit.UNIT;
              }
            },
            ClassTag$.MODULE$.apply(UnitScorer.Done.class));
  }

  /** A cell of several pieces is committed when one of them says so, and failed when one has. */
  private static void take(List<CellReport> of, Map<StoredCell, CellReport> reports) {
    for (CellReport report : of) {
      reports.merge(
          report.cell(),
          report,
          (old, now) -> old.committed() || (old.error() != null && !now.committed()) ? old : now);
    }
  }
}
