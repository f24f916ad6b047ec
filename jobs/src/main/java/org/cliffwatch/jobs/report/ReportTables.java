package org.cliffwatch.jobs.report;

import java.io.IOException;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.cliffwatch.jobs.sql.Database;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.Suggestion;

/**
 * The tables that a report's statements ask: those of {@code sql.sh}, {@code verdicts} where a gate
 * wrote some, and what the runs' configurations say as {@code planned_models}, {@code
 * planned_precisions}, {@code planned_tasks} and {@code precisions}. With a run, all of them hold
 * its cells alone. Items are kept while it is open, since most of the cost is to read them.
 */
final class ReportTables implements AutoCloseable {
  /** Runs whose configurations are read, the last ones. */
  static final int MOST_RUNS = 200;

  private static final String VERDICTS = "verdicts";
  private static final String ITEMS = "items";
  private static final String COMPARED = "compared";

  /** To compile statements takes longer than to interpret them, where scores are fewer. */
  private static final long FEW_BYTES = 32L << 20;

  private static final String OF_THE_RUN =
      "SELECT * FROM %s WHERE run_id IN (SELECT run_id FROM planned_models)";

  private static final String MODELS =
      """
      SELECT t.*
      FROM %s t
      LEFT SEMI JOIN planned_models m ON m.model = t.model AND coalesce(m.step, t.step) = t.step
      """;

  private static final String CELLS =
      MODELS
          + """
          LEFT SEMI JOIN planned_precisions p ON p.precision = t.precision
          LEFT SEMI JOIN planned_tasks k ON k.task = t.task
          """;

  /** A mean is over the tasks that there were. */
  private static final String CHANGES =
      MODELS
          + """
          LEFT SEMI JOIN planned_precisions p ON p.precision = t.precision
          LEFT SEMI JOIN planned_tasks k ON k.task = t.task OR t.task = 'mean'
          """;

  private static final Map<String, String> RESTRICTIONS =
      new TreeMap<>(
          Map.of(
              "scores",
              CELLS,
              "metrics",
              CELLS,
              "documents",
              CELLS,
              "degradation",
              CHANGES,
              "checkpoints",
              MODELS,
              "analysis",
              MODELS,
              "runs",
              OF_THE_RUN,
              VERDICTS,
              OF_THE_RUN));

  private final SparkSession spark;
  private final String folder;
  private final Tables tables;
  private final Map<String, String> views = new LinkedHashMap<>();
  private final List<PlannedRun> runs;

  /**
   * Opens the tables in a session of its own.
   *
   * @param precisions rows that {@code conf/precisions.yaml} does not have
   * @param run its id; else all that the folder holds
   * @throws InvalidInputException where there are no tables, or no such run, or it says nothing of
   *     its cells
   */
  ReportTables(
      SparkSession parent,
      String folder,
      List<Precision> precisions,
      Optional<String> run,
      PrintStream log)
      throws IOException {
    this.spark = parent.newSession();
    this.folder = folder;
    this.tables = new Tables(new Path(folder), spark.sparkContext().hadoopConfiguration());
    configure();
    new Database(spark, log).open(folder, Optional.empty());
    this.runs = run.isPresent() ? List.of(run(run.get())) : lastRuns();
    register(precisions);
    if (run.isPresent()) {
      RESTRICTIONS.forEach((table, restriction) -> view(table, restriction.formatted(table)));
    }
    if (has("analysis")) {
      // Again, over what is left of the tables.
      for (String name : List.of("causes", "cause_ranks")) {
        view(name, Database.view(name));
      }
    }
    view(ITEMS, Page.resource(ITEMS + ".sql"));
    spark.catalog().cacheTable(ITEMS);
    view(COMPARED, Page.resource(COMPARED + ".sql"));
  }

  /** Settings that suit many small files and short statements. */
  private void configure() {
    Map<String, String> settings = new TreeMap<>(Database.settings());
    settings.put(
        "spark.sql.shuffle.partitions",
        Integer.toString(Math.max(16, spark.sparkContext().defaultParallelism())));
    // To list fewer folders than this by a job takes longer than by the driver.
    settings.put("spark.sql.sources.parallelPartitionDiscovery.threshold", "1000");
    long bytes = tables.scoreFiles().stream().mapToLong(FileStatus::getLen).sum();
    if (bytes < FEW_BYTES) {
      settings.put("spark.sql.codegen.wholeStage", "false");
      settings.put("spark.sql.codegen.factoryMode", "NO_CODEGEN");
    }
    settings.forEach(
        (key, value) -> {
          if (spark.conf().isModifiable(key)) {
            spark.conf().set(key, value);
          }
        });
  }

  /** Lets go of what was kept for the statements. */
  @Override
  public void close() {
    spark.catalog().uncacheTable(ITEMS);
  }

  private void view(String name, String sql) {
    spark.sql(sql).createOrReplaceTempView(name);
    views.put(name, sql.strip());
  }

  SparkSession session() {
    return spark;
  }

  /** The runs whose cells these are, the last first. */
  List<PlannedRun> runs() {
    return runs;
  }

  /** The statements of the views that others ask, in the order they were made. */
  Map<String, String> views() {
    return views;
  }

  /** Whether a table is there that only some commands write. */
  boolean has(String table) throws IOException {
    Path place = tables.table(table);
    return place.getFileSystem(spark.sparkContext().hadoopConfiguration()).exists(place);
  }

  private List<PlannedRun> lastRuns() {
    return spark
        .sql(
            "SELECT run_id, started, code_version, configuration FROM runs"
                + " ORDER BY started DESC, run_id LIMIT "
                + MOST_RUNS)
        .collectAsList()
        .stream()
        .map(ReportTables::planned)
        .toList();
  }

  private PlannedRun run(String id) {
    List<Row> found =
        spark
            .sql(
                "SELECT run_id, started, code_version, configuration FROM runs WHERE run_id = :run",
                Map.of("run", id))
            .collectAsList();
    if (found.isEmpty()) {
      List<String> there = lastRuns().stream().map(PlannedRun::id).toList();
      throw new InvalidInputException(
          "--run: found '%s', expected a run of %s%s"
              .formatted(id, folder, there.isEmpty() ? "" : Suggestion.among(there, id)));
    }
    PlannedRun run = planned(found.get(0));
    if (!run.saysItsCells()) {
      throw new InvalidInputException(
          "--run: found '%s', an imported run, which does not say what its cells are; leave --run out"
              .formatted(id));
    }
    return run;
  }

  private static PlannedRun planned(Row run) {
    return PlannedRun.of(run.getString(0), run.getString(1), run.getString(2), run.getString(3));
  }

  private void register(List<Precision> precisions) {
    List<Row> models = new ArrayList<>();
    List<Row> planned = new ArrayList<>();
    List<Row> tasks = new ArrayList<>();
    Map<String, Row> bits = new TreeMap<>();
    Precisions packaged = Precisions.packaged();
    packaged.names().forEach(name -> bits.put(name, bits(packaged.named(name))));
    for (int i = runs.size() - 1; i >= 0; i--) {
      PlannedRun run = runs.get(i);
      for (PlannedRun.Model model : run.models()) {
        models.add(
            RowFactory.create(
                run.id(), run.started(), run.codeVersion(), run.bos(), model.name(), model.step()));
      }
      run.precisions().forEach(name -> planned.add(RowFactory.create(run.id(), name)));
      run.data().keySet().forEach(task -> tasks.add(RowFactory.create(run.id(), task)));
      for (PlannedRun.Recipe row : run.rows()) {
        bits.put(
            row.precision(),
            RowFactory.create(row.precision(), row.weightBits(), row.computeBits()));
      }
    }
    precisions.forEach(precision -> bits.put(precision.name(), bits(precision)));
    StructType ofRun = new StructType().add("run_id", DataTypes.StringType);
    register(
        "planned_models",
        models,
        ofRun
            .add("started", DataTypes.StringType)
            .add("code_version", DataTypes.StringType)
            .add("bos", DataTypes.StringType)
            .add("model", DataTypes.StringType)
            .add("step", DataTypes.LongType));
    register("planned_precisions", planned, ofRun.add("precision", DataTypes.StringType));
    register("planned_tasks", tasks, ofRun.add("task", DataTypes.StringType));
    register(
        "precisions",
        List.copyOf(bits.values()),
        new StructType()
            .add("precision", DataTypes.StringType)
            .add("weight_bits", DataTypes.IntegerType)
            .add("compute_bits", DataTypes.IntegerType));
  }

  private static Row bits(Precision precision) {
    return RowFactory.create(
        precision.name(),
        precision.weightBits(),
        precision.compute() == FloatType.FLOAT32 ? Float.SIZE : Short.SIZE);
  }

  /** Makes items known by task and document hash, as {@code flipped}. */
  void registerFlipped(Map<String, Set<String>> items) {
    List<Row> rows = new ArrayList<>();
    items.forEach((task, hashes) -> hashes.forEach(h -> rows.add(RowFactory.create(task, h))));
    register(
        "flipped",
        rows,
        new StructType().add("task", DataTypes.StringType).add("doc_hash", DataTypes.StringType));
  }

  private void register(String name, List<Row> rows, StructType columns) {
    spark.createDataFrame(rows, columns).createOrReplaceTempView(name);
  }
}
