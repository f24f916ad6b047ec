package org.cliffwatch.jobs.predict;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.commons.math3.stat.descriptive.rank.Percentile;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.ml.evaluation.RegressionEvaluator;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.ml.regression.DecisionTreeRegressionModel;
import org.apache.spark.ml.regression.RandomForestRegressionModel;
import org.apache.spark.ml.regression.RandomForestRegressor;
import org.apache.spark.ml.tuning.CrossValidator;
import org.apache.spark.ml.tuning.CrossValidatorModel;
import org.apache.spark.ml.tuning.ParamGridBuilder;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.tasks.InvalidInputException;

/**
 * A random forest over {@link FeatureTable}'s rows (after Xu et al. 2024, "Scaling Laws for
 * Post-Training Quantized Large Language Models"), which says how sure it is and refuses what is
 * not like anything it has seen.
 *
 * <p><b>Learning.</b> A forest alone never goes beyond the costs it has seen, a {@link PowerLaw}
 * alone knows nothing of a checkpoint but its size and step. So there are two forests, one of the
 * costs and one of what a law leaves of them over; that of the two is taken which predicts models
 * better that were left out. MLlib's {@code RandomForestRegressor}; depth and leaf size by MLlib's
 * {@code CrossValidator}, its folds whole models: steps and precisions of one training run know
 * each other. <b>Intervals.</b> 5 and 95 % quantiles of the trees, widened by what the rows of
 * models that were left out needed (conformalized quantile regression, Romano et al. 2019, the
 * residuals those of leave-one-model-out). <b>Distance.</b> From a row to the nearest row learnt
 * from, root mean square over features in standard deviations; the limit is the largest distance of
 * a learnt row to another model's. Beyond it, and for a family or precision not learnt, there is no
 * prediction.
 *
 * <p>Rows, a few hundred bytes each, are on the driver; cost grows with models (a forest each) and,
 * for distances, with the square of the rows.
 */
public final class Predictor {
  /** Raised by every change after which a saved predictor would predict otherwise. */
  static final int VERSION = 2;

  static final double COVERAGE = 0.9;

  private static final int TREES = 200;
  private static final int MOST_FOLDS = 5;
  private static final int MOST_BINS = 32;

  /** Of a feature's size, or of 1: what it differs by where it never did before is far. */
  private static final double LEAST_SCALE = 1e-3;

  private static final int LEAST_MODELS = 4;
  private static final int[] DEPTHS = {4, 8};
  private static final int[] LEAST_LEAVES = {1, 4};
  private static final String FILE = "predictor.json";
  private static final String FOREST = "forest";
  private static final ObjectMapper JSON = new ObjectMapper();

  /** A row to learn from or to predict; {@code target} NaN where not known. */
  record Example(
      String model, long step, String precision, String family, double[] features, double target) {
    PowerLaw.Point point(List<String> names) {
      return new PowerLaw.Point(
          features[names.indexOf("parameters")],
          features[names.indexOf("training_step")],
          features[names.indexOf("weight_bits")],
          target);
    }

    Example withTarget(double other) {
      return new Example(model, step, precision, family, features, other);
    }
  }

  /**
   * How well rows of models left out are predicted.
   *
   * @param r2 1 − Σ (y − ŷ)² / Σ (y − mean)²
   * @param mae mean |y − ŷ|
   * @param formula fitted to all rows, of what has one; else null
   */
  public record Accuracy(String method, double r2, double mae, String formula) {}

  /**
   * What is saved beside the forest.
   *
   * @param features in the forest's order
   * @param rows features of the rows learnt from, in standard units
   * @param law what the forest's predictions are added to; null: the forest stands alone
   * @param widening what intervals need beyond the trees' quantiles
   * @param limit of the distance
   * @param accuracies of the forest, the first, of the other kind of forest, and of rivals, by
   *     leaving out whole models
   * @param coverage share of left-out rows inside their intervals, these widened by other models'
   */
  public record Facts(
      int version,
      int tablesVersion,
      String codeVersion,
      String target,
      long seed,
      List<String> features,
      double[] means,
      double[] scales,
      double[][] rows,
      List<String> models,
      List<String> families,
      List<String> precisions,
      PowerLaw law,
      double widening,
      double limit,
      List<Accuracy> accuracies,
      double coverage) {}

  /**
   * A row's prediction.
   *
   * @param refusal why there is none; else null
   */
  public record Prediction(
      String model,
      long step,
      String precision,
      Double predicted,
      Double low,
      Double high,
      double distance,
      String refusal) {}

  private final RandomForestRegressionModel forest;
  private final Facts facts;

  private Predictor(RandomForestRegressionModel forest, Facts facts) {
    this.forest = forest;
    this.facts = facts;
  }

  /** What it learnt from, and how well. */
  public Facts facts() {
    return facts;
  }

  /**
   * Learns.
   *
   * @param target one of {@link FeatureTable#TARGETS}
   * @param log what is left out is said here
   * @throws InvalidInputException where there are too few models to leave one out
   */
  public static Predictor fit(
      Dataset<Row> table, String target, long seed, String codeVersion, PrintStream log) {
    List<String> features = complete(table, target, log);
    List<Example> examples =
        examples(table, features, target).stream()
            .filter(example -> Double.isFinite(example.target()))
            .toList();
    List<String> models = distinct(examples, Example::model);
    if (models.size() < LEAST_MODELS) {
      throw new InvalidInputException(
          "found %s models whose %s is known, expected %s or more: whole models are left out to see how well others are predicted"
              .formatted(models.size(), target, LEAST_MODELS));
    }
    SparkSession spark = table.sparkSession();
    Candidate alone = new Candidate(spark, examples, models, features, false, seed);
    Candidate overLaw = new Candidate(spark, examples, models, features, true, seed);
    Candidate best = overLaw.accuracy().r2() > alone.accuracy().r2() ? overLaw : alone;
    List<Accuracy> accuracies = new ArrayList<>();
    accuracies.add(best.accuracy());
    accuracies.add((best == alone ? overLaw : alone).accuracy());
    accuracies.addAll(rivals(examples, models, features));
    Forest forest = best.fit(examples);
    double[] means = new double[features.size()];
    double[] scales = new double[features.size()];
    standardize(examples, means, scales);
    double[][] rows =
        examples.stream()
            .map(example -> standard(example.features(), means, scales))
            .toArray(double[][]::new);
    double limit =
        IntStream.range(0, rows.length)
            .mapToDouble(
                i ->
                    IntStream.range(0, rows.length)
                        .filter(k -> !examples.get(k).model().equals(examples.get(i).model()))
                        .mapToDouble(k -> distance(rows[i], rows[k]))
                        .min()
                        .orElse(0))
            .max()
            .orElse(0);
    return new Predictor(
        forest.model(),
        new Facts(
            VERSION,
            Tables.VERSION,
            codeVersion,
            target,
            seed,
            features,
            means,
            scales,
            rows,
            models,
            distinct(examples, Example::family),
            distinct(examples, Example::precision),
            forest.law(),
            best.widening(model -> true),
            limit,
            accuracies,
            best.coverage()));
  }

  private static List<PowerLaw.Point> points(List<Example> examples, List<String> features) {
    return examples.stream().map(each -> each.point(features)).toList();
  }

  /** Rows whose target is what the law leaves over; without a law the rows themselves. */
  private static List<Example> rests(PowerLaw law, List<Example> examples, List<String> features) {
    return law == null
        ? examples
        : examples.stream()
            .map(each -> each.withTarget(each.target() - law.predict(each.point(features))))
            .toList();
  }

  /** Features that every row has; others are named. */
  private static List<String> complete(Dataset<Row> table, String target, PrintStream log) {
    if (!List.of(table.columns()).contains(target)) {
      throw new InvalidInputException("found no column " + target + ", expected the target's");
    }
    Dataset<Row> known = table.filter(table.col(target).isNotNull());
    List<String> features = FeatureTable.features(table);
    for (String needed : List.of("parameters", "training_step", "weight_bits")) {
      if (!features.contains(needed)) {
        throw new InvalidInputException(
            "found no feature %s, expected a table that predict.sh features wrote"
                .formatted(needed));
      }
    }
    Row rows =
        known
            .selectExpr(
                features.stream()
                    .map(name -> "count_if(`%s` IS NULL OR isnan(`%s`))".formatted(name, name))
                    .toArray(String[]::new))
            .first();
    List<String> complete = new ArrayList<>();
    for (int i = 0; i < features.size(); i++) {
      if (rows.getLong(i) == 0) {
        complete.add(features.get(i));
      } else {
        log.printf("feature %s left out: %s rows have none%n", features.get(i), rows.getLong(i));
      }
    }
    return complete;
  }

  private static List<Example> examples(Dataset<Row> table, List<String> features, String target) {
    Set<String> columns = Set.of(table.columns());
    boolean isKnown = target != null && columns.contains(target);
    List<Example> examples = new ArrayList<>();
    for (Row row : table.collectAsList()) {
      double[] values = new double[features.size()];
      for (int i = 0; i < values.length; i++) {
        String feature = features.get(i);
        values[i] = columns.contains(feature) ? number(row, feature) : Double.NaN;
      }
      examples.add(
          new Example(
              row.getAs("model"),
              row.<Long>getAs("step"),
              row.getAs("precision"),
              row.getAs("family"),
              values,
              isKnown ? number(row, target) : Double.NaN));
    }
    return examples;
  }

  private static double number(Row row, String column) {
    Double value = row.getAs(column);
    return value == null ? Double.NaN : value;
  }

  private static List<String> distinct(List<Example> examples, Function<Example, String> of) {
    return List.copyOf(examples.stream().map(of).collect(Collectors.toCollection(TreeSet::new)));
  }

  /** Columns {@code features}, {@code label}, {@code fold}: models dealt out in turn. */
  private static Dataset<Row> dataset(
      SparkSession spark, List<Example> examples, List<String> models) {
    int folds = Math.min(MOST_FOLDS, models.size());
    StructType schema =
        new StructType()
            .add("values", DataTypes.createArrayType(DataTypes.DoubleType))
            .add("label", DataTypes.DoubleType)
            .add("fold", DataTypes.IntegerType);
    List<Row> rows =
        examples.stream()
            .map(
                example ->
                    RowFactory.create(
                        Arrays.stream(example.features()).boxed().toList(),
                        example.target(),
                        models.indexOf(example.model()) % folds))
            .toList();
    int width = examples.get(0).features().length;
    Dataset<Row> wide = spark.createDataFrame(rows, schema).coalesce(1);
    String[] names = IntStream.range(0, width).mapToObj(i -> "x" + i).toArray(String[]::new);
    String[] expressions =
        IntStream.range(0, width + 2)
            .mapToObj(
                i ->
                    i < width ? "values[%s] AS x%s".formatted(i, i) : i == width ? "label" : "fold")
            .toArray(String[]::new);
    return new VectorAssembler()
        .setInputCols(names)
        .setOutputCol("features")
        .transform(wide.selectExpr(expressions))
        .select("features", "label", "fold")
        .cache();
  }

  private static RandomForestRegressor tuned(
      SparkSession spark, List<Example> examples, List<String> models, long seed) {
    RandomForestRegressor forest =
        new RandomForestRegressor()
            .setNumTrees(TREES)
            .setFeatureSubsetStrategy("onethird")
            .setMaxBins(Math.max(2, Math.min(MOST_BINS, examples.size() / 2)))
            .setSeed(seed);
    CrossValidatorModel best =
        new CrossValidator()
            .setEstimator(forest)
            .setEvaluator(new RegressionEvaluator().setMetricName("rmse"))
            .setEstimatorParamMaps(
                new ParamGridBuilder()
                    .addGrid(forest.maxDepth(), DEPTHS)
                    .addGrid(forest.minInstancesPerNode(), LEAST_LEAVES)
                    .build())
            .setNumFolds(Math.min(MOST_FOLDS, models.size()))
            .setFoldCol("fold")
            .setParallelism(Runtime.getRuntime().availableProcessors())
            .setSeed(seed)
            .fit(dataset(spark, examples, models));
    RandomForestRegressionModel found = (RandomForestRegressionModel) best.bestModel();
    return forest
        .setMaxDepth(found.getMaxDepth())
        .setMinInstancesPerNode(found.getMinInstancesPerNode());
  }

  /** What law and trees say of a row: with the trees' mean, and with their quantiles. */
  private record Trees(double mean, double low, double high) {
    static Trees of(double law, RandomForestRegressionModel forest, double[] features) {
      Vector vector = Vectors.dense(features);
      DecisionTreeRegressionModel[] trees = forest.trees();
      double[] each =
          Arrays.stream(trees).mapToDouble(tree -> law + tree.predict(vector)).toArray();
      double tail = 100 * (1 - COVERAGE) / 2;
      Percentile quantiles = new Percentile();
      quantiles.setData(each);
      return new Trees(
          Arrays.stream(each).average().orElseThrow(),
          quantiles.evaluate(tail),
          quantiles.evaluate(100 - tail));
    }

    /** By how much the interval misses; negative inside. */
    double miss(double truth) {
      return Math.max(low - truth, truth - high);
    }
  }

  /** A forest, over a law or, where that is null, alone. */
  private record Forest(PowerLaw law, RandomForestRegressionModel model) {
    Trees trees(Example example, List<String> features) {
      double base = law == null ? 0 : law.predict(example.point(features));
      return Trees.of(base, model, example.features());
    }
  }

  /** Every model's rows as a method predicts them that has learnt from the other models'. */
  private static <T> Map<Example, T> leaveOneOut(
      List<Example> examples,
      List<String> models,
      Function<List<Example>, Function<Example, T>> method) {
    Map<Example, T> predictions = new LinkedHashMap<>();
    models.parallelStream()
        .map(
            model -> {
              Function<Example, T> learnt =
                  method.apply(
                      examples.stream().filter(each -> !each.model().equals(model)).toList());
              Map<Example, T> own = new LinkedHashMap<>();
              examples.stream()
                  .filter(each -> each.model().equals(model))
                  .forEach(each -> own.put(each, learnt.apply(each)));
              return own;
            })
        .toList()
        .forEach(predictions::putAll);
    return predictions;
  }

  private static Accuracy accuracy(
      String method, Map<Example, Double> predictions, String formula) {
    double mean =
        predictions.keySet().stream().mapToDouble(Example::target).average().orElseThrow();
    double squares = 0;
    double total = 0;
    double absolute = 0;
    for (Map.Entry<Example, Double> each : predictions.entrySet()) {
      double target = each.getKey().target();
      double error = target - each.getValue();
      squares += error * error;
      absolute += Math.abs(error);
      total += (target - mean) * (target - mean);
    }
    return new Accuracy(method, 1 - squares / total, absolute / predictions.size(), formula);
  }

  /** What a forest must beat. */
  private static List<Accuracy> rivals(
      List<Example> examples, List<String> models, List<String> features) {
    List<Accuracy> rivals = new ArrayList<>();
    rivals.add(
        accuracy(
            "mean of the precision",
            leaveOneOut(
                examples,
                models,
                others -> {
                  Map<String, Double> means =
                      others.stream()
                          .collect(
                              Collectors.groupingBy(
                                  Example::precision, Collectors.averagingDouble(Example::target)));
                  double mean =
                      others.stream().mapToDouble(Example::target).average().orElseThrow();
                  return each -> means.getOrDefault(each.precision(), mean);
                }),
            null));
    for (PowerLaw.Form form : PowerLaw.Form.values()) {
      rivals.add(
          accuracy(
              "power law, " + form.describe(),
              leaveOneOut(
                  examples,
                  models,
                  others -> {
                    PowerLaw law = PowerLaw.fit(form, points(others, features));
                    return each -> law.predict(each.point(features));
                  }),
              PowerLaw.fit(form, points(examples, features)).describe()));
    }
    return rivals;
  }

  /** A way to make forests, and how those of it did that had not seen a model. */
  private static final class Candidate {
    private final SparkSession spark;
    private final List<String> models;
    private final List<String> features;
    private final boolean isOverLaw;
    private final String formula;
    private final RandomForestRegressor recipe;
    private final Map<Example, Trees> leftOut;

    Candidate(
        SparkSession spark,
        List<Example> examples,
        List<String> models,
        List<String> features,
        boolean isOverLaw,
        long seed) {
      this.spark = spark;
      this.models = models;
      this.features = features;
      this.isOverLaw = isOverLaw;
      PowerLaw law = law(examples);
      formula = law == null ? null : law.describe();
      recipe = tuned(spark, rests(law, examples, features), models, seed);
      leftOut =
          leaveOneOut(
              examples,
              models,
              others -> {
                Forest forest = fit(others);
                return each -> forest.trees(each, features);
              });
    }

    private PowerLaw law(List<Example> examples) {
      return isOverLaw ? PowerLaw.fit(points(examples, features)) : null;
    }

    Forest fit(List<Example> examples) {
      PowerLaw law = law(examples);
      Dataset<Row> data = dataset(spark, rests(law, examples, features), models);
      Forest forest = new Forest(law, recipe.fit(data));
      data.unpersist();
      return forest;
    }

    Accuracy accuracy() {
      Map<Example, Double> means = new LinkedHashMap<>();
      leftOut.forEach((example, trees) -> means.put(example, trees.mean()));
      return Predictor.accuracy(
          isOverLaw ? "random forest over a power law" : "random forest", means, formula);
    }

    /** The quantile of the misses of some models' rows that covers a next one as often as asked. */
    double widening(Predicate<String> model) {
      double[] misses =
          leftOut.entrySet().stream()
              .filter(each -> model.test(each.getKey().model()))
              .mapToDouble(each -> each.getValue().miss(each.getKey().target()))
              .sorted()
              .toArray();
      int rank = (int) Math.ceil((misses.length + 1) * COVERAGE);
      return misses[Math.min(rank, misses.length) - 1];
    }

    double coverage() {
      Map<String, Double> widenings =
          models.stream()
              .collect(
                  Collectors.toMap(
                      Function.identity(), model -> widening(other -> !other.equals(model))));
      long covered =
          leftOut.entrySet().stream()
              .filter(
                  each ->
                      each.getValue().miss(each.getKey().target())
                          <= widenings.get(each.getKey().model()))
              .count();
      return (double) covered / leftOut.size();
    }
  }

  private static void standardize(List<Example> examples, double[] means, double[] scales) {
    for (int i = 0; i < means.length; i++) {
      int column = i;
      double mean = examples.stream().mapToDouble(e -> e.features()[column]).average().orElse(0);
      double variance =
          examples.stream()
              .mapToDouble(e -> Math.pow(e.features()[column] - mean, 2))
              .average()
              .orElse(0);
      means[i] = mean;
      scales[i] = Math.max(Math.sqrt(variance), LEAST_SCALE * Math.max(Math.abs(mean), 1));
    }
  }

  private static double[] standard(double[] features, double[] means, double[] scales) {
    return IntStream.range(0, features.length)
        .mapToDouble(i -> (features[i] - means[i]) / scales[i])
        .toArray();
  }

  private static double distance(double[] a, double[] b) {
    double squares = 0;
    for (int i = 0; i < a.length; i++) {
      squares += (a[i] - b[i]) * (a[i] - b[i]);
    }
    return Math.sqrt(squares / a.length);
  }

  /** Predicts rows, in their order; those that lack a feature, or all of it, are refused. */
  public List<Prediction> predict(Dataset<Row> table) {
    return examples(table, facts.features(), null).stream().map(this::predict).toList();
  }

  private Prediction predict(Example example) {
    double[] own = standard(example.features(), facts.means(), facts.scales());
    double nearest =
        Arrays.stream(facts.rows()).mapToDouble(row -> distance(own, row)).min().orElseThrow();
    String refusal = refusal(example, nearest);
    if (refusal != null) {
      return new Prediction(
          example.model(), example.step(), example.precision(), null, null, null, nearest, refusal);
    }
    Trees trees = new Forest(facts.law(), forest).trees(example, facts.features());
    return new Prediction(
        example.model(),
        example.step(),
        example.precision(),
        trees.mean(),
        trees.low() - facts.widening(),
        trees.high() + facts.widening(),
        nearest,
        null);
  }

  private String refusal(Example example, double nearest) {
    if (!facts.families().contains(example.family())) {
      return "family %s, learnt from %s"
          .formatted(example.family(), String.join(", ", facts.families()));
    }
    if (!facts.precisions().contains(example.precision())) {
      return "precision not among those learnt from";
    }
    for (int i = 0; i < example.features().length; i++) {
      if (Double.isNaN(example.features()[i])) {
        return "no %s: most features are analyse.sh's, those of landscapes with --landscape"
            .formatted(facts.features().get(i));
      }
    }
    return nearest > facts.limit()
        ? String.format(
            Locale.ROOT,
            "%.2f standard deviations from the nearest row learnt from, at most %.2f",
            nearest,
            facts.limit())
        : null;
  }

  /** Features by their share of what the forest's splits gain, the largest first. */
  public Map<String, Double> importances() {
    double[] each = forest.featureImportances().toArray();
    Map<String, Double> importances = new LinkedHashMap<>();
    IntStream.range(0, each.length)
        .boxed()
        .sorted((a, b) -> Double.compare(each[b], each[a]))
        .forEach(i -> importances.put(facts.features().get(i), each[i]));
    return importances;
  }

  /** Saves it, in MLlib's format with a file of ours beside; what is there is replaced. */
  public void save(SparkSession spark, String folder) throws IOException {
    forest.write().overwrite().save(folder + "/" + FOREST);
    Path file = new Path(folder, FILE);
    try (var out =
        file.getFileSystem(spark.sparkContext().hadoopConfiguration()).create(file, true)) {
      out.write(JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(facts));
    }
  }

  /**
   * Loads what {@link #save} wrote.
   *
   * @throws InvalidInputException where there is none, or it is of another version
   */
  public static Predictor load(SparkSession spark, String folder) throws IOException {
    Path file = new Path(folder, FILE);
    FileSystem files = file.getFileSystem(spark.sparkContext().hadoopConfiguration());
    if (!files.exists(file)) {
      throw new InvalidInputException(
          "%s: found no %s, expected a folder that predict.sh fit wrote".formatted(folder, FILE));
    }
    Facts facts;
    try (var in = files.open(file)) {
      facts = JSON.readValue(new String(in.readAllBytes(), StandardCharsets.UTF_8), Facts.class);
    } catch (JsonProcessingException e) {
      throw new InvalidInputException(file + ": found " + e.getOriginalMessage(), e);
    }
    if (facts.version() != VERSION || facts.tablesVersion() != Tables.VERSION) {
      throw new InvalidInputException(
          "%s: found version %s over tables of version %s, expected %s over %s: fit it again"
              .formatted(file, facts.version(), facts.tablesVersion(), VERSION, Tables.VERSION));
    }
    return new Predictor(RandomForestRegressionModel.load(folder + "/" + FOREST), facts);
  }
}
