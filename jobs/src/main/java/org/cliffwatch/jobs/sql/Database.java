package org.cliffwatch.jobs.sql;

import java.io.IOException;
import java.io.PrintStream;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.SparkThrowable;
import org.apache.spark.sql.AnalysisException;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.parser.ParseException;
import org.apache.spark.sql.types.StructType;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.tasks.InvalidInputException;

/**
 * The tables of an output folder, and views over them, as Spark SQL sees them. Those of a second
 * folder, an earlier run's, have names that begin with {@code before.}.
 */
public final class Database {
  private static final String BEFORE = "before";
  private static final String SCORES = "scores";

  private static final String RESULTS =
      """
      SELECT m.model, m.step, m.precision, m.task, m.metric, m.value, m.stderr, m.ci_low, m.ci_high,
             m.items, m.failed, d.baseline, d.baseline_value, d.abs_pp, d.rel_pct, d.p_adjusted
      FROM %1$smetrics m
      LEFT JOIN %1$sdegradation d USING (model, step, precision, task, metric)
      """;

  /** Cells that a statement may open one by one. */
  private static final int FEW_CELLS = 500;

  private final SparkSession spark;
  private final PrintStream log;

  /**
   * @param log what takes long is announced here
   */
  public Database(SparkSession spark, PrintStream log) {
    this.spark = spark;
    this.log = log;
  }

  /** Settings that suit many small files and short statements, for a session to come. */
  public static Map<String, String> settings() {
    return Map.of(
        "spark.ui.enabled", "false",
        "spark.sql.shuffle.partitions", "16",
        // A cell's scores take some kilobytes: by default Spark counts 4 MB for opening each.
        "spark.sql.files.openCostInBytes", "65536",
        // By default a task for every folder listed.
        "spark.sql.sources.parallelPartitionDiscovery.parallelism", "64",
        // Views of this database are all that Spark lets a session name with a prefix.
        "spark.sql.globalTempDatabase", BEFORE);
  }

  /**
   * Makes the tables of a folder known; those that are not there are empty.
   *
   * @param text the statements that will be run, if they are known: where they do not mention
   *     scores, these are not made ready for fast statements
   * @throws InvalidInputException where there is no table at all
   */
  public void open(String folder, Optional<String> text) throws IOException {
    open(folder, "", text, Dataset::createOrReplaceTempView);
  }

  /** The same for the folder of an earlier run; all of its tables are empty where there is none. */
  public void openBefore(Optional<String> folder, Optional<String> text) throws IOException {
    BiConsumer<Dataset<Row>, String> register = Dataset::createOrReplaceGlobalTempView;
    if (folder.isPresent()) {
      open(folder.get(), BEFORE + ".", text, register);
    } else {
      Tables.schemas().forEach((name, columns) -> register.accept(empty(columns), name));
      register.accept(spark.sql(RESULTS.formatted(BEFORE + ".")), "results");
    }
  }

  private void open(
      String folder,
      String prefix,
      Optional<String> text,
      BiConsumer<Dataset<Row>, String> register)
      throws IOException {
    Configuration hadoop = spark.sparkContext().hadoopConfiguration();
    Tables tables = new Tables(new Path(folder), hadoop);
    tables.requireVersion();
    boolean any = false;
    for (Map.Entry<String, StructType> table : Tables.schemas().entrySet()) {
      Path place = tables.table(table.getKey());
      boolean there = place.getFileSystem(hadoop).exists(place);
      any |= there;
      Dataset<Row> rows;
      if (!there) {
        rows = empty(table.getValue());
      } else if (table.getKey().equals(SCORES)) {
        rows = scores(tables, text);
      } else {
        rows = spark.read().schema(table.getValue()).parquet(place.toString());
      }
      register.accept(rows, table.getKey());
    }
    if (!any) {
      throw new InvalidInputException(
          folder
              + ": found no table, expected a folder that evaluate.sh wrote, with at least one of "
              + String.join(", ", Tables.schemas().keySet()));
    }
    register.accept(spark.sql(RESULTS.formatted(prefix)), "results");
  }

  private Dataset<Row> empty(StructType columns) {
    return spark.createDataFrame(List.<Row>of(), columns);
  }

  private Dataset<Row> scores(Tables tables, Optional<String> text) throws IOException {
    PackedScores scores = new PackedScores(spark, tables);
    if (text.isEmpty() || text.get().toLowerCase(Locale.ROOT).contains(SCORES)) {
      scores.pack(FEW_CELLS, log);
    }
    return scores.rows();
  }

  /** Makes Spark load and compile what every statement needs, so that the first is fast too. */
  public void warmUp() {
    try {
      spark
          .sql("SELECT model, count(*) FROM metrics GROUP BY model ORDER BY model")
          .collectAsList();
    } catch (Exception e) {
      // What is wrong with the table is the answer to a statement that asks it.
    }
  }

  /**
   * Runs a statement and prints its rows.
   *
   * @return how many there were; nothing for a statement that has no result
   * @throws InvalidInputException where Spark refuses it
   */
  public OptionalLong run(String statement, ResultFormat format, PrintStream out) {
    try {
      Dataset<Row> result = spark.sql(statement);
      return result.columns().length == 0
          ? OptionalLong.empty()
          : OptionalLong.of(format.print(result, out));
    } catch (Exception e) {
      Optional<String> refusal = refusal(e);
      if (refusal.isPresent()) {
        throw new InvalidInputException(refusal.get(), e);
      }
      throw e;
    } finally {
      out.flush();
    }
  }

  /** What Spark says of a statement that its author can mend, without the plan it adds. */
  private static Optional<String> refusal(Throwable e) {
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      if (cause instanceof SparkThrowable refusal
          && refusal.getCondition() != null
          && !refusal.getCondition().startsWith("INTERNAL_ERROR")) {
        boolean plan = cause instanceof AnalysisException && !(cause instanceof ParseException);
        return Optional.of(
            (plan ? ((AnalysisException) cause).getSimpleMessage() : cause.getMessage()).strip());
      }
    }
    return Optional.empty();
  }

  /** Stops the statement that runs in another thread. */
  void cancel() {
    spark.sparkContext().cancelAllJobs();
  }

  /** Names of tables and views with their columns. */
  Map<String, List<String>> names() {
    Map<String, List<String>> names = new TreeMap<>();
    for (String query : List.of("SHOW TABLES", "SHOW TABLES IN " + BEFORE)) {
      for (Row row : spark.sql(query).collectAsList()) {
        String name =
            row.getString(0).isEmpty()
                ? row.getString(1)
                : row.getString(0) + "." + row.getString(1);
        names.computeIfAbsent(name, table -> List.of(spark.table(table).columns()));
      }
    }
    return names;
  }
}
