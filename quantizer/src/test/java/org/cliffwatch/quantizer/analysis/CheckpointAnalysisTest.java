package org.cliffwatch.quantizer.analysis;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.model.Inventory;
import org.cliffwatch.quantizer.model.Variant;
import org.cliffwatch.quantizer.outliers.OutlierPlanting;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class CheckpointAnalysisTest {
  @TempDir Path folder;

  static Stream<String> variants() {
    return Stream.of(Variant.NAMES);
  }

  private static List<Quantity> analyse(Path path, int vocabulary, int threads) {
    Random random = new Random(4);
    List<int[]> samples = new ArrayList<>();
    for (int s = 0; s < 5; s++) {
      samples.add(random.ints(16, 0, vocabulary).toArray());
    }
    try (Checkpoint checkpoint = Checkpoint.open(path)) {
      return CheckpointAnalysis.of(
          Inventory.of(checkpoint), samples, Backends.open("onednn"), threads, 1, share -> {});
    }
  }

  @ParameterizedTest
  @MethodSource("variants")
  void findsTheSameOnAnyNumberOfThreads(String name) throws IOException {
    Variant variant = Variant.of(name);
    Path checkpoint = variant.write(folder);
    List<Quantity> found = analyse(checkpoint, variant.vocabulary(), 1);
    assertThat(analyse(checkpoint, variant.vocabulary(), 3)).isEqualTo(found);
    assertThat(found).allMatch(each -> Double.isFinite(each.value()));
    assertThat(found)
        .extracting(Quantity::projection)
        .contains("query_key_value", "key", "attention_output");
    assertThat(found)
        .extracting(Quantity::quantity)
        .contains(
            "input_rmse",
            "input_sqnr_db",
            "token_std",
            "input_kurtosis",
            "input_max_over_median",
            "weight_rmse",
            "weight_sqnr_db",
            "weight_kurtosis",
            "spectral_norm",
            "spectral_norm_residual",
            "outliers_6.0",
            "outlier_layers_4.2",
            "outlier_positions_4_sigma",
            "outliers_llm_int8");
  }

  private static SortedSet<Integer> dimensions(
      List<Quantity> found, int layer, String projection, String rule) {
    SortedSet<Integer> dimensions = new TreeSet<>();
    found.stream()
        .filter(each -> each.layer() != null && each.layer() == layer)
        .filter(each -> each.projection().equals(projection))
        .filter(each -> each.quantity().equals("outlier_" + rule))
        .forEach(each -> dimensions.add((int) each.value()));
    return dimensions;
  }

  @Test
  void findsPlantedOutliersAndNoOthers() throws IOException {
    Variant variant = Variant.of("llama-llama3");
    Path plain = variant.write(folder.resolve("plain"));
    OutlierPlanting.Planted planted;
    try (Checkpoint checkpoint = Checkpoint.open(plain)) {
      planted =
          new OutlierPlanting(3, 128, 1).plant(checkpoint, folder.resolve("planted"), line -> {});
    }
    List<Quantity> before = analyse(plain, variant.vocabulary(), 2);
    List<Quantity> after = analyse(folder.resolve("planted"), variant.vocabulary(), 2);
    for (String projection : List.of("query_key_value", "gate_up")) {
      for (String rule : List.of("llm_int8", "6.0", "4.2")) {
        IntStream.range(0, planted.layers())
            .forEach(
                layer -> {
                  assertThat(dimensions(before, layer, projection, rule)).isEmpty();
                  assertThat(dimensions(after, layer, projection, rule))
                      .as("%s %s, layer %s", projection, rule, layer)
                      .containsExactlyElementsOf(planted.channels());
                });
        assertThat(after)
            .contains(
                new Quantity(null, projection, "outliers_" + rule, 3),
                new Quantity(null, projection, "outlier_layers_" + rule, 1));
      }
    }
  }

  /** Planting multiplies gains by the factor and divides weights by it. */
  @Test
  void whatPlantingChangesIsSeen() throws IOException {
    Variant variant = Variant.of("llama-llama3");
    Path plain = variant.write(folder.resolve("plain"));
    try (Checkpoint checkpoint = Checkpoint.open(plain)) {
      new OutlierPlanting(1, 128, 1).plant(checkpoint, folder.resolve("planted"), line -> {});
    }
    List<Quantity> before = analyse(plain, variant.vocabulary(), 2);
    List<Quantity> after = analyse(folder.resolve("planted"), variant.vocabulary(), 2);
    assertThat(value(after, "attention_norm", "gain_std"))
        .isGreaterThan(5 * value(before, "attention_norm", "gain_std"));
    assertThat(value(after, "query_key_value", "input_rmse"))
        .isGreaterThan(20 * value(before, "query_key_value", "input_rmse"));
    assertThat(value(after, "query_key_value", "input_sqnr_db"))
        .as("the other channels share the outlier's step")
        .isLessThan(value(before, "query_key_value", "input_sqnr_db"));
    assertThat(value(after, "query_key_value", "input_max_over_median"))
        .isGreaterThan(20 * value(before, "query_key_value", "input_max_over_median"));
    assertThat(value(after, "attention_output", "input_rmse"))
        .as("what the planting leaves alone")
        .isEqualTo(value(before, "attention_output", "input_rmse"));
  }

  private static double value(List<Quantity> found, String projection, String quantity) {
    return found.stream()
        .filter(each -> each.layer() != null && each.layer() == 0)
        .filter(each -> each.projection().equals(projection) && each.quantity().equals(quantity))
        .findFirst()
        .orElseThrow()
        .value();
  }
}
