package org.cliffwatch.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command that makes what a predictor learns from. */
class PredictTest {
  private static final Path DATA = Path.of("../data/microworld").toAbsolutePath().normalize();

  @TempDir Path folder;

  private int grid() throws IOException {
    Path recipes = folder.resolve("recipes.yaml");
    Files.writeString(
        recipes,
        """
        common:
          half_precision: bf16
          weight_decay: 0.1
          gradient_clipping: 1.0
          dropout: 0.0
          model:
            hidden_size: 32
            num_hidden_layers: 1
            num_attention_heads: 2
            intermediate_size: 64
            rotary_pct: 0.5
            max_position_embeddings: 64
          seed: 1
          steps: 6
          checkpoints: [3, 6]
          batch_size: 4
          sequence_length: 16
          learning_rate: 3.0e-3
          final_learning_rate: 1.0e-4
          warmup_steps: 2
          adam_beta1: 0.9
          adam_beta2: 0.95
          adam_epsilon: 1.0e-8
        recipes:
          - {name: tiny}
        """);
    Path suite = folder.resolve("suite.yaml");
    Files.writeString(
        suite,
        """
        checkpoints:
          - {model: replaced, path: nowhere}
        precisions: [fp32, w8a8, w4]
        calibration: %1$s/calibration.jsonl
        kl: true
        tasks:
          - {task: lambada_openai, data: %1$s/lambada_openai, limit: 12}
          - {task: copa, data: %1$s/copa, limit: 12}
        """
            .formatted(DATA));
    return Commands.run(
        new Predict(),
        new String[] {
          "grid",
          "--recipes",
          recipes.toString(),
          "--suite",
          suite.toString(),
          "--data",
          DATA.toString(),
          "--output",
          folder.resolve("out").toString(),
          "--features",
          folder.resolve("grid.csv").toString()
        });
  }

  private List<Path> files(String under, Predicate<Path> wanted) throws IOException {
    try (Stream<Path> all = Files.walk(folder.resolve("out").resolve(under))) {
      return all.filter(Files::isRegularFile)
          .filter(wanted)
          .sorted(Comparator.naturalOrder())
          .toList();
    }
  }

  @Test
  void aGridGoesOnWhereItEnds() throws IOException {
    assertThat(grid()).isEqualTo(ExitCode.DONE);
    List<String> lines = Files.readAllLines(folder.resolve("grid.csv"));
    List<String> columns = List.of(lines.get(0).split(","));
    assertThat(columns)
        .contains(
            "baseline_nll",
            "weight_bits",
            "all_loss",
            "all_hessian_trace",
            "all_basin_radius",
            "all_rounding_norm",
            "all_rounding_increase_0_5",
            "all_random_increase",
            "down_input_kurtosis",
            "rel_pct",
            "nll_increase",
            "kl");
    assertThat(lines.subList(1, lines.size()))
        .extracting(line -> String.join(" ", List.of(line.split(",")).subList(0, 3)))
        .containsExactly("tiny 3 w4", "tiny 3 w8a8", "tiny 6 w4", "tiny 6 w8a8");
    assertThat(lines).allMatch(line -> line.split(",", -1).length == columns.size());
    int norm = columns.indexOf("all_rounding_norm");
    assertThat(Double.parseDouble(lines.get(1).split(",", -1)[norm]))
        .as("four bits, then eight")
        .isGreaterThan(5 * Double.parseDouble(lines.get(2).split(",", -1)[norm]));

    // What a run that was killed has not written.
    Path kept = files("scores", path -> path.toString().endsWith(".parquet")).get(0);
    Object written = Files.getLastModifiedTime(kept);
    List<Path> lost =
        Stream.of(
                files("analysis/model=tiny/step=6", path -> path.toString().contains("landscape-")),
                files("scores/model=tiny/precision=w4", path -> path.toString().contains("copa")),
                files("degradation", path -> true))
            .flatMap(List::stream)
            .toList();
    assertThat(lost).hasSizeGreaterThan(3);
    for (Path file : lost) {
      Files.delete(file);
    }
    Files.delete(folder.resolve("grid.csv"));
    assertThat(grid()).isEqualTo(ExitCode.DONE);
    assertThat(Files.readAllLines(folder.resolve("grid.csv"))).isEqualTo(lines);
    assertThat(Files.getLastModifiedTime(kept)).isEqualTo(written);
  }

  @Test
  void aCommandIsAsked() {
    assertThat(Commands.run(new Predict(), new String[] {})).isEqualTo(ExitCode.BAD_INPUT);
    assertThat(Commands.run(new Predict(), new String[] {"fit", "--predictor", "p"}))
        .as("of nothing")
        .isEqualTo(ExitCode.BAD_INPUT);
  }
}
