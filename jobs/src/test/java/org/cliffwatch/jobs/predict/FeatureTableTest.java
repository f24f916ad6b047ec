package org.cliffwatch.jobs.predict;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.cliffwatch.jobs.sql.HandMadeRun;
import org.cliffwatch.jobs.sql.LocalSpark;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.tasks.InvalidInputException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FeatureTableTest {
  private static final double ROUNDING = 1e-12;

  @TempDir static Path folder;
  private static SparkSession spark;

  @BeforeAll
  static void makeTables() {
    HandMadeRun.now(folder);
    spark = LocalSpark.start();
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  private static Dataset<Row> rows(String baseline, Optional<List<String>> asked)
      throws IOException {
    return FeatureTable.of(
        spark, folder.toString(), baseline, asked, Precisions.packaged()::named, System.err);
  }

  private static double value(Row row, String column) {
    return row.<Double>getAs(column);
  }

  @Test
  void aRowACheckpointAndPrecisionThatWasEvaluated() throws IOException {
    List<Row> rows = rows("fp32", Optional.empty()).collectAsList();
    assertThat(rows)
        .extracting(
            row -> row.getAs("model") + " " + row.getAs("step") + " " + row.getAs("precision"))
        .containsExactly(
            "2024 100 w4",
            "2024 100 w8a8",
            "2024 200 w4",
            "2024 200 w8a8",
            "wide 200 w4",
            "wide 200 w8a8");
    Row w4 = rows.get(0);
    assertThat(value(w4, "parameters")).isEqualTo(1e6);
    assertThat(value(w4, "training_step")).isEqualTo(100);
    assertThat(value(w4, "baseline_nll")).isCloseTo(Math.log(20), within(ROUNDING));
    assertThat(value(w4, "nll_increase")).isCloseTo(Math.log(25.0 / 20), within(ROUNDING));
    // PIQA 5/8 → 4/8, LAMBADA 2/8 → 1/8.
    assertThat(value(w4, "rel_pct")).isCloseTo((-20 - 50) / 2.0, within(ROUNDING));
    assertThat(w4.<Double>getAs("kl")).isNull();
    assertThat(value(w4, "weight_bits")).isEqualTo(4);
    assertThat(value(w4, "activation_bits")).isEqualTo(32);
    assertThat(value(w4, "scales_a_column")).isZero();
    assertThat(value(rows.get(1), "activation_bits")).isEqualTo(8);
    assertThat(value(rows.get(1), "attention_norm_gain_std")).isEqualTo(0.5);
    assertThat(value(w4, "all_rounding_increase_0_5")).as("of the precision").isEqualTo(0.1);
    assertThat(rows.get(1).<Double>getAs("all_rounding_increase_0_5")).isNull();
  }

  @Test
  void precisionsThatWereNotEvaluatedHaveFeaturesAndNoTargets() throws IOException {
    List<Row> rows =
        rows("fp32", Optional.of(List.of("w8a8", "mxfp4", "smoothquant"))).collectAsList();
    assertThat(rows).hasSize(9);
    Row mxfp4 = rows.get(0);
    assertThat(mxfp4.<Double>getAs("nll_increase")).isNull();
    assertThat(value(mxfp4, "float_codes")).isEqualTo(1);
    assertThat(value(mxfp4, "scales_a_column")).isEqualTo(1 / 32.0);
    assertThat(value(rows.get(1), "calibrated")).isEqualTo(1);
    assertThat(rows.get(2).<Double>getAs("nll_increase")).isNotNull();
  }

  @Test
  void aBaselineThatWasNotEvaluatedIsAnError() {
    assertThatThrownBy(() -> rows("bf16", Optional.empty()))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("found no perplexity of a checkpoint in precision bf16");
  }

  @Test
  void featuresAreTakenAwayByWhatTheirNamesBeginWith() throws IOException {
    Dataset<Row> all = rows("fp32", Optional.empty());
    Dataset<Row> fewer = FeatureTable.without(all, List.of("all_", "scales_a_column"));
    assertThat(FeatureTable.features(all)).anyMatch(name -> name.startsWith("all_"));
    assertThat(FeatureTable.features(fewer))
        .contains("baseline_nll", "attention_norm_gain_std")
        .noneMatch(name -> name.startsWith("all_") || name.equals("scales_a_column"));
    assertThat(fewer.columns()).contains("model", "nll_increase");
    assertThatThrownBy(() -> FeatureTable.without(all, List.of("al_")))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageStartingWith(
            "--without: found no feature whose name begins with 'al_', expected one of activation_bits, ");
    assertThatThrownBy(() -> FeatureTable.without(all, List.of("nll_increase")))
        .as("a target is none")
        .isInstanceOf(InvalidInputException.class);
  }
}
