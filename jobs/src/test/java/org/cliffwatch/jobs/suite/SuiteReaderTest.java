package org.cliffwatch.jobs.suite;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.stream.Stream;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.tasks.definition.Tasks;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class SuiteReaderTest {
  private static final Tasks TASKS = Tasks.builtIn();
  private static final String LEAST =
      """
      checkpoints:
        - {model: tiny, path: models/tiny}
      precisions: [fp32, w8a8]
      tasks:
        - {task: piqa, data: /data/piqa}
      """;

  @TempDir Path folder;

  private Suite read(String yaml, Map<String, String> environment, String... sets) {
    Path file = folder.resolve("nightly.yaml");
    try {
      Files.writeString(file, yaml);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
    return new SuiteReader(Precisions.packaged(), TASKS, environment).read(file, List.of(sets));
  }

  @Test
  void defaults() {
    Suite suite = read(LEAST, Map.of());
    assertThat(suite.name()).isEqualTo("nightly");
    assertThat(suite.baseline()).isEqualTo("fp32");
    assertThat(suite.shardItems()).isEqualTo(64);
    assertThat(suite.seed()).isEqualTo(1);
    assertThat(suite.backend()).isEqualTo("auto");
    assertThat(suite.kernel()).isEqualTo("auto");
    assertThat(suite.bos()).isEqualTo("auto");
    assertThat(suite.replicas()).isEqualTo(1);
    assertThat(suite.selfCheck()).isEqualTo(0.01);
    assertThat(suite.maxRejectedItems()).isZero();
    Suite.CheckpointSeries checkpoint = suite.checkpoints().get(0);
    assertThat(checkpoint.path()).isEqualTo(folder.resolve("models/tiny").toString());
    assertThat(checkpoint.step()).isEmpty();
    assertThat(suite.tasks().get(0).limit()).isEmpty();
  }

  @Test
  void everyKey() {
    Suite suite =
        read(
            """
            name: all
            checkpoints:
              - {model: 2024, path: "hdfs://nn/m/step{step}", steps: [1000, 10]}
              - {model: b, path: "/m/{step}", steps: all}
              - {model: c, path: /m/c, step: 5}
            precisions: [w8a8, fp32]
            baseline: fp32
            tasks:
              - {task: copa, data: s3a://bucket/copa, limit: 7}
            shard_items: 3
            seed: -9
            backend: reference
            kernel: onednn-3.11-avx512_vnni
            bos: never
            replicas: 4
            self_check: 0.5
            max_rejected_items: 2
            """,
            Map.of());
    assertThat(suite.name()).isEqualTo("all");
    assertThat(suite.checkpoints().get(0).model()).isEqualTo("2024");
    assertThat(suite.checkpoints().get(0).steps()).isEqualTo(Optional.of(List.of(1000L, 10L)));
    assertThat(suite.checkpoints().get(1).isSeries()).isTrue();
    assertThat(suite.checkpoints().get(1).steps()).isEmpty();
    assertThat(suite.checkpoints().get(2).step()).isEqualTo(OptionalLong.of(5));
    assertThat(suite.baseline()).isEqualTo("fp32");
    assertThat(suite.tasks().get(0).data()).isEqualTo("s3a://bucket/copa");
    assertThat(suite.tasks().get(0).limit()).isEqualTo(OptionalInt.of(7));
    assertThat(suite.shardItems()).isEqualTo(3);
    assertThat(suite.seed()).isEqualTo(-9);
    assertThat(suite.backend()).isEqualTo("reference");
    assertThat(suite.kernel()).isEqualTo("onednn-3.11-avx512_vnni");
    assertThat(suite.bos()).isEqualTo("never");
    assertThat(suite.replicas()).isEqualTo(4);
    assertThat(suite.selfCheck()).isEqualTo(0.5);
    assertThat(suite.maxRejectedItems()).isEqualTo(2);
    assertThat(suite.configuration()).contains("tasks.0.limit: 7").contains("seed: -9");
  }

  @Test
  void aTasksShotsAreItsOwnElseTheSuites() {
    String yaml =
        LEAST.replace("data: /data/piqa}", "data: /data/piqa, num_fewshot: 0, fewshot_data: mine}")
            + "  - {task: copa, data: copa}\nnum_fewshot: 5\nfewshot_data: s3a://bucket/train\n";
    Suite suite = read(yaml, Map.of());
    assertThat(suite.tasks().get(0).numFewshot()).isEqualTo(OptionalInt.of(0));
    assertThat(suite.tasks().get(0).fewshotData()).isEqualTo(folder.resolve("mine").toString());
    assertThat(suite.tasks().get(1).numFewshot()).isEqualTo(OptionalInt.of(5));
    assertThat(suite.tasks().get(1).fewshotData()).isEqualTo("s3a://bucket/train");
    assertThat(suite.configuration()).contains("num_fewshot: 5").contains("tasks.0.num_fewshot: 0");
    Suite none = read(LEAST, Map.of());
    assertThat(none.tasks().get(0).numFewshot()).isEmpty();
    assertThat(none.tasks().get(0).fewshotData()).isNull();
    assertThat(
            read(LEAST, Map.of("CLIFFWATCH_NUM_FEWSHOT", "3"), "num_fewshot=4")
                .tasks()
                .get(0)
                .numFewshot())
        .isEqualTo(OptionalInt.of(4));
    assertThat(
            read(LEAST, Map.of("CLIFFWATCH_TASKS_0_NUM_FEWSHOT", "3"), "num_fewshot=4")
                .tasks()
                .get(0)
                .numFewshot())
        .isEqualTo(OptionalInt.of(3));
    assertThatThrownBy(() -> read(LEAST + "num_fewshot: many\n", Map.of()))
        .isInstanceOf(SuiteException.class)
        .hasMessageContaining("num_fewshot")
        .hasMessageContaining("many");
  }

  @Test
  void flagBeatsEnvironmentBeatsFile() {
    String yaml = LEAST + "seed: 1\nshard_items: 1\n";
    Map<String, String> environment =
        Map.of("CLIFFWATCH_SEED", "2", "CLIFFWATCH_SHARD_ITEMS", "2", "PATH", "x");
    Suite suite = read(yaml, environment, "seed=3", "tasks.0.limit=9");
    assertThat(suite.seed()).isEqualTo(3);
    assertThat(suite.shardItems()).isEqualTo(2);
    assertThat(suite.tasks().get(0).limit()).isEqualTo(OptionalInt.of(9));
    Suite limited = read(LEAST, Map.of("CLIFFWATCH_TASKS_0_LIMIT", "4"));
    assertThat(limited.tasks().get(0).limit()).isEqualTo(OptionalInt.of(4));
  }

  @Test
  void listsCanBeSet() {
    assertThat(read(LEAST, Map.of(), "precisions=[w4, fp32]", "baseline=fp32").precisions())
        .extracting(Precision::name)
        .containsExactly("w4", "fp32");
  }

  @Test
  void precisionsOfTheSuitesOwn() {
    String row =
        "{name: mine, scheme: rtn, weight_bits: 4, activation_bits: 32, compute: float32, group: 32}";
    Suite suite = read(LEAST, Map.of(), "precisions=[fp32, " + row + "]", "baseline=mine");
    assertThat(suite.precisions())
        .containsExactly(
            Precisions.packaged().named("fp32"),
            new Precision("mine", "rtn", 4, 32, FloatType.FLOAT32, Map.of("group", "32")));
    assertThat(suite.baselinePrecision().name()).isEqualTo("mine");
    assertThatThrownBy(
            () -> read(LEAST, Map.of(), "precisions=[" + row.replace("mine", "w8a8") + "]"))
        .hasMessageContaining("--set precisions=")
        .hasMessageContaining(
            "precision w8a8: found another row than that of conf/precisions.yaml");
    assertThatThrownBy(() -> read(LEAST.replace("w8a8", row.replace("32}", "x}")), Map.of()))
        .hasMessageContaining(
            "nightly.yaml:3: precision mine: scheme rtn: group: found x, expected above 0");
    assertThatThrownBy(() -> read(LEAST.replace("w8a8", "{scheme: rtn}"), Map.of()))
        .hasMessageContaining("nightly.yaml:3: missing key 'precisions.1.name'");
    assertThatThrownBy(() -> read(LEAST.replace("w8a8", "{name: mine}"), Map.of()))
        .hasMessageContaining("nightly.yaml:3: precision mine: key 'scheme' is missing");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "shard_item: 3      | nightly.yaml:6: found unknown key 'shard_item'; did you mean 'shard_items'?",
        "seed: many         | nightly.yaml:6: found 'many' for 'seed', expected a whole number",
        "shard_items: 0     | nightly.yaml:6: found '0' for 'shard_items', expected a whole number from 1",
        "self_check: 2      | nightly.yaml:6: found '2' for 'self_check', expected a number from 0 to 1",
        "baseline: bf16     | nightly.yaml:6: found 'bf16' for 'baseline'",
        "backend: onedn     | nightly.yaml:6: found 'onedn' for 'backend'; did you mean 'onednn'?",
        "seed: [1]          | nightly.yaml:6: found a list for 'seed', expected a single value",
        "precisions: [fp32] | nightly.yaml:6: found key 'precisions' twice",
        "name: [            | nightly.yaml:7: not valid YAML",
        "x: {path: a/{step}} | nightly.yaml:6: not valid YAML: expected ',' or '}', but got {; a value with {step} within braces needs quotes: path: \"a/{step}\"",
      })
  void complaintsNameLineFoundAndExpected(String line, String message) {
    assertThatThrownBy(() -> read(LEAST + line + "\n", Map.of()))
        .isInstanceOf(SuiteException.class)
        .hasMessageContaining(message);
  }

  @Test
  void nestedComplaints() {
    assertThatThrownBy(() -> read(LEAST.replace("task: piqa", "task: pica"), Map.of()))
        .hasMessageContaining(
            "nightly.yaml:5: found 'pica' for 'tasks.0.task'; did you mean 'piqa'?");
    assertThatThrownBy(() -> read(LEAST.replace("model: tiny", "modle: tiny"), Map.of()))
        .hasMessageContaining("found unknown key 'checkpoints.0.modle'; did you mean 'model'?");
    assertThatThrownBy(() -> read(LEAST.replace("w8a8", "w8a9"), Map.of()))
        .hasMessageContaining(
            "nightly.yaml:3: found 'w8a9' for 'precisions.1'; did you mean 'w8a8'");
    assertThatThrownBy(() -> read("name: x\n", Map.of()))
        .hasMessageContaining("missing key 'checkpoints'");
    assertThatThrownBy(() -> read(LEAST.replace("[fp32, w8a8]", "fp32"), Map.of()))
        .hasMessageContaining("found 'fp32' for 'precisions', expected a list: [fp32]");
    assertThatThrownBy(() -> read(LEAST.replaceAll("tasks:[^$]*", "tasks: [piqa]"), Map.of()))
        .hasMessageContaining(
            "found 'piqa' for 'tasks.0', expected a mapping such as {task: NAME, data: FOLDER}");
    assertThatThrownBy(() -> read("", Map.of())).hasMessageContaining("found nothing");
  }

  @Test
  void complaintsAboutFlagsAndEnvironmentNameThem() {
    assertThatThrownBy(() -> read(LEAST, Map.of(), "sed=3"))
        .hasMessageContaining("--set sed=3: found unknown key 'sed'; did you mean 'seed'?");
    assertThatThrownBy(() -> read(LEAST, Map.of(), "seed"))
        .hasMessageContaining("--set: found 'seed', expected key=value");
    assertThatThrownBy(() -> read(LEAST, Map.of(), "tasks.3.limit=1"))
        .hasMessageContaining("expected an index of 'tasks' from 0 to 0");
    assertThatThrownBy(() -> read(LEAST, Map.of("CLIFFWATCH_SEDE", "1")))
        .hasMessageContaining("CLIFFWATCH_SEDE")
        .hasMessageContaining("CLIFFWATCH_SEED");
  }

  @Test
  void complaintsAboutASuiteOfFlagsNameTheFlag() {
    SuiteReader reader = new SuiteReader(Precisions.packaged(), TASKS, Map.of());
    assertThatThrownBy(
            () ->
                reader.fromFlags(
                    List.of("m"),
                    List.of("w8a9"),
                    List.of("piqa=/d"),
                    OptionalInt.empty(),
                    List.of()))
        .hasMessageStartingWith("--precision: found 'w8a9' for 'precisions.0'");
  }

  @Test
  void tasksOfOnesOwnAreFoundBesideTheSuite() throws IOException {
    Files.createDirectory(folder.resolve("own"));
    Files.writeString(
        folder.resolve("own/mine.yaml"),
        """
        task: mine
        output_type: multiple_choice
        test_split: test
        doc_to_text: q
        doc_to_choice: [a, b]
        doc_to_target: label
        """);
    String suite = LEAST.replace("task: piqa", "task: mine") + "tasks_path: own\n";
    Suite read = read(suite, Map.of());
    assertThat(read.known().task("mine").harness()).isNotNull();
    assertThat(read.known().names()).contains("piqa");
    assertThat(read.configuration()).contains("tasks_path: " + folder.resolve("own"));
    assertThatThrownBy(() -> read(suite.replace("path: own", "path: other"), Map.of()))
        .hasMessageContaining("other: no such folder, expected one of definitions");
    assertThatThrownBy(() -> read(suite, Map.of(), "tasks_path='s3a://bucket/own'"))
        .hasMessageContaining("--set tasks_path='s3a://bucket/own'")
        .hasMessageContaining("expected a folder of this machine");
    assertThatThrownBy(() -> read(suite.replace("task: mine", "task: mime"), Map.of()))
        .hasMessageContaining("did you mean 'mine'");
  }

  @Test
  void missingFile() {
    assertThatThrownBy(
            () ->
                new SuiteReader(Precisions.packaged(), TASKS, Map.of())
                    .read(folder.resolve("none.yaml"), List.of()))
        .hasMessageContaining("none.yaml")
        .hasMessageContaining("found nothing");
  }

  @Test
  void flagsMakeASuite() {
    Suite suite =
        new SuiteReader(Precisions.packaged(), TASKS, Map.of())
            .fromFlags(
                List.of("/m/it's/", "x.gguf"),
                List.of("fp32"),
                List.of("piqa=/d"),
                OptionalInt.of(3),
                List.of("seed=5"));
    assertThat(suite.checkpoints().get(0).model()).isEqualTo("it's");
    assertThat(suite.checkpoints().get(1).model()).isEqualTo("x");
    assertThat(suite.tasks().get(0).limit()).isEqualTo(OptionalInt.of(3));
    assertThat(suite.seed()).isEqualTo(5);
  }

  @ParameterizedTest
  @CsvSource({
    "hdfs:/suites/nightly.yaml, hdfs:/suites, hdfs:/models/tiny",
    "hdfs://host:8020/suites/nightly.yaml, hdfs://host:8020/suites, hdfs://host:8020/models/tiny",
    "s3a://bucket/suites/nightly.yaml, s3a://bucket/suites, s3a://bucket/models/tiny",
    "s3a://bucket/nightly.yaml, s3a://bucket/, s3a://bucket/models/tiny",
  })
  void aSuitesPathsAreRelativeToItsUri(String origin, String folder, String checkpoint) {
    String yaml =
        LEAST.replace("models/tiny", origin.contains("suites") ? "../models/tiny" : "models/tiny");
    Suite suite =
        new SuiteReader(Precisions.packaged(), TASKS, Map.of())
            .read(yaml, origin, folder, List.of());
    assertThat(suite.name()).isEqualTo("nightly");
    assertThat(suite.origin()).isEqualTo(origin);
    assertThat(suite.checkpoints().get(0).path()).isEqualTo(checkpoint);
    assertThat(suite.tasks().get(0).data()).isEqualTo("/data/piqa");
  }

  @Test
  void whereALocalPathNeedsASchemeRelativeOnesGetIt() {
    Suite suite =
        new SuiteReader(Precisions.packaged(), TASKS, Map.of(), "file:")
            .fromFlags(
                List.of("models/tiny", "/models/tiny", "s3a://bucket/tiny"),
                List.of("fp32"),
                List.of("piqa=items"),
                OptionalInt.empty(),
                List.of("checkpoints.1.model=b", "checkpoints.2.model=c"));
    Path working = Path.of("").toAbsolutePath();
    assertThat(suite.checkpoints())
        .extracting(Suite.CheckpointSeries::path)
        .containsExactly(
            "file:" + working.resolve("models/tiny"), "/models/tiny", "s3a://bucket/tiny");
    assertThat(suite.tasks().get(0).data()).isEqualTo("file:" + working.resolve("items"));
  }

  @Test
  void aGroupsNameStandsForItsTasks() {
    String yaml =
        LEAST.replace("{task: piqa, data: /data/piqa}", "{task: mmlu_stem, data: m, limit: 5}");
    List<Suite.TaskData> tasks = read(yaml, Map.of()).tasks();
    assertThat(tasks).hasSize(19).allMatch(task -> task.group().equals("mmlu_stem"));
    assertThat(tasks.get(0).task()).isEqualTo("mmlu_abstract_algebra");
    assertThat(tasks.get(18).data()).isEqualTo(folder.resolve("m").toString());
    assertThat(tasks.get(18).limit().getAsInt()).isEqualTo(5);
    assertThat(read(LEAST, Map.of()).tasks().get(0).group()).isNull();
    assertThatThrownBy(() -> read(yaml + "  - {task: mmlu_anatomy, data: m}\n", Map.of()))
        .isInstanceOf(SuiteException.class)
        .hasMessageContaining("expected each task once");
    assertThatThrownBy(() -> read(yaml + "  - {task: mmlu, data: m}\n", Map.of()))
        .hasMessageContaining("expected each task once; mmlu_abstract_algebra is there already");
    assertThatThrownBy(() -> read(yaml.replace("mmlu_stem", "mmlu_stm"), Map.of()))
        .hasMessageContaining("did you mean 'mmlu_stem'");
  }

  static List<Path> packaged() throws IOException {
    try (Stream<Path> suites = Files.list(Path.of("../conf/suites"))) {
      return suites.sorted().toList();
    }
  }

  @ParameterizedTest
  @MethodSource("packaged")
  void thePackagedSuitesAreRead(Path suite) {
    assertThat(
            new SuiteReader(Precisions.packaged(), TASKS, Map.of()).read(suite, List.of()).tasks())
        .hasSizeGreaterThanOrEqualTo(5)
        // Suites of many precisions say in their files what they ask of which task.
        .allMatch(
            task ->
                task.limit().isEmpty()
                    || suite.endsWith("schemes.yaml")
                    || suite.endsWith("grid.yaml"));
  }

  @Test
  void theLeaderboardAsksWithItsShots() {
    Suite suite =
        new SuiteReader(Precisions.packaged(), TASKS, Map.of())
            .read(Path.of("../conf/suites/open_llm_leaderboard.yaml"), List.of());
    assertThat(suite.tasks()).hasSize(61);
    assertThat(suite.tasks().stream().filter(task -> "mmlu".equals(task.group())))
        .hasSize(57)
        .allMatch(task -> task.numFewshot().getAsInt() == 5);
    assertThat(suite.tasks().get(0).numFewshot()).hasValue(25);
  }
}
