package org.cliffwatch.jobs.run;

import static org.assertj.core.api.Assertions.as;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;
import static org.assertj.core.api.InstanceOfAssertFactories.STRING;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.cliffwatch.jobs.ExitCode;
import org.cliffwatch.jobs.TinyWorld;
import org.cliffwatch.jobs.aggregate.SliceResult;
import org.cliffwatch.jobs.plan.Cell;
import org.cliffwatch.jobs.plan.Estimate;
import org.cliffwatch.jobs.present.Summary;
import org.cliffwatch.jobs.sql.LocalSpark;
import org.cliffwatch.jobs.suite.Suite;
import org.cliffwatch.jobs.suite.SuiteException;
import org.cliffwatch.jobs.suite.SuiteReader;
import org.cliffwatch.jobs.table.CheckpointRow;
import org.cliffwatch.jobs.table.DegradationRow;
import org.cliffwatch.jobs.table.MetricRow;
import org.cliffwatch.jobs.table.ScoreRow;
import org.cliffwatch.jobs.table.StoredCell;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.jobs.table.Tables.Slice;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.tasks.definition.Tasks;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The whole flow in this process, on a model of random weights. */
class EvaluationTest {
  private static final int ITEMS = 23;

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
    Files.write(folder.resolve("copa.jsonl"), TinyWorld.copaLines(ITEMS));
    Files.write(folder.resolve("lambada.jsonl"), TinyWorld.lambadaLines(ITEMS));
    Files.writeString(
        folder.resolve("suite.yaml"),
        """
        checkpoints:
          - {model: 2024, path: tiny}
        precisions: [fp32, w8a8]
        tasks:
          - {task: copa, data: copa.jsonl}
          - {task: lambada_openai, data: lambada.jsonl}
        """);
  }

  private Evaluation.Outcome evaluate(String output, boolean fresh, String... sets) {
    return evaluation(output, fresh, sets).run();
  }

  private Evaluation evaluation(String output, boolean fresh, String... sets) {
    Suite suite =
        new SuiteReader(Precisions.packaged(), Tasks.builtIn(), Map.of())
            .read(folder.resolve("suite.yaml"), List.of(sets));
    log.reset();
    return new Evaluation(
        JavaSparkContext.fromSparkContext(session.sparkContext()),
        suite,
        folder.resolve(output).toString(),
        fresh,
        new PrintStream(log, true, StandardCharsets.UTF_8));
  }

  private Tables tables(String output) {
    return new Tables(
        new org.apache.hadoop.fs.Path(folder.resolve(output).toString()), new Configuration());
  }

  private List<ScoreRow> scores(String output, String precision, String task) {
    return tables(output).scores(cell(output, precision, task)).read(Tables.SCORES);
  }

  /** The one cell in its place. */
  private StoredCell cell(String output, String precision, String task) {
    List<StoredCell> cells =
        tables(output).storedCells("2024", precision).stream()
            .filter(cell -> cell.task().equals(task))
            .toList();
    assertThat(cells).hasSize(1);
    return cells.get(0);
  }

  private List<MetricRow> metrics(String output) {
    return metrics(output, "2024");
  }

  private List<MetricRow> metrics(String output, String model) {
    return tables(output).metrics(model).read(Tables.METRICS);
  }

  /** Contents of every table file but {@code runs}, by path. */
  private Map<String, Integer> files(String output) {
    Path root = folder.resolve(output);
    try (Stream<Path> files = Files.walk(root)) {
      return files
          .filter(Files::isRegularFile)
          .filter(file -> !root.relativize(file).startsWith("runs"))
          .collect(
              Collectors.toMap(
                  file -> root.relativize(file).toString(),
                  EvaluationTest::content,
                  (a, b) -> a,
                  TreeMap::new));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static int content(Path file) {
    try {
      return Arrays.hashCode(Files.readAllBytes(file));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void writesEveryTable() {
    Evaluation.Outcome outcome = evaluate("out", false);
    assertThat(outcome.exitCode()).isEqualTo(ExitCode.DONE);
    assertThat(metrics("out").stream().map(MetricRow::metric))
        .containsExactly("acc", "perplexity", "acc", "acc", "perplexity", "acc");
    assertThat(scores("out", "fp32", "copa")).hasSize(ITEMS).allMatch(ScoreRow::isOk);
    assertThat(files("out").keySet())
        .anyMatch(name -> name.startsWith("scores/model=%32024/precision=w8a8/step=0/task=copa/"))
        .contains(
            "metrics/model=%32024/metrics.parquet",
            "degradation/model=%32024/degradation.parquet",
            "checkpoints/model=%32024/checkpoints.parquet")
        .noneMatch(name -> name.startsWith(".staging"));
    assertThat(tables("out").degradation("2024").read(Tables.DEGRADATION))
        .extracting(DegradationRow::precision, DegradationRow::task, DegradationRow::metric)
        .containsExactly(
            tuple("w8a8", "copa", "acc"),
            tuple("w8a8", "lambada_openai", "perplexity"),
            tuple("w8a8", "lambada_openai", "acc"),
            tuple("w8a8", "mean", "acc"),
            tuple("w8a8", "mean", "perplexity"));
    CheckpointRow checkpoint = tables("out").checkpoints("2024").read(Tables.CHECKPOINTS).get(0);
    assertThat(checkpoint.bytes()).as("float32").isEqualTo(Float.BYTES * checkpoint.parameters());
    assertThat(outcome.results())
        .extracting(SliceResult::slice)
        .containsExactly(new Slice("2024", "fp32", 0), new Slice("2024", "w8a8", 0));
  }

  @Test
  void aTaskInLmEvaluationHarnesssYamlIsATaskLikeOurs() throws IOException {
    Files.createDirectory(folder.resolve("own"));
    Files.writeString(
        folder.resolve("own/why.yaml"),
        """
        task: why
        dataset_path: json
        output_type: multiple_choice
        test_split: test
        doc_to_text: "{{ premise.strip()[:-1] }} {{ 'because' if question == 'cause' else 'therefore' }}"
        doc_to_choice: "{{ [' ' + choice1[0].lower() + choice1[1:], ' ' + choice2[0].lower() + choice2[1:]] }}"
        doc_to_target: label
        metric_list: [{metric: acc}]
        """);
    Files.writeString(
        folder.resolve("suite.yaml"),
        Files.readString(folder.resolve("suite.yaml"))
            + "  - {task: why, data: copa.jsonl}\ntasks_path: own\n");
    assertThat(evaluate("out", false).exitCode()).isEqualTo(ExitCode.DONE);
    List<ScoreRow> ours = scores("out", "w8a8", "copa");
    List<ScoreRow> theirs = scores("out", "w8a8", "why");
    assertThat(theirs).hasSize(ITEMS).allMatch(ScoreRow::isOk);
    for (int i = 0; i < ITEMS; i++) {
      assertThat(theirs.get(i).choices()).isEqualTo(ours.get(i).choices());
      assertThat(theirs.get(i).docHash()).isEqualTo(ours.get(i).docHash());
    }
    assertThat(metrics("out").stream().map(MetricRow::task)).contains("why");
  }

  @Test
  void aChatModelIsAskedByItsTemplate() throws IOException {
    Path config = folder.resolve("tiny/tokenizer_config.json");
    String tokenizer = Files.exists(config) ? Files.readString(config) : "{}";
    String template =
        "{% for m in messages %}{{ m.role + ': ' + m.content + ' ' }}{% endfor %}"
            + "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}";
    Files.writeString(
        config,
        tokenizer.replaceFirst(
            "\\{",
            "{\"chat_template\": \"" + template + "\"" + (tokenizer.length() > 4 ? "," : "")));
    Files.createDirectory(folder.resolve("own"));
    String choices =
        """
        output_type: multiple_choice
        test_split: test
        doc_to_choice: "{{ [choice1, choice2] }}"
        doc_to_target: label
        metric_list: [{metric: acc}]
        """;
    Files.writeString(
        folder.resolve("own/plain.yaml"), "task: plain\ndoc_to_text: premise\n" + choices);
    Files.writeString(
        folder.resolve("own/written_out.yaml"),
        "task: written_out\ndoc_to_text: 'system: Be brief. user: {{ premise }} assistant: '\n"
            + "target_delimiter: ''\n"
            + choices);
    Files.writeString(
        folder.resolve("suite.yaml"),
        """
        checkpoints: [{model: 2024, path: tiny}]
        precisions: [fp32]
        tasks: [{task: plain, data: copa.jsonl}, {task: written_out, data: copa.jsonl}]
        tasks_path: own
        self_check: 1
        """);
    evaluate("out", false);
    List<ScoreRow> written = scores("out", "fp32", "written_out");
    String plainId = cell("out", "fp32", "plain").id();
    evaluate("chat", false, "apply_chat_template=true", "system_instruction='Be brief.'");
    List<ScoreRow> chat = scores("chat", "fp32", "plain");
    for (int i = 0; i < ITEMS; i++) {
      assertThat(chat.get(i).choices()).isEqualTo(written.get(i).choices());
    }
    assertThat(cell("chat", "fp32", "plain").id()).isNotEqualTo(plainId);
    assertThat(metrics("chat").get(0).comparableKey())
        .isNotEqualTo(metrics("out").get(0).comparableKey());
    assertThat(metrics("chat").get(0).comparableParts())
        .contains("chat template ")
        .contains("system instruction ");
    String[] shots = {"apply_chat_template=true", "num_fewshot=1", "fewshot_data=copa.jsonl", ""};
    shots[3] = "fewshot_as_multiturn=true";
    evaluate("turns", false, shots);
    shots[3] = "fewshot_as_multiturn=false";
    evaluate("turn", false, shots);
    assertThat(scores("turns", "fp32", "plain").get(0).choices())
        .isNotEqualTo(scores("turn", "fp32", "plain").get(0).choices());
    assertThat(metrics("turn").get(0).comparableParts()).contains(", shots in one turn");
    assertThat(metrics("turn").get(0).comparableKey())
        .isNotEqualTo(metrics("turns").get(0).comparableKey());
    Files.writeString(config, tokenizer);
    Evaluation.Outcome none = evaluate("none", false, "apply_chat_template=true");
    assertThat(none.exitCode()).isEqualTo(ExitCode.CELLS_FAILED);
    assertThat(metrics("none").get(0).error()).contains("tiny: found no chat template");
  }

  @Test
  void asSecondTimeNothingIsScoredAndNothingChanges() {
    evaluate("out", false);
    Map<String, Integer> before = files("out");
    Evaluation.Outcome again = evaluate("out", false);
    assertThat(files("out")).isEqualTo(before);
    assertThat(again.results()).hasSize(2).allMatch(result -> result.value() != null);
    assertThat(log.toString(StandardCharsets.UTF_8)).contains("4 of 4 cells are committed already");
  }

  @Test
  void shotsAreAnotherCellAndSaidSo() throws IOException {
    evaluate("out", false);
    String zeroShot = cell("out", "fp32", "copa").id();
    assertThat(metrics("out").get(0).comparableParts()).contains(", shots 0, bos auto,");
    Files.write(folder.resolve("train.jsonl"), TinyWorld.copaLines(ITEMS));
    evaluate("out", false, "tasks.0.num_fewshot=1");
    assertThat(log.toString(StandardCharsets.UTF_8))
        .contains("copa: 1 shot of split train, " + folder.resolve("train.jsonl") + " sha256 ");
    assertThat(metrics("out").get(0).comparableParts())
        .contains(", shots 1-default-1234, bos auto,");
    assertThat(cell("out", "fp32", "copa").id()).isNotEqualTo(zeroShot);
    assertThat(evaluation("out", false).plan().cells())
        .as("the task without shots is not scored again")
        .filteredOn(planned -> planned.task().equals("lambada_openai"))
        .allMatch(Cell::committed);
    evaluate("out", false, "num_fewshot=0");
    assertThat(cell("out", "fp32", "copa").id()).isEqualTo(zeroShot);
  }

  @Test
  void onlyWhatIsMissingIsScored() throws IOException {
    evaluate("out", false);
    Map<String, Integer> before = files("out");
    Files.delete(Path.of(tables("out").scores(cell("out", "fp32", "copa")).path().toString()));
    evaluate("out", false);
    assertThat(log.toString(StandardCharsets.UTF_8))
        .contains("3 of 4 cells are committed already")
        .contains("1 of 1 cells");
    Map<String, Integer> after = files("out");
    after.keySet().removeIf(name -> name.startsWith("metrics")); // they hold a rate
    before.keySet().removeIf(name -> name.startsWith("metrics"));
    assertThat(after).isEqualTo(before);
  }

  @Test
  void shardsDoNotShow() {
    evaluate("one", false, "shard_items=" + ITEMS);
    for (int size : new int[] {1, 4, 12}) {
      evaluate("by" + size, false, "shard_items=" + size);
      for (String precision : List.of("fp32", "w8a8")) {
        for (String task : List.of("copa", "lambada_openai")) {
          assertThat(scores("by" + size, precision, task))
              .isEqualTo(scores("one", precision, task));
        }
      }
    }
  }

  @Test
  void orderDoesNotShow() throws IOException {
    evaluate("ordered", false);
    List<String> lines = new ArrayList<>(TinyWorld.copaLines(ITEMS));
    Collections.shuffle(lines, new Random(3));
    Files.write(folder.resolve("copa.jsonl"), lines);
    evaluate("shuffled", false);
    for (String precision : List.of("fp32", "w8a8")) {
      assertThat(byDocument(scores("shuffled", precision, "copa")))
          .isEqualTo(byDocument(scores("ordered", precision, "copa")));
    }
  }

  private static Map<String, List<ScoreRow.Choice>> byDocument(List<ScoreRow> rows) {
    return rows.stream().collect(Collectors.toMap(ScoreRow::docHash, ScoreRow::choices));
  }

  @Test
  void replicasAreRowsAndASpread() {
    evaluate("out", false, "replicas=3");
    assertThat(scores("out", "w8a8", "copa")).hasSize(3 * ITEMS);
    assertThat(metrics("out")).allSatisfy(row -> assertThat(row.replicas()).isEqualTo(3));
    MetricRow perplexity =
        metrics("out").stream()
            .filter(row -> row.metric().equals("perplexity"))
            .reduce((a, b) -> b)
            .orElseThrow();
    assertThat(perplexity.roundingSd()).isPositive();
  }

  /** What a run takes is told by what runs before it took. */
  @Test
  void estimatesAreCorrectedByWhatWasMeasured() {
    Estimate before = estimate("out");
    assertThat(before.measured()).isFalse();
    assertThat(before.tokens()).as("4 cells of %d items", ITEMS).isBetween(400.0, 40_000.0);
    assertThat(before.read()).isPositive();
    assertThat(before.modelBytes()).isPositive();
    evaluate("out", false);
    assertThat(estimate("out").seconds()).as("nothing is left").isZero();
    double taken =
        metrics("out").stream()
            .collect(
                Collectors.toMap(
                    MetricRow::cellId,
                    row -> row.items() / row.itemsPerSecond(),
                    (one, same) -> one))
            .values()
            .stream()
            .mapToDouble(Double::doubleValue)
            .sum();
    Estimate again = estimate("out", "seed=2", "replicas=100");
    assertThat(again.measured()).isTrue();
    assertThat(again.seconds()).as("two slots").isCloseTo(100 * taken / 2, withinPercentage(20));
  }

  private Estimate estimate(String output, String... sets) {
    Evaluation evaluation = evaluation(output, false, sets);
    return evaluation.estimate(evaluation.plan());
  }

  @Test
  void divergencesAreMetricsOfThePrecisionsThatAreCompared() {
    evaluate("plain", false);
    evaluate("out", false, "kl=true", "shard_items=4");
    assertThat(scores("out", "fp32", "copa")).isEqualTo(scores("plain", "fp32", "copa"));
    assertThat(metrics("out").stream().map(row -> row.precision() + " " + row.metric()))
        .containsExactly(
            "fp32 acc",
            "fp32 perplexity",
            "fp32 acc",
            "w8a8 acc",
            "w8a8 kl",
            "w8a8 top1_agreement",
            "w8a8 perplexity",
            "w8a8 acc",
            "w8a8 kl",
            "w8a8 top1_agreement");
    assertThat(tables("out").degradation("2024").read(Tables.DEGRADATION))
        .usingRecursiveFieldByFieldElementComparatorIgnoringFields("cellId")
        .isEqualTo(tables("plain").degradation("2024").read(Tables.DEGRADATION));
    List<ScoreRow.Choice> choices =
        scores("out", "w8a8", "copa").stream().flatMap(row -> row.choices().stream()).toList();
    assertThat(choices)
        .usingRecursiveFieldByFieldElementComparatorIgnoringFields("kl", "top1Agreed")
        .isEqualTo(
            scores("plain", "w8a8", "copa").stream()
                .flatMap(row -> row.choices().stream())
                .toList());
    double tokens = choices.stream().mapToInt(ScoreRow.Choice::tokens).sum();
    double kl = choices.stream().mapToDouble(ScoreRow.Choice::kl).sum() / tokens;
    double agreement = choices.stream().mapToInt(ScoreRow.Choice::top1Agreed).sum() / tokens;
    MetricRow divergence = metrics("out").get(4);
    assertThat(divergence.value()).isCloseTo(kl, within(1e-12)).isPositive();
    assertThat(divergence.ciLow()).isLessThan(divergence.value());
    assertThat(divergence.ciHigh()).isGreaterThan(divergence.value());
    assertThat(divergence.stderr()).isPositive();
    assertThat(divergence.items()).isEqualTo(ITEMS);
    assertThat(metrics("out").get(5).value())
        .isCloseTo(agreement, within(1e-12))
        .isBetween(0.01, 0.9999);

    Map<String, Integer> before = files("out");
    evaluate("out", false, "kl=true");
    assertThat(files("out")).isEqualTo(before);
    evaluate("out", false);
    assertThat(log.toString(StandardCharsets.UTF_8)).contains("2 of 4 cells are committed already");
    assertThat(metrics("out").stream().map(MetricRow::metric)).doesNotContain("kl");
  }

  @Test
  void anItemThatCannotBeReadIsAnErrorOrWhereAllowedARow() throws IOException {
    List<String> lines = new ArrayList<>(TinyWorld.copaLines(ITEMS));
    lines.set(5, "{\"premise\": ");
    Files.write(folder.resolve("copa.jsonl"), lines);
    assertThatThrownBy(() -> evaluate("out", false))
        .isInstanceOf(SuiteException.class)
        .hasMessageContaining("copa.jsonl")
        .hasMessageContaining("line 6")
        .hasMessageContaining("expected at most 0 items that cannot be read");

    Evaluation.Outcome allowed = evaluate("out", false, "max_rejected_items=1");
    assertThat(allowed.exitCode()).isEqualTo(ExitCode.DONE);
    assertThat(metrics("out").get(0).items()).isEqualTo(ITEMS - 1L);
    assertThat(metrics("out").get(0).failed()).isEqualTo(1);
    ScoreRow rejected = scores("out", "fp32", "copa").get(5);
    assertThat(rejected.status()).isEqualTo("error");
    assertThat(rejected.error()).contains("copa.jsonl").contains("line 6");
  }

  @Test
  void anItemThatCannotBeScoredFailsTheCellUnlessAllowed() throws IOException {
    List<String> lines = new ArrayList<>(TinyWorld.copaLines(ITEMS));
    lines.set(5, lines.get(5).replace("It was day", "It was " + "long ".repeat(80)));
    Files.write(folder.resolve("copa.jsonl"), lines);
    Evaluation.Outcome outcome = evaluate("out", false);
    assertThat(outcome.exitCode()).isEqualTo(ExitCode.CELLS_FAILED);
    MetricRow failed = metrics("out").get(0);
    assertThat(failed.value()).isNull();
    assertThat(Summary.failures(outcome.results()))
        .singleElement(as(STRING))
        .startsWith("failed: 2024 fp32 copa, w8a8 copa: ");
    assertThat(failed.error())
        .contains("max_rejected_items allows 0")
        .contains("item 5")
        .contains("window");

    Evaluation.Outcome allowed = evaluate("out", false, "max_rejected_items=1");
    assertThat(allowed.exitCode()).isEqualTo(ExitCode.DONE);
    assertThat(metrics("out").get(0).items()).isEqualTo(ITEMS - 1L);
    assertThat(scores("out", "fp32", "copa").get(5).status()).isEqualTo("error");
  }

  @Test
  void warnsOfWhatMakesNumbersLessComparable() throws IOException {
    List<String> lines = new ArrayList<>(TinyWorld.copaLines(ITEMS));
    String twice = "the same end";
    lines.set(3, lines.get(3).replaceAll("(\"choice[12]\": )\"[^\"]*\"", "$1\"" + twice + "\""));
    lines.set(7, lines.get(7).replace("The lamp", "The lamp " + "very ".repeat(80)));
    Files.write(folder.resolve("copa.jsonl"), lines);
    evaluate("out", false, "bos=always");
    assertThat(log.toString(StandardCharsets.UTF_8))
        .contains("fp32 copa: BOS mismatch")
        .contains(
            "1 of 23 items have a tie for the likeliest choice, which the first of them wins; item 3")
        .contains(
            "1 of 23 items lost the left end of their context to fit the model's window; item 7");
  }

  /** Its cells are rows with its message, and the others are scored. */
  @Test
  void oneUnreadableCheckpointFailsAlone() throws IOException {
    evaluate("out", false);
    Map<String, Integer> before = files("out");
    byte[] whole = Files.readAllBytes(folder.resolve("tiny/model.safetensors"));
    for (String name : List.of("cut", "other")) {
      TinyWorld.checkpoint(folder.resolve(name), 3);
    }
    Files.write(folder.resolve("cut/model.safetensors"), Arrays.copyOf(whole, whole.length - 100));
    Files.writeString(folder.resolve("other/config.json"), "{\"model_type\": \"unknown\"}");
    Files.writeString(
        folder.resolve("suite.yaml"),
        Files.readString(folder.resolve("suite.yaml"))
            .replace(
                "path: tiny}",
                "path: tiny}\n  - {model: cut, path: cut}\n  - {model: other, path: other}"));
    Evaluation.Outcome outcome = evaluate("out", false);
    assertThat(outcome.exitCode()).isEqualTo(ExitCode.CELLS_FAILED);
    assertThat(metrics("out")).hasSize(6).allMatch(row -> row.value() != null);
    for (String name : List.of("cut", "other")) {
      assertThat(metrics("out", name))
          .hasSize(6)
          .allSatisfy(row -> assertThat(row.value()).isNull())
          .allSatisfy(row -> assertThat(row.error()).contains(name + "/"));
    }
    assertThat(
            Stream.of("2024", "cut", "other")
                .flatMap(name -> metrics("out", name).stream())
                .map(MetricRow::cellId)
                .distinct())
        .hasSize(12);
    assertThat(outcome.plan().warnings()).hasSize(2);
    assertThat(log.toString(StandardCharsets.UTF_8))
        .contains("warning: cut: ")
        .contains("warning: other: ")
        .contains("4 of 12 cells are committed already");
    assertThat(Summary.failures(outcome.results()))
        .hasSize(2)
        .allMatch(line -> line.contains("fp32 copa, fp32 lambada_openai, w8a8 copa"));
    Map<String, Integer> after = files("out");
    after.keySet().removeIf(name -> name.contains("model=cut") || name.contains("model=other"));
    assertThat(after).as("what is committed stays").isEqualTo(before);

    Files.write(folder.resolve("tiny/model.safetensors"), new byte[] {1, 2, 3});
    assertThatThrownBy(() -> evaluate("out", false))
        .as("all of them: nothing to score")
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("tiny/model.safetensors")
        .hasMessageContaining("(and 2 more checkpoints that cannot be read)");
  }

  @Test
  void aChangedCheckpointReplacesItsCells() throws IOException {
    evaluate("out", false);
    List<ScoreRow> before = scores("out", "fp32", "copa");
    TinyWorld.checkpoint(folder.resolve("tiny"), 2);
    evaluate("out", false);
    assertThat(scores("out", "fp32", "copa")).hasSameSizeAs(before).isNotEqualTo(before);
  }

  @Test
  void freshScoresAgain() {
    evaluate("out", false);
    List<ScoreRow> before = scores("out", "w8a8", "copa");
    evaluate("out", true);
    assertThat(log.toString(StandardCharsets.UTF_8)).contains("4 of 4 cells, ");
    assertThat(scores("out", "w8a8", "copa")).isEqualTo(before);
  }
}
