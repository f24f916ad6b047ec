package org.cliffwatch.jobs.sql;

import java.io.IOException;
import java.io.PrintStream;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import java.util.stream.Collectors;
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
import org.cliffwatch.tasks.definition.Tasks;

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

  /**
   * Groups of tasks that this jar defines, of what the tables hold of them: the mean both ways, and
   * lm-evaluation-harness's {@code pooled_sample_stderr}.
   */
  private static final String GROUPS =
      """
      SELECT m.model, m.step, m.precision, g.task_group, m.metric, m.higher_is_better,
             sum(m.value * m.items) / sum(m.items) AS value,
             avg(m.value) AS unweighted,
             sqrt(sum((m.items - 1) * m.stderr * m.stderr * m.items)
               / (sum(m.items) - count(*)) / sum(m.items)) AS stderr,
             count(*) AS tasks, first(g.group_tasks) AS group_tasks,
             sum(m.items) AS items, sum(m.failed) AS failed
      FROM %1$smetrics m
      JOIN (VALUES %2$s) AS g(task_group, task, group_tasks) USING (task)
      WHERE m.value IS NOT NULL
        AND m.metric IN ('acc', 'acc_norm', 'acc_bytes', 'mc2', 'byte_likelihood')
      GROUP BY m.model, m.step, m.precision, g.task_group, m.metric, m.higher_is_better
      """;

  /** Group, task, and how many tasks the group has. */
  private static String members() {
    return Tasks.builtIn().groups().entrySet().stream()
        .flatMap(
            group ->
                group.getValue().stream()
                    .map(
                        task ->
                            "('"
                                + group.getKey()
                                + "', '"
                                + task.name()
                                + "', "
                                + group.getValue().size()
                                + ")"))
        .collect(Collectors.joining(", "));
  }

  /**
   * Degradation beside what an analysis found of the checkpoint, or of it and the precision, a mean
   * over its layers.
   */
  private static final String CAUSES =
      """
      SELECT d.model, d.step, d.precision, d.metric, a.projection, a.quantity, a.value, d.rel_pct
      FROM %1$sdegradation d
      JOIN (
        SELECT model, step, precision, projection, quantity, avg(value) AS value
        FROM %1$sanalysis
        WHERE NOT startswith(quantity, 'outlier_') AND quantity <> 'spectral_norm_residual'
          OR layer IS NULL
        GROUP BY model, step, precision, projection, quantity
      ) a ON a.model = d.model AND a.step = d.step
        AND (a.precision IS NULL OR a.precision = d.precision)
      WHERE d.task = 'mean' AND d.rel_pct IS NOT NULL
      """;

  /**
   * Spearman's rank correlation of each quantity with degradation, equal values having the mean of
   * their ranks, and its 95 % interval by Fisher's transformation with variance 1.06 / (n − 3)
   * (Fieller, Hartley and Pearson 1957); null where all values are equal. It takes checkpoints for
   * independent: those of one series are not quite.
   */
  private static final String CAUSE_RANKS =
      """
      SELECT precision, metric, projection, quantity, checkpoints, rank_correlation,
             tanh(atanh(rank_correlation) - z) AS low, tanh(atanh(rank_correlation) + z) AS high
      FROM (
        SELECT precision, metric, projection, quantity, count(*) AS checkpoints,
               covar_pop(value_rank, rel_rank)
                 / nullif(stddev_pop(value_rank) * stddev_pop(rel_rank), 0) AS rank_correlation,
               CASE WHEN count(*) > 3
                 THEN 1.959963984540054D * sqrt(1.06D / (count(*) - 3)) END AS z
        FROM (
          SELECT *,
            rank() OVER (PARTITION BY precision, metric, projection, quantity ORDER BY value)
              + (count(*) OVER (PARTITION BY precision, metric, projection, quantity, value) - 1) / 2D
              AS value_rank,
            rank() OVER (PARTITION BY precision, metric, projection, quantity ORDER BY rel_pct)
              + (count(*) OVER (PARTITION BY precision, metric, projection, quantity, rel_pct) - 1)
              / 2D AS rel_rank
          FROM %1$scauses
        )
        GROUP BY precision, metric, projection, quantity
      )
      """;

  /** Each may read those before it. */
  private static final Map<String, String> VIEWS = views();

  private static Map<String, String> views() {
    Map<String, String> views = new LinkedHashMap<>();
    views.put("results", RESULTS);
    views.put("groups", GROUPS);
    views.put("causes", CAUSES);
    views.put("cause_ranks", CAUSE_RANKS);
    return views;
  }

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
      views(BEFORE + ".", register);
    }
  }

  /** The query of a view over the tables of the folder that is open. */
  public static String view(String name) {
    return VIEWS.get(name).formatted("");
  }

  private void views(String prefix, BiConsumer<Dataset<Row>, String> register) {
    VIEWS.forEach(
        (name, query) -> register.accept(spark.sql(query.formatted(prefix, members())), name));
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
    views(prefix, register);
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
