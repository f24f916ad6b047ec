package org.cliffwatch.jobs.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.withinPercentage;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.cliffwatch.jobs.ExitCode;
import org.cliffwatch.jobs.TinyWorld;
import org.cliffwatch.jobs.aggregate.SliceResult;
import org.cliffwatch.jobs.plan.Estimate;
import org.cliffwatch.jobs.sql.LocalSpark;
import org.cliffwatch.jobs.suite.Suite;
import org.cliffwatch.jobs.suite.SuiteException;
import org.cliffwatch.jobs.suite.SuiteReader;
import org.cliffwatch.jobs.table.ScoreRow;
import org.cliffwatch.jobs.table.StoredCell;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.quantizer.calibration.CalibrationText;
import org.cliffwatch.quantizer.calibration.CheckpointCalibration;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.scheme.Findings;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.quantizer.scheme.Schemes;
import org.cliffwatch.quantizer.score.BosRule;
import org.cliffwatch.quantizer.score.Request;
import org.cliffwatch.quantizer.score.Score;
import org.cliffwatch.quantizer.score.Scorer;
import org.cliffwatch.tasks.definition.Tasks;
import org.cliffwatch.tasks.item.Item;
import org.cliffwatch.tasks.item.ItemRecord;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Suites with precisions that look at text. */
class CalibrationsTest {
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
    TinyWorld.checkpoint(folder.resolve("tiny"), 1);
    Files.write(folder.resolve("copa.jsonl"), TinyWorld.copaLines(5));
    Files.write(folder.resolve("lambada.jsonl"), TinyWorld.lambadaLines(40));
    write(TinyWorld.lambadaLines(40));
    Files.writeString(
        folder.resolve("suite.yaml"),
        """
        checkpoints:
          - {model: tiny, path: tiny}
        precisions:
          - fp32
          - {name: smooth, scheme: smoothquant, weight_bits: 8, activation_bits: 8,
             compute: float32, calibration_length: 8}
          - {name: static, scheme: fp8, weight_bits: 8, activation_bits: 8, compute: float32,
             activation_scheme: static, calibration_length: 8}
        calibration: text.jsonl
        tasks:
          - {task: copa, data: copa.jsonl}
        """);
  }

  private void write(List<String> text) throws IOException {
    Files.write(folder.resolve("text.jsonl"), text);
  }

  private Suite suite(String... sets) {
    return new SuiteReader(Precisions.packaged(), Tasks.builtIn(), Map.of())
        .read(folder.resolve("suite.yaml"), List.of(sets));
  }

  private Evaluation.Outcome evaluate(String... sets) {
    log.reset();
    return evaluation(sets).run();
  }

  private Evaluation evaluation(String... sets) {
    return new Evaluation(
        JavaSparkContext.fromSparkContext(session.sparkContext()),
        suite(sets),
        folder.resolve("out").toString(),
        false,
        new PrintStream(log, true, StandardCharsets.UTF_8));
  }

  private Estimate.Calibration estimate(String... sets) {
    Evaluation evaluation = evaluation(sets);
    return evaluation.estimate(evaluation.plan()).calibration();
  }

  /** By how often the text is expected to go through the checkpoint. */
  @Test
  void estimatesTellWhatCalibrationTakes() {
    Estimate.Calibration usual = estimate();
    assertThat(usual.passes()).isEqualTo(1);
    assertThat(usual.seconds()).isPositive();
    String gptq =
        "{name: gptq, scheme: gptq, weight_bits: 4, activation_bits: 32, compute: float32,"
            + " calibration_length: 8, group: -1%s}";
    Estimate.Calibration blocks = estimate("precisions=[fp32, " + gptq.formatted("") + "]");
    assertThat(blocks.passes()).isEqualTo(1);
    assertThat(blocks.seconds()).isCloseTo(2 * usual.seconds(), withinPercentage(1));
    Estimate.Calibration layers =
        estimate("precisions=[fp32, " + gptq.formatted(", true_sequential: true") + "]");
    assertThat(layers.seconds()).isCloseTo(5 * usual.seconds(), withinPercentage(1));
    evaluate();
    assertThat(estimate()).isEqualTo(new Estimate.Calibration(0, 0));
  }

  private List<Path> files() throws IOException {
    try (Stream<Path> files = Files.list(folder.resolve("out/calibration"))) {
      return files.toList();
    }
  }

  private List<ScoreRow> scores(Evaluation.Outcome outcome, String precision) {
    StoredCell cell =
        outcome.plan().cells().stream()
            .filter(each -> each.precision().name().equals(precision))
            .findFirst()
            .orElseThrow()
            .stored();
    return new Tables(
            new org.apache.hadoop.fs.Path(folder.resolve("out").toString()), new Configuration())
        .scores(cell)
        .read(Tables.SCORES);
  }

  @Test
  void precisionsAreCalibratedOnceAndScoredWithWhatWasFound() throws IOException {
    Evaluation.Outcome outcome = evaluate();
    assertThat(outcome.exitCode()).isEqualTo(ExitCode.DONE);
    assertThat(log.toString(StandardCharsets.UTF_8))
        .contains("calibrating 2 precisions in 1 pass over checkpoints");
    assertThat(files()).hasSize(2);
    for (Precision precision : outcome.plan().suite().precisions()) {
      assertThat(loglikelihoods(scores(outcome, precision.name())))
          .as(precision.name())
          .isEqualTo(direct(outcome, precision));
    }
    assertThat(evaluate().exitCode()).isEqualTo(ExitCode.DONE);
    assertThat(log.toString(StandardCharsets.UTF_8))
        .contains("3 of 3 cells are committed already")
        .doesNotContain("calibrating");
  }

  private static List<Double> loglikelihoods(List<ScoreRow> rows) {
    return rows.stream()
        .flatMap(row -> row.choices().stream())
        .map(ScoreRow.Choice::loglikelihood)
        .toList();
  }

  /** Without Spark, of the plan's items. */
  private List<Double> direct(Evaluation.Outcome outcome, Precision precision) throws IOException {
    List<Request> requests = new ArrayList<>();
    for (ItemRecord record : outcome.plan().tasks().get(0).set().records()) {
      ((Item) record)
          .requests()
          .forEach(each -> requests.add(new Request.Text(each.context(), each.continuation())));
    }
    Backend backend = Backends.openKernel(outcome.plan().kernel());
    try (Checkpoint checkpoint = Checkpoint.open(folder.resolve("tiny"))) {
      Findings findings = null;
      if (Schemes.isCalibrated(precision)) {
        CalibrationText text =
            CalibrationText.read("text.jsonl", Files.newInputStream(folder.resolve("text.jsonl")));
        findings =
            new CheckpointCalibration(checkpoint, List.of(precision), text, backend)
                .find(1, share -> {})
                .get(precision);
      }
      try (Scorer scorer = Scorer.open(checkpoint, precision, findings, backend, BosRule.AUTO, 1)) {
        return scorer.score(requests, 0).stream().map(Score::logLikelihood).toList();
      }
    }
  }

  @Test
  void anotherTextIsAnotherPrecision() throws IOException {
    evaluate();
    write(TinyWorld.lambadaLines(39));
    assertThat(evaluate().exitCode()).isEqualTo(ExitCode.DONE);
    assertThat(log.toString(StandardCharsets.UTF_8)).contains("1 of 3 cells are committed already");
    assertThat(files()).hasSize(4);
  }

  @Test
  void whatTextDoesNotSufficeForFailsItsCellsAlone() throws IOException {
    write(List.of("{\"text\": \"short\"}"));
    Evaluation.Outcome outcome = evaluate();
    assertThat(outcome.exitCode()).isEqualTo(ExitCode.CELLS_FAILED);
    assertThat(
            outcome.results().stream()
                .flatMap(result -> result.failures().stream())
                .map(SliceResult.Failure::error))
        .hasSize(2)
        .allMatch(
            reason ->
                reason.contains("text.jsonl: found text for 0 samples of 8 tokens, expected 1"));
    assertThat(scores(outcome, "fp32")).hasSize(5);
  }

  @Test
  void textThatIsNotNamedOrNotThereIsAskedFor() throws IOException {
    assertThatThrownBy(() -> evaluate("calibration=other.jsonl"))
        .isInstanceOf(SuiteException.class)
        .hasMessageStartingWith("calibration: cannot read " + folder.resolve("other.jsonl"));
    Files.writeString(
        folder.resolve("suite.yaml"),
        Files.readString(folder.resolve("suite.yaml")).replace("calibration: text.jsonl\n", ""));
    assertThatThrownBy(this::evaluate)
        .isInstanceOf(SuiteException.class)
        .hasMessage(
            folder.resolve("suite.yaml")
                + ": precision smooth: found no calibration text, expected 'calibration: FILE' (or"
                + " --calibration FILE)");
    assertThat(folder.resolve("out/calibration")).doesNotExist();
  }
}
