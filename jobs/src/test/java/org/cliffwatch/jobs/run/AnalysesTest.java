package org.cliffwatch.jobs.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.cliffwatch.jobs.TinyWorld;
import org.cliffwatch.jobs.sql.LocalSpark;
import org.cliffwatch.jobs.suite.Suite;
import org.cliffwatch.jobs.suite.SuiteException;
import org.cliffwatch.jobs.suite.SuiteReader;
import org.cliffwatch.jobs.table.AnalysisRow;
import org.cliffwatch.jobs.table.RowFile;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.quantizer.analysis.CheckpointAnalysis;
import org.cliffwatch.quantizer.analysis.Quantity;
import org.cliffwatch.quantizer.calibration.CalibrationText;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.tasks.definition.Tasks;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AnalysesTest {
  private static final int LENGTH = 8;

  private static SparkSession session;

  @TempDir Path folder;
  private final ByteArrayOutputStream log = new ByteArrayOutputStream();

  @BeforeAll
  static void startSpark() {
    session = LocalSpark.start();
  }

  @AfterAll
  static void stopSpark() {
    session.stop();
  }

  @BeforeEach
  void makeWorld() throws IOException {
    TinyWorld.checkpoint(folder.resolve("models/step1"), 1);
    TinyWorld.checkpoint(folder.resolve("models/step2"), 2);
    Files.write(folder.resolve("text.jsonl"), TinyWorld.lambadaLines(40));
    Files.writeString(
        folder.resolve("suite.yaml"),
        """
        checkpoints:
          - {model: tiny, path: "models/step{step}"}
        precisions: [fp32]
        calibration: text.jsonl
        tasks:
          - {task: copa, data: copa.jsonl}
        """);
  }

  private Suite suite(String... sets) {
    return new SuiteReader(Precisions.packaged(), Tasks.builtIn(), Map.of())
        .read(folder.resolve("suite.yaml"), List.of(sets));
  }

  private Analyses.Outcome analyse(boolean fresh, String... sets) {
    return new Analyses(
            JavaSparkContext.fromSparkContext(session.sparkContext()),
            folder.resolve("out").toString(),
            fresh,
            LENGTH,
            new PrintStream(log, true, StandardCharsets.UTF_8))
        .run(suite(sets), List.of());
  }

  private Analyses.Outcome analyseLandscape(String... precisions) {
    return new Analyses(
            JavaSparkContext.fromSparkContext(session.sparkContext()),
            folder.resolve("out").toString(),
            false,
            LENGTH,
            new PrintStream(log, true, StandardCharsets.UTF_8))
        .run(suite(), Stream.of(precisions).map(Precisions.packaged()::named).toList());
  }

  private Tables tables() {
    return new Tables(
        new org.apache.hadoop.fs.Path(folder.resolve("out").toString()), new Configuration());
  }

  private List<AnalysisRow> rows(long step) {
    List<RowFile> files = tables().analyses("tiny", step);
    assertThat(files).hasSize(1);
    return files.get(0).read(Tables.ANALYSIS);
  }

  @Test
  void rowsAreWhatIsFoundWithoutSpark() throws IOException {
    assertThat(analyse(false)).isEqualTo(new Analyses.Outcome(2, 0, Map.of()));
    List<AnalysisRow> rows = rows(2);
    List<Quantity> expected;
    try (Checkpoint checkpoint = Checkpoint.open(folder.resolve("models/step2"))) {
      expected =
          CheckpointAnalysis.of(
              checkpoint,
              CalibrationText.read(
                  "text.jsonl", Files.newInputStream(folder.resolve("text.jsonl"))),
              LENGTH,
              Backends.openKernel(rows.get(0).kernel()),
              1,
              1,
              share -> {});
    }
    assertThat(rows)
        .extracting(row -> new Quantity(row.layer(), row.projection(), row.quantity(), row.value()))
        .isEqualTo(expected);
    assertThat(rows).extracting(AnalysisRow::identity).containsOnly(rows.get(0).identity());
    assertThat(rows(1).get(0).identity()).isNotEqualTo(rows.get(0).identity());
  }

  @Test
  void whatIsThereIsNotMadeAgain() throws IOException {
    analyse(false);
    List<AnalysisRow> before = rows(1);
    assertThat(analyse(false)).isEqualTo(new Analyses.Outcome(0, 2, Map.of()));
    assertThat(analyse(true)).isEqualTo(new Analyses.Outcome(2, 0, Map.of()));
    assertThat(rows(1)).isEqualTo(before);

    TinyWorld.checkpoint(folder.resolve("models/step1"), 3);
    assertThat(analyse(false))
        .as("one was replaced")
        .isEqualTo(new Analyses.Outcome(1, 1, Map.of()));
    assertThat(rows(1)).isNotEqualTo(before);

    Files.write(folder.resolve("text.jsonl"), TinyWorld.lambadaLines(30));
    assertThat(analyse(false).analysed()).as("another text").isEqualTo(2);
    assertThat(analyse(false, "seed=2").analysed()).as("another seed").isEqualTo(2);
  }

  /** Beside the layers' file, which stays; another precision is another landscape. */
  @Test
  void aLandscapeIsAFileOfItsOwn() {
    analyse(false);
    List<AnalysisRow> layers = rows(1);
    assertThat(analyseLandscape("w4", "gptq-w4-g128"))
        .isEqualTo(new Analyses.Outcome(2, 0, Map.of()));
    assertThat(log.toString(StandardCharsets.UTF_8))
        .contains(
            "warning: gptq-w4-g128: found a precision that is calibrated, its landscape is left out");
    assertThat(tables().analyses("tiny", 1)).hasSize(2);
    List<AnalysisRow> landscape = landscape(1);
    assertThat(landscape)
        .extracting(AnalysisRow::quantity)
        .contains("loss", "basin_radius", "rounding_increase_0.5", "random_increase")
        .doesNotContain("hessian_trace");
    assertThat(landscape).extracting(AnalysisRow::precision).containsOnly(null, "w4");
    assertThat(analyseLandscape("w4")).isEqualTo(new Analyses.Outcome(0, 2, Map.of()));
    assertThat(analyse(false)).isEqualTo(new Analyses.Outcome(0, 2, Map.of()));

    assertThat(analyseLandscape("w4", "w8")).isEqualTo(new Analyses.Outcome(2, 0, Map.of()));
    assertThat(landscape(1)).extracting(AnalysisRow::precision).contains("w4", "w8");
    assertThat(landscape(1)).containsAll(landscape);
    assertThat(tables().analyses("tiny", 1)).hasSize(2);
    assertThat(
            tables().analyses("tiny", 1).stream()
                .filter(file -> !file.path().getName().startsWith("landscape-"))
                .findFirst()
                .orElseThrow()
                .read(Tables.ANALYSIS))
        .isEqualTo(layers);
  }

  private List<AnalysisRow> landscape(long step) {
    return tables().analyses("tiny", step).stream()
        .filter(file -> file.path().getName().startsWith("landscape-"))
        .findFirst()
        .orElseThrow()
        .read(Tables.ANALYSIS);
  }

  @Test
  void whatCannotBeAnalysedFailsAlone() throws IOException {
    Files.writeString(folder.resolve("models/step2/config.json"), "{}");
    Analyses.Outcome outcome = analyse(false);
    assertThat(outcome.analysed()).isEqualTo(1);
    assertThat(outcome.refusals()).hasSize(1);
    assertThat(outcome.refusals().keySet()).extracting("step").containsExactly(2L);
    assertThat(outcome.refusals().values().iterator().next()).contains("config.json");
    assertThat(log.toString(StandardCharsets.UTF_8)).contains("warning: tiny step 2: ");
  }

  @Test
  void tooLittleTextIsSaid() throws IOException {
    Files.writeString(folder.resolve("text.jsonl"), "{\"text\": \"a\"}\n");
    assertThat(analyse(false).refusals().values())
        .hasSize(2)
        .allMatch(why -> why.contains("found text for 0 samples of 8 tokens"));
  }

  @Test
  void aSuiteWithoutTextIsRefused() throws IOException {
    Path file = folder.resolve("suite.yaml");
    Files.writeString(file, Files.readString(file).replace("calibration: text.jsonl\n", ""));
    assertThatThrownBy(() -> analyse(false))
        .isInstanceOf(SuiteException.class)
        .hasMessageContaining("found no text to analyse with");
  }
}
