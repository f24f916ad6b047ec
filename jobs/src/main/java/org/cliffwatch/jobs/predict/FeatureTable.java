package org.cliffwatch.jobs.predict;

import java.io.IOException;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.cliffwatch.jobs.sql.Database;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Schemes;
import org.cliffwatch.tasks.InvalidInputException;

/**
 * A row a checkpoint and precision: what is known of both without evaluating the precision
 * (features), and what the precision cost where it was evaluated (targets). Columns: {@code model},
 * {@code step}, {@code precision}, {@code family}, the features, the {@link #TARGETS}; all numbers
 * are doubles, null where not known.
 */
public final class FeatureTable {
  /** What can be predicted. */
  public static final List<String> TARGETS = List.of("rel_pct", "nll_increase", "kl");

  private static final List<String> KEYS = List.of("model", "step", "precision", "family");

  private static final List<String> JOINED = List.of("model", "step");

  private static final List<String> PAIRED = List.of("model", "step", "precision");

  /** Schemes whose codes are floats, evenly spaced in their logarithm rather than in size. */
  private static final Set<String> FLOATS = Set.of("float", "fp8", "mx", "nvfp4", "bnb-4bit");

  /** Columns that share a scale, of schemes that have no option for it. */
  private static final Map<String, Integer> BLOCKS =
      Map.of("mx", 32, "nvfp4", 16, "bnb-4bit", 64, "rtn", 128, "gptq", 128, "awq", 128);

  private static final String PERPLEXITIES = "('perplexity', 'byte_perplexity')";

  private static final String CHECKPOINTS =
      """
      SELECT c.model, c.step, c.family,
             CAST(c.parameters AS double) AS parameters,
             CAST(c.step AS double) AS training_step,
             l.baseline_nll
      FROM checkpoints c
      JOIN (
        SELECT model, step, avg(ln(value)) AS baseline_nll
        FROM metrics
        WHERE precision = '%s' AND metric IN %s AND value > 0
        GROUP BY model, step
      ) l USING (model, step)
      """;

  /** A mean over the layers, as in the view {@code causes}; precision null: of the checkpoint. */
  private static final String ANALYSIS =
      """
      SELECT model, step, precision, translate(concat_ws('_', projection, quantity), '.', '_') AS name,
             avg(value) AS value
      FROM analysis
      WHERE NOT startswith(quantity, 'outlier_') AND quantity <> 'spectral_norm_residual'
        OR layer IS NULL
      GROUP BY model, step, precision, projection, quantity
      """;

  private static final String COSTS =
      """
      SELECT d.model, d.step, d.precision,
             max(CASE WHEN d.task = 'mean' AND d.metric = 'acc' THEN d.rel_pct END) AS rel_pct,
             avg(CASE WHEN d.task <> 'mean' AND d.metric IN %2$s AND d.value > 0
               AND d.baseline_value > 0 THEN ln(d.value / d.baseline_value) END) AS nll_increase,
             first(k.kl) AS kl
      FROM degradation d
      LEFT JOIN (
        SELECT model, step, precision, avg(value) AS kl FROM metrics WHERE metric = 'kl'
        GROUP BY model, step, precision
      ) k USING (model, step, precision)
      WHERE d.baseline = '%1$s'
      GROUP BY d.model, d.step, d.precision
      """;

  private FeatureTable() {}

  /** The features' names among the columns. */
  static List<String> features(Dataset<Row> table) {
    return Arrays.stream(table.columns())
        .filter(column -> !KEYS.contains(column) && !TARGETS.contains(column))
        .toList();
  }

  /**
   * Takes features away.
   *
   * @param prefixes what their names begin with
   * @throws InvalidInputException where none begins so
   */
  public static Dataset<Row> without(Dataset<Row> table, List<String> prefixes) {
    Dataset<Row> fewer = table;
    for (String prefix : prefixes) {
      String[] taken =
          features(fewer).stream().filter(name -> name.startsWith(prefix)).toArray(String[]::new);
      if (taken.length == 0) {
        throw new InvalidInputException(
            "--without: found no feature whose name begins with '%s', expected one of %s"
                .formatted(prefix, String.join(", ", features(table))));
      }
      fewer = fewer.drop(taken);
    }
    return fewer;
  }

  /**
   * Makes the rows of a folder of tables that {@code evaluate.sh} and {@code analyse.sh} wrote.
   *
   * @param baseline the precision whose loss is a feature and that costs are against
   * @param asked precisions to make rows for, whether evaluated or not; nothing: those evaluated
   * @param named finds a precision by its name
   * @throws InvalidInputException where the folder has no checkpoint evaluated at the baseline
   */
  public static Dataset<Row> of(
      SparkSession spark,
      String folder,
      String baseline,
      Optional<List<String>> asked,
      Function<String, Precision> named,
      PrintStream log)
      throws IOException {
    SparkSession session = spark.newSession();
    new Database(session, log).open(folder, Optional.of("metrics"));
    Dataset<Row> checkpoints = session.sql(CHECKPOINTS.formatted(baseline, PERPLEXITIES));
    if (checkpoints.isEmpty()) {
      throw new InvalidInputException(
          "%s: found no perplexity of a checkpoint in precision %s, expected a suite with a task such as lambada_openai or wikitext"
              .formatted(folder, baseline));
    }
    Dataset<Row> analysis = session.sql(ANALYSIS);
    Dataset<Row> ofCheckpoints = wide(analysis.filter("precision IS NULL"), JOINED);
    Dataset<Row> ofPrecisions = wide(analysis.filter("precision IS NOT NULL"), PAIRED);
    Dataset<Row> costs = session.sql(COSTS.formatted(baseline, PERPLEXITIES));
    List<String> precisions =
        asked.isPresent()
            ? asked.get()
            : costs.select("precision").distinct().as(Encoders.STRING()).collectAsList().stream()
                .sorted()
                .toList();
    Dataset<Row> all =
        checkpoints
            .join(ofCheckpoints, columns(JOINED), "left")
            .crossJoin(precisions(session, precisions, named))
            .join(ofPrecisions, columns(PAIRED), "left")
            .join(costs, columns(PAIRED), asked.isPresent() ? "left" : "inner");
    return ordered(all);
  }

  /**
   * Reads what {@link #write} wrote.
   *
   * @param file a path or any Hadoop URI
   */
  public static Dataset<Row> read(SparkSession spark, String file) throws IOException {
    Path path = new Path(file);
    if (!path.getFileSystem(spark.sparkContext().hadoopConfiguration()).exists(path)) {
      throw new InvalidInputException(
          file + ": found no file, expected what predict.sh features wrote");
    }
    Dataset<Row> text = spark.read().option("header", "true").option("escape", "\"").csv(file);
    List<String> missing = new ArrayList<>(KEYS);
    missing.removeAll(List.of(text.columns()));
    if (!missing.isEmpty()) {
      throw new InvalidInputException(
          "%s: found no column %s, expected a table that predict.sh features wrote"
              .formatted(file, missing.get(0)));
    }
    Column[] typed =
        Arrays.stream(text.columns())
            .map(
                name ->
                    name.equals("step")
                        ? text.col(name).cast(DataTypes.LongType)
                        : KEYS.contains(name)
                            ? text.col(name)
                            : text.col(name).cast(DataTypes.DoubleType))
            .toArray(Column[]::new);
    return ordered(text.select(typed));
  }

  /** Prints the rows as CSV with a header; one at a time passes the driver. */
  public static void write(Dataset<Row> table, PrintStream out) {
    out.println(String.join(",", table.columns()));
    table
        .toLocalIterator()
        .forEachRemaining(
            row -> {
              List<String> cells = new ArrayList<>();
              for (int i = 0; i < row.size(); i++) {
                cells.add(row.isNullAt(i) ? "" : quoted(String.valueOf(row.get(i))));
              }
              out.println(String.join(",", cells));
            });
  }

  private static String quoted(String cell) {
    return cell.matches("[^,\"\\n]*") ? cell : '"' + cell.replace("\"", "\"\"") + '"';
  }

  /** A column a quantity. */
  private static Dataset<Row> wide(Dataset<Row> analysis, List<String> keys) {
    return analysis
        .groupBy(keys.stream().map(analysis::col).toArray(Column[]::new))
        .pivot("name")
        .agg(functions.first("value"));
  }

  /** Keys, features by their names, targets; the rows in the order of the keys. */
  private static Dataset<Row> ordered(Dataset<Row> table) {
    List<String> columns = new ArrayList<>(KEYS);
    columns.addAll(features(table).stream().sorted().toList());
    columns.addAll(TARGETS.stream().filter(List.of(table.columns())::contains).toList());
    return table
        .select(columns.stream().map(table::col).toArray(Column[]::new))
        .orderBy("model", "step", "precision");
  }

  private static scala.collection.immutable.Seq<String> columns(List<String> names) {
    return scala.jdk.javaapi.CollectionConverters.asScala(names).toList();
  }

  private static Dataset<Row> precisions(
      SparkSession spark, List<String> names, Function<String, Precision> named) {
    List<StructField> fields = new ArrayList<>();
    fields.add(DataTypes.createStructField("precision", DataTypes.StringType, false));
    List<Row> rows = new ArrayList<>();
    for (String name : names) {
      Map<String, Double> features = features(named.apply(name));
      if (rows.isEmpty()) {
        features
            .keySet()
            .forEach(
                key -> fields.add(DataTypes.createStructField(key, DataTypes.DoubleType, false)));
      }
      List<Object> values = new ArrayList<>(List.of(name));
      values.addAll(features.values());
      rows.add(RowFactory.create(values.toArray()));
    }
    return spark.createDataFrame(rows, new StructType(fields.toArray(StructField[]::new)));
  }

  /** What a precision is, in numbers. */
  static Map<String, Double> features(Precision precision) {
    String element = precision.options().getOrDefault("element", "");
    boolean isFloat = FLOATS.contains(precision.scheme()) && !element.startsWith("mxint");
    String group = precision.options().get("group");
    int block =
        group == null ? BLOCKS.getOrDefault(precision.scheme(), -1) : Integer.parseInt(group);
    Map<String, Double> features = new TreeMap<>();
    features.put("weight_bits", (double) precision.weightBits());
    features.put("activation_bits", (double) precision.activationBits());
    features.put("compute_bits", precision.compute() == FloatType.FLOAT32 ? 32.0 : 16.0);
    features.put("float_codes", isFloat ? 1.0 : 0.0);
    features.put("scales_a_column", block > 0 ? 1.0 / block : 0.0);
    features.put("calibrated", Schemes.isCalibrated(precision) ? 1.0 : 0.0);
    return features;
  }
}
