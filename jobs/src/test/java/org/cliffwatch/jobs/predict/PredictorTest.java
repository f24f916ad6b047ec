package org.cliffwatch.jobs.predict;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.cliffwatch.jobs.predict.Predictor.Prediction;
import org.cliffwatch.jobs.sql.LocalSpark;
import org.cliffwatch.tasks.InvalidInputException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** On a grid whose truth is known: costs that grow with outliers and with fewer bits. */
class PredictorTest {
  private static final StructType COLUMNS =
      new StructType()
          .add("model", DataTypes.StringType)
          .add("step", DataTypes.LongType)
          .add("precision", DataTypes.StringType)
          .add("family", DataTypes.StringType)
          .add("baseline_nll", DataTypes.DoubleType)
          .add("input_kurtosis", DataTypes.DoubleType)
          .add("parameters", DataTypes.DoubleType)
          .add("sometimes", DataTypes.DoubleType)
          .add("training_step", DataTypes.DoubleType)
          .add("weight_bits", DataTypes.DoubleType)
          .add("nll_increase", DataTypes.DoubleType);

  @TempDir static Path folder;
  private static SparkSession spark;
  private static Predictor predictor;
  private static String log;

  @BeforeAll
  static void learn() {
    spark = LocalSpark.start();
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    predictor =
        Predictor.fit(
            table(8, "gpt_neox", 1),
            "nll_increase",
            7,
            "commit",
            new PrintStream(bytes, true, StandardCharsets.UTF_8));
    log = bytes.toString(StandardCharsets.UTF_8);
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  private static Dataset<Row> table(int models, String family, double size) {
    SplittableRandom random = new SplittableRandom(3);
    List<Row> rows = new ArrayList<>();
    for (int m = 0; m < models; m++) {
      double parameters = size * (m % 3 + 1) * 1e6;
      double outliers = random.nextDouble(1, 20);
      for (long step : new long[] {250, 700, 2000}) {
        for (int bits : new int[] {3, 4, 8}) {
          double noise = 0.01 * random.nextGaussian();
          rows.add(
              RowFactory.create(
                  "model" + m,
                  step,
                  "w" + bits,
                  family,
                  5 - Math.log10(step),
                  outliers,
                  parameters,
                  m == 0 ? null : 1.0,
                  (double) step,
                  (double) bits,
                  0.1 * outliers * Math.exp(-0.5 * (bits - 3)) + noise));
        }
      }
    }
    return spark.createDataFrame(rows, COLUMNS);
  }

  @Test
  void modelsLeftOutArePredictedBetterThanByRivals() {
    List<Predictor.Accuracy> accuracies = predictor.facts().accuracies();
    assertThat(accuracies).hasSize(5);
    assertThat(accuracies.get(0).method()).isEqualTo("random forest");
    assertThat(predictor.facts().law()).isNull();
    assertThat(accuracies.get(1).method()).isEqualTo("random forest over a power law");
    assertThat(accuracies.get(0).r2()).isGreaterThan(0.8);
    for (Predictor.Accuracy rival : accuracies.subList(1, 5)) {
      assertThat(rival.mae()).as(rival.method()).isGreaterThan(accuracies.get(0).mae());
    }
    assertThat(predictor.facts().coverage()).isBetween(0.8, 1.0);
    assertThat(predictor.importances().keySet().stream().limit(2))
        .containsExactlyInAnyOrder("input_kurtosis", "weight_bits");
    assertThat(predictor.importances().values().stream().mapToDouble(share -> share).sum())
        .isCloseTo(1, within(1e-9));
  }

  /** What the smallest model loses lies far beyond what the others do: a forest cannot say it. */
  @Test
  void whereCostsFollowALawTheForestIsOverIt() throws IOException {
    List<Row> rows = new ArrayList<>();
    for (Row row : table(4, "gpt_neox", 1).collectAsList()) {
      int m = Integer.parseInt(row.<String>getAs("model").substring("model".length()));
      double parameters = 1e6 * Math.pow(4, m);
      double outliers = row.getAs("input_kurtosis");
      double bits = row.getAs("weight_bits");
      double law = 1e4 * Math.pow(parameters, -0.5) * Math.exp(-0.7 * bits);
      rows.add(
          RowFactory.create(
              "model" + m,
              row.getAs("step"),
              row.getAs("precision"),
              "gpt_neox",
              row.getAs("baseline_nll"),
              outliers,
              parameters,
              1.0,
              row.getAs("training_step"),
              bits,
              law + 1e-3 * outliers));
    }
    Dataset<Row> table = spark.createDataFrame(rows, COLUMNS);
    Predictor overLaw = Predictor.fit(table, "nll_increase", 7, "commit", System.err);
    assertThat(overLaw.facts().accuracies().get(0).method())
        .isEqualTo("random forest over a power law");
    List<Prediction> predictions = overLaw.predict(table);
    double largest =
        rows.stream().mapToDouble(row -> row.getDouble(COLUMNS.length() - 1)).max().orElseThrow();
    assertThat(predictions.stream().mapToDouble(Prediction::predicted).max().orElseThrow())
        .isCloseTo(largest, within(0.1 * largest));

    String saved = folder.resolve("overLaw").toString();
    overLaw.save(spark, saved);
    assertThat(Predictor.load(spark, saved).predict(table)).isEqualTo(predictions);
    assertThat(Predictor.fit(table, "nll_increase", 7, "commit", System.err).predict(table))
        .isEqualTo(predictions);
  }

  @Test
  void aFeatureThatSomeRowsLackIsLeftOut() {
    assertThat(log)
        .isEqualTo("feature sometimes left out: 9 rows have none" + System.lineSeparator());
    assertThat(predictor.facts().features()).doesNotContain("sometimes").hasSize(5);
  }

  @Test
  void itPredictsTheSameAfterItWasSaved() throws IOException {
    String saved = folder.resolve("predictor").toString();
    predictor.save(spark, saved);
    predictor.save(spark, saved);
    List<Prediction> before = predictor.predict(table(8, "gpt_neox", 1));
    assertThat(Predictor.load(spark, saved).predict(table(8, "gpt_neox", 1))).isEqualTo(before);
    assertThat(before).allMatch(each -> each.refusal() == null && each.low() < each.high());
    Path facts = Path.of(saved, "predictor.json");
    Files.delete(Path.of(saved, ".predictor.json.crc"));
    Files.writeString(facts, Files.readString(facts).replace("\"version\" : 2", "\"version\" : 0"));
    assertThatThrownBy(() -> Predictor.load(spark, saved))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("found version 0 over tables of version");
    assertThatThrownBy(() -> Predictor.load(spark, folder.resolve("none").toString()))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining(
            "found no predictor.json, expected a folder that predict.sh fit wrote");
  }

  @Test
  void whatIsUnlikeAllItLearntFromIsRefused() {
    Dataset<Row> known = table(1, "gpt_neox", 1);
    assertThat(predictor.predict(table(1, "llama", 1)))
        .allMatch(each -> each.predicted() == null)
        .allMatch(each -> each.refusal().equals("family llama, learnt from gpt_neox"));
    assertThat(predictor.predict(table(1, "gpt_neox", 135)))
        .allMatch(each -> each.refusal().contains("standard deviations from the nearest row"));
    assertThat(predictor.predict(known.withColumn("precision", functions.lit("w5"))))
        .allMatch(each -> each.refusal().equals("precision not among those learnt from"));
    assertThat(
            predictor.predict(
                known.withColumn("baseline_nll", functions.lit(null).cast(DataTypes.DoubleType))))
        .allMatch(each -> each.refusal().startsWith("no baseline_nll: "));
    assertThat(predictor.predict(known.drop("input_kurtosis")))
        .isNotEmpty()
        .allMatch(each -> each.predicted() == null)
        .allMatch(each -> each.refusal().startsWith("no input_kurtosis: most features are"));
    assertThat(predictor.predict(table(1, "llama", 1).drop("input_kurtosis")))
        .allMatch(each -> each.refusal().startsWith("family llama"));
  }

  @Test
  void tooLittleToLearnFromIsAnError() {
    assertThatThrownBy(
            () -> Predictor.fit(table(3, "gpt_neox", 1), "nll_increase", 1, "commit", System.err))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageStartingWith("found 3 models whose nll_increase is known, expected 4 or more");
    assertThatThrownBy(() -> Predictor.fit(table(4, "gpt_neox", 1), "kl", 1, "commit", System.err))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("found no column kl");
  }

  @Test
  void rowsSurviveTheirFile() throws IOException {
    Path file = folder.resolve("features.csv");
    try (PrintStream out =
        new PrintStream(Files.newOutputStream(file), false, StandardCharsets.UTF_8)) {
      FeatureTable.write(table(4, "a,\"b\"", 1), out);
    }
    Dataset<Row> read = FeatureTable.read(spark, file.toString());
    assertThat(FeatureTable.features(read))
        .containsExactly(
            "baseline_nll",
            "input_kurtosis",
            "parameters",
            "sometimes",
            "training_step",
            "weight_bits");
    assertThat(read.collectAsList())
        .isEqualTo(table(4, "a,\"b\"", 1).orderBy("model", "step", "precision").collectAsList());
  }
}
