package org.cliffwatch.jobs.interchange;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.cliffwatch.jobs.Shared;
import org.cliffwatch.jobs.table.MetricRow;
import org.cliffwatch.jobs.table.ScoreRow;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.jobs.table.Tables.Slice;
import org.cliffwatch.tasks.cli.TasksCommand;
import org.cliffwatch.tasks.interchange.LmEvalLog;
import org.cliffwatch.tasks.interchange.LmEvalSample;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code tasks.sh import-lm-eval} and {@code export-lm-eval}. */
class LmEvalInterchangeTest {
  /** A sum's order is not logged. */
  private static final double TOLERANCE = 1e-12;

  private static final String SAMPLE =
      "{\"doc_id\": 0, \"target\": 1, \"arguments\": [[\"c\", \" a\"], [\"c\", \" b\"]],"
          + " \"filtered_resps\": [[-1, false], [-2, true]], \"doc_hash\": \"0\","
          + " \"prompt_hash\":"
          + " \"2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6\","
          + " \"target_hash\":"
          + " \"6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b\"}\n";

  @TempDir Path folder;

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  private int run(List<String> arguments) {
    PrintStream previousOut = System.out;
    PrintStream previousErr = System.err;
    System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
    System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
    try {
      return TasksCommand.run(arguments.toArray(String[]::new));
    } finally {
      System.setOut(previousOut);
      System.setErr(previousErr);
    }
  }

  private static List<Path> golden() throws IOException {
    try (Stream<Path> files = Files.list(Shared.path("golden/lm-eval-smollm2"))) {
      return files
          .filter(file -> file.getFileName().toString().matches("(results|samples_).*"))
          .sorted()
          .toList();
    }
  }

  @Test
  @Tag("shared")
  void aRunGoesThroughTheTablesWithoutLoss() throws IOException {
    List<Path> files = golden();
    Path tables = folder.resolve("tables");
    List<String> arguments = new ArrayList<>(List.of("import-lm-eval"));
    files.forEach(file -> arguments.add(file.toString()));
    arguments.addAll(List.of("--output", tables.toString()));
    assertThat(run(arguments)).isEqualTo(3);
    assertThat(err.toString(StandardCharsets.UTF_8)).contains("expected --model NAME");
    arguments.addAll(List.of("--model", "smollm2-135m", "--precision", "fp32"));
    assertThat(run(arguments)).as(err.toString(StandardCharsets.UTF_8)).isZero();

    Slice slice = new Slice("smollm2-135m", "fp32", 0);
    Tables read = new Tables(new org.apache.hadoop.fs.Path(tables.toString()), new Configuration());
    List<ScoreRow> winogrande = scores(read, slice, "winogrande");
    assertThat(winogrande).hasSize(1267).allMatch(ScoreRow::isOk);
    assertThat(winogrande.stream().filter(ScoreRow::correct).count()).isEqualTo(639);
    List<MetricRow> lambada = metrics(read, slice, "lambada_openai");
    assertThat(lambada.get(0).value()).isCloseTo(50.81387851035905, within(1e-9));
    assertThat(lambada.get(0).stderr()).isCloseTo(4.465227667871309, within(1e-9));
    assertThat(lambada.get(0).kernel()).isEqualTo("lm-evaluation-harness-0.4.13");

    Path exported = folder.resolve("exported/results.json");
    assertThat(run(List.of("export-lm-eval", tables.toString(), "--output", exported.toString())))
        .isZero();
    LmEvalLog original = LmEvalLog.read(files);
    List<Path> written = new ArrayList<>();
    try (Stream<Path> all = Files.list(exported.getParent())) {
      all.forEach(written::add);
    }
    LmEvalLog again = LmEvalLog.read(written);
    assertThat(again.tasks()).isEqualTo(original.tasks());
    for (String task : original.tasks()) {
      JsonNode values = original.results().get("results").get(task);
      values
          .properties()
          .forEach(
              value -> {
                if (value.getKey().contains(",")) {
                  assertThat(
                          again
                              .results()
                              .at("/results/" + task + "/" + value.getKey())
                              .doubleValue())
                      .isCloseTo(value.getValue().doubleValue(), within(1e-9));
                }
              });
      List<LmEvalSample> before = original.samples().get(task);
      List<LmEvalSample> after = again.samples().get(task);
      assertThat(after).hasSameSizeAs(before);
      for (int i = 0; i < before.size(); i++) {
        assertSame(before.get(i).row(), after.get(i).row());
      }
    }
  }

  /** Everything the log said is there again; acc_bytes may be there besides. */
  private static void assertSame(ObjectNode before, ObjectNode after) {
    before
        .properties()
        .forEach(
            field -> {
              JsonNode value = after.get(field.getKey());
              if (field.getValue().isNumber()) {
                assertThat(value.doubleValue())
                    .isCloseTo(field.getValue().doubleValue(), within(TOLERANCE));
              } else if (field.getKey().equals("metrics")) {
                List<String> names = new ArrayList<>();
                value.forEach(name -> names.add(name.textValue()));
                field.getValue().forEach(name -> assertThat(names).contains(name.textValue()));
              } else {
                assertThat(value).as(field.getKey()).isEqualTo(field.getValue());
              }
            });
  }

  @Test
  void resultsAloneBecomeMetrics() throws IOException {
    Path results =
        Files.writeString(
            folder.resolve("results.json"),
            "{\"results\": {\"piqa\": {\"acc\": 0.59, \"acc_stderr\": 0.011}, \"other\": {}},"
                + " \"versions\": {\"piqa\": 0}, \"config\": {\"model_args\":"
                + " \"pretrained=EleutherAI/pythia-70m,dtype=float16\"}}");
    Path tables = folder.resolve("tables");
    assertThat(
            run(
                List.of(
                    "import-lm-eval",
                    results.toString(),
                    "--output",
                    tables.toString(),
                    "--step",
                    "1000")))
        .as(err.toString(StandardCharsets.UTF_8))
        .isZero();
    assertThat(err.toString(StandardCharsets.UTF_8)).contains("its results are left out: other");
    Tables read = new Tables(new org.apache.hadoop.fs.Path(tables.toString()), new Configuration());
    List<MetricRow> rows = metrics(read, new Slice("pythia-70m", "fp16", 1000), "piqa");
    assertThat(rows).hasSize(1);
    assertThat(rows.get(0).value()).isEqualTo(0.59);
    assertThat(rows.get(0).stderr()).isEqualTo(0.011);
    assertThat(rows.get(0).taskVersion()).isEqualTo("0");
    assertThat(rows.get(0).ciLow()).isNull();
  }

  @Test
  void shotsGoThroughTheTables() throws IOException {
    Path samples = Files.writeString(folder.resolve("samples_piqa.jsonl"), SAMPLE);
    Path results =
        Files.writeString(
            folder.resolve("results.json"),
            "{\"results\": {\"piqa\": {\"acc,none\": 0.0}}, \"n-shot\": {\"piqa\": 5},"
                + " \"configs\": {\"piqa\": {\"fewshot_config\": {\"sampler\": \"default\"}}},"
                + " \"config\": {\"model_args\": \"pretrained=m,dtype=float32\","
                + " \"fewshot_seed\": 1234}}");
    Path tables = folder.resolve("tables");
    List<String> arguments =
        List.of(
            "import-lm-eval",
            samples.toString(),
            results.toString(),
            "--output",
            tables.toString());
    assertThat(run(arguments)).as(err.toString(StandardCharsets.UTF_8)).isZero();
    Tables read = new Tables(new org.apache.hadoop.fs.Path(tables.toString()), new Configuration());
    MetricRow row = metrics(read, new Slice("m", "fp32", 0), "piqa").get(0);
    assertThat(row.comparableParts()).isEqualTo("shots 5-default-1234");
    Path exported = folder.resolve("exported/results.json");
    assertThat(run(List.of("export-lm-eval", tables.toString(), "--output", exported.toString())))
        .isZero();
    assertThat(LmEvalLog.read(List.of(exported)).shots("piqa").count()).isEqualTo(5);

    Files.writeString(results, Files.readString(results).replace("\"piqa\": 5", "\"piqa\": 0"));
    assertThat(run(arguments)).isZero();
    MetricRow zero = metrics(read, new Slice("m", "fp32", 0), "piqa").get(0);
    assertThat(zero.comparableKey()).isNotEqualTo(row.comparableKey());
  }

  @Test
  void resultsThatAreNotTheirSamplesAreRefused() throws IOException {
    Path samples = Files.writeString(folder.resolve("samples_piqa.jsonl"), SAMPLE);
    Path results =
        Files.writeString(
            folder.resolve("results.json"), "{\"results\": {\"piqa\": {\"acc,none\": 1.0}}}");
    assertThat(
            run(
                List.of(
                    "import-lm-eval",
                    samples.toString(),
                    results.toString(),
                    "--output",
                    folder.resolve("tables").toString(),
                    "--model",
                    "m",
                    "--precision",
                    "fp32")))
        .isEqualTo(3);
    assertThat(err.toString(StandardCharsets.UTF_8))
        .contains("results of piqa: found acc 1.0, expected 0.0 from its samples");
  }

  @Test
  void exportNeedsOneModelPrecisionAndStep() throws IOException {
    assertThat(run(List.of("export-lm-eval", folder.toString(), "--output", "x.json")))
        .isEqualTo(3);
    assertThat(err.toString(StandardCharsets.UTF_8)).contains("found scores of nothing that fits");
  }

  private static List<ScoreRow> scores(Tables tables, Slice slice, String task) throws IOException {
    return tables.storedCells().stream()
        .filter(cell -> cell.slice().equals(slice) && cell.task().equals(task))
        .flatMap(cell -> tables.scores(cell).read(Tables.SCORES).stream())
        .toList();
  }

  private static List<MetricRow> metrics(Tables tables, Slice slice, String task) {
    return tables.metrics(slice.model()).read(Tables.METRICS).stream()
        .filter(row -> row.slice(slice.model()).equals(slice) && row.task().equals(task))
        .toList();
  }
}
