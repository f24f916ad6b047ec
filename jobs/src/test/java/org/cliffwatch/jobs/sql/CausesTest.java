package org.cliffwatch.jobs.sql;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.commons.math3.stat.correlation.SpearmansCorrelation;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.cliffwatch.jobs.table.AnalysisRow;
import org.cliffwatch.jobs.table.DegradationRow;
import org.cliffwatch.jobs.table.Tables;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What goes with degradation, by views. */
class CausesTest {
  /** Sums of a few float64. */
  private static final double ROUNDING = 1e-12;

  /** By step 0, 1, …: what is found in two layers, of which the mean is ranked, some equal. */
  private static final double[][] GAINS = {{1, 3}, {5, 5}, {2, 2}, {9, 1}, {4, 10}, {0, 1}};

  private static final double[] DEGRADATION = {-1, -4, -1, -3, -2, 0.5};

  @TempDir static Path folder;

  private static SparkSession spark;

  @BeforeAll
  static void write() throws Exception {
    spark = LocalSpark.start();
    Tables tables =
        new Tables(new org.apache.hadoop.fs.Path(folder.toString()), new Configuration());
    List<DegradationRow> degradation = new ArrayList<>();
    for (int step = 0; step < GAINS.length; step++) {
      List<AnalysisRow> rows = new ArrayList<>();
      for (int layer = 0; layer < 2; layer++) {
        rows.add(row(layer, "gain_std", GAINS[step][layer]));
        rows.add(row(layer, "outlier_6.0", 17));
        rows.add(row(layer, "spectral_norm_residual", 1e-5));
      }
      rows.add(row(null, "outliers_6.0", step % 2));
      for (String precision : List.of("w8a8", "w4")) {
        rows.add(
            new AnalysisRow(
                null, "all", "rounding_norm", precision, precision.length(), "i", "text", "k", 1));
      }
      rows.add(row(null, "outliers_4.2", 0));
      tables.analysis("m", step, "key").write(tables.staging(), Tables.ANALYSIS, Map.of(), rows);
      degradation.add(mean(step, DEGRADATION[step]));
    }
    tables.degradation("m").write(tables.staging(), Tables.DEGRADATION, Map.of(), degradation);
    new Database(spark, System.err).open(folder.toString(), Optional.of(""));
  }

  @AfterAll
  static void stopSpark() {
    spark.stop();
  }

  private static AnalysisRow row(Integer layer, String quantity, double value) {
    return new AnalysisRow(
        layer, "attention_norm", quantity, null, value, "identity", "text", "k", 1);
  }

  private static DegradationRow mean(long step, double relative) {
    return new DegradationRow(
        "w8a8", step, "mean", "acc", "fp32", 0.5, 0.5, 0.0, relative, null, null, null, null, null,
        null, null, 1L, null, null, 1);
  }

  @Test
  void degradationStandsBesideTheMeanOverLayers() {
    List<Row> rows =
        spark
            .sql(
                "SELECT step, value, rel_pct FROM causes WHERE quantity = 'gain_std' ORDER BY step")
            .collectAsList();
    assertThat(rows).hasSize(GAINS.length);
    for (int step = 0; step < GAINS.length; step++) {
      assertThat(rows.get(step).getLong(0)).isEqualTo(step);
      assertThat(rows.get(step).getDouble(1)).isEqualTo((GAINS[step][0] + GAINS[step][1]) / 2);
      assertThat(rows.get(step).getDouble(2)).isEqualTo(DEGRADATION[step]);
    }
    assertThat(
            spark
                .sql("SELECT DISTINCT quantity FROM causes ORDER BY quantity")
                .collectAsList()
                .stream()
                .map(row -> row.getString(0)))
        .as("neither dimensions nor residuals")
        .containsExactly("gain_std", "outliers_4.2", "outliers_6.0", "rounding_norm");
    assertThat(
            spark
                .sql(
                    "SELECT DISTINCT precision, value FROM causes WHERE quantity = 'rounding_norm'")
                .collectAsList())
        .as("of w8a8 alone: w4 was not evaluated")
        .containsExactly(RowFactory.create("w8a8", 4.0));
  }

  @Test
  void ranksAreCorrelated() {
    Row found =
        spark
            .sql(
                "SELECT checkpoints, rank_correlation, low, high FROM cause_ranks"
                    + " WHERE precision = 'w8a8' AND metric = 'acc' AND quantity = 'gain_std'")
            .collectAsList()
            .get(0);
    double[] means = new double[GAINS.length];
    for (int step = 0; step < means.length; step++) {
      means[step] = (GAINS[step][0] + GAINS[step][1]) / 2;
    }
    double expected = new SpearmansCorrelation().correlation(means, DEGRADATION);
    assertThat(found.getLong(0)).isEqualTo(6);
    assertThat(found.getDouble(1)).isCloseTo(expected, within(ROUNDING));
    double z = 1.959963984540054 * Math.sqrt(1.06 / 3);
    double middle = 0.5 * Math.log((1 + expected) / (1 - expected));
    assertThat(found.getDouble(2)).isCloseTo(Math.tanh(middle - z), within(ROUNDING));
    assertThat(found.getDouble(3)).isCloseTo(Math.tanh(middle + z), within(ROUNDING));
  }

  @Test
  void whatIsEqualEverywhereHasNoRank() {
    Row found =
        spark
            .sql("SELECT rank_correlation, low FROM cause_ranks WHERE quantity = 'outliers_4.2'")
            .collectAsList()
            .get(0);
    assertThat(found.isNullAt(0)).isTrue();
    assertThat(found.isNullAt(1)).isTrue();
  }
}
