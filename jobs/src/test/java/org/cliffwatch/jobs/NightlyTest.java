package org.cliffwatch.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.StringReader;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import javax.xml.XMLConstants;
import javax.xml.transform.stream.StreamSource;
import javax.xml.validation.SchemaFactory;
import org.apache.hadoop.conf.Configuration;
import org.cliffwatch.jobs.table.AcceptedRow;
import org.cliffwatch.jobs.table.ScoreRow;
import org.cliffwatch.jobs.table.StoredCell;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.jobs.table.VerdictRow;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code nightly.sh} on two steps of an embedded model, after a night that was accepted. */
class NightlyTest {
  private static final Path DATA = Path.of("../data");
  private static final Map<String, String> SETTINGS =
      Map.of(
          "spark.master", "local[2]",
          "spark.ui.enabled", "false",
          "spark.driver.host", "127.0.0.1");
  private static final String[] TASKS = {"copa", "piqa", "winogrande"};

  @TempDir static Path accepted;
  @TempDir Path folder;
  private String printed;
  private boolean writesReport;

  @BeforeAll
  static void acceptAFirstNight() throws IOException {
    SETTINGS.forEach(System::setProperty);
    NightlyTest first = new NightlyTest();
    first.folder = accepted;
    for (int step : new int[] {700, 2000}) {
      copy(
          DATA.resolve("checkpoints/bf16-wd0.1/step" + step),
          accepted.resolve("model/step" + step));
    }
    for (String task : TASKS) {
      copy(DATA.resolve("microworld").resolve(task), accepted.resolve(task));
    }
    Files.writeString(
        accepted.resolve("suite.yaml"),
        """
        name: night
        checkpoints:
          - {model: bf16-wd0.1, path: "model/step{step}", steps: all}
        precisions: [fp32, w8a8]
        tasks:
          - {task: copa, data: copa}
          - {task: piqa, data: piqa}
          - {task: winogrande, data: winogrande}
        """);
    assertThat(first.nightly()).isEqualTo(ExitCode.BAD_INPUT);
    assertThat(first.nightly("--accept")).isEqualTo(ExitCode.DONE);
    assertThat(first.lastLine()).startsWith("cliffwatch night: PASS, ").doesNotContain("against");
    assertThat(first.tables().acceptedRuns()).hasSize(1);
    AcceptedRow row = first.acceptedRows().get(0);
    assertThat(row.acceptedBy()).startsWith(System.getProperty("user.name"));
    assertThat(row.reason()).isEqualTo("the gate passed it");
    assertThat(row.acceptedAt()).matches("20\\d\\d-.*Z");
  }

  @AfterAll
  static void forgetSettings() {
    SETTINGS.keySet().forEach(System::clearProperty);
  }

  private static void copy(Path from, Path to) throws IOException {
    try (Stream<Path> files = Files.walk(from)) {
      for (Path file : (Iterable<Path>) files::iterator) {
        Path target = to.resolve(from.relativize(file).toString());
        if (Files.isDirectory(file)) {
          Files.createDirectories(target);
        } else {
          Files.copy(file, target);
        }
      }
    }
  }

  /** The world and the output of the night that was accepted. */
  private NightlyTest theNightAfter() throws IOException {
    try (Stream<Path> all = Files.list(accepted)) {
      for (Path part : (Iterable<Path>) all::iterator) {
        if (Files.isDirectory(part)) {
          copy(part, folder.resolve(part.getFileName().toString()));
        } else {
          Files.copy(part, folder.resolve(part.getFileName().toString()));
        }
      }
    }
    return this;
  }

  private int nightly(String... more) {
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "--suite",
                folder.resolve("suite.yaml").toString(),
                "--output",
                folder.resolve("out").toString(),
                "--junit",
                folder.resolve("junit.xml").toString()));
    arguments.addAll(List.of(more));
    if (!writesReport) {
      arguments.add("--no-report");
    }
    if (!arguments.contains("--gate")) {
      arguments.addAll(List.of("--gate", "../conf/gates/default.yaml"));
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    int exitCode =
        Commands.run(
            new Nightly(new PrintStream(out, true, StandardCharsets.UTF_8)),
            arguments.toArray(String[]::new));
    printed = out.toString(StandardCharsets.UTF_8);
    return exitCode;
  }

  private String lastLine() {
    List<String> lines = printed.lines().toList();
    return lines.get(lines.size() - 1);
  }

  private Tables tables() {
    return new Tables(
        new org.apache.hadoop.fs.Path(folder.resolve("out").toString()), new Configuration());
  }

  private List<AcceptedRow> acceptedRows() {
    List<String> runs = tables().acceptedRuns();
    return tables().accepted(runs.get(runs.size() - 1)).read(Tables.ACCEPTED);
  }

  /** The verdicts of the last night. */
  private List<VerdictRow> verdicts() throws IOException {
    try (Stream<Path> runs = Files.list(folder.resolve("out/verdicts"))) {
      String run = runs.map(of -> of.getFileName().toString()).sorted().reduce((a, b) -> b).get();
      return tables().verdicts(run.substring("run_id=".length())).read(Tables.VERDICTS);
    }
  }

  private List<VerdictRow> verdicts(String outcome) throws IOException {
    return verdicts().stream().filter(row -> row.is(outcome)).toList();
  }

  private String junit() throws Exception {
    String xml = Files.readString(folder.resolve("junit.xml"));
    SchemaFactory.newInstance(XMLConstants.W3C_XML_SCHEMA_NS_URI)
        .newSchema(NightlyTest.class.getResource("/junit.xsd"))
        .newValidator()
        .validate(new StreamSource(new StringReader(xml)));
    return xml;
  }

  private Path weights(int step) {
    return folder.resolve("model/step" + step + "/model.safetensors");
  }

  @Test
  void aNightWithoutChangePassesToTheBitAndTakesNoRoom() throws Exception {
    theNightAfter();
    assertThat(nightly("--accept", "--fresh")).isEqualTo(ExitCode.DONE);
    assertThat(lastLine()).startsWith("cliffwatch night: PASS, ").contains(" against 20");
    assertThat(verdicts()).allMatch(row -> row.is(VerdictRow.PASS) || !row.isError());
    assertThat(verdicts())
        .filteredOn(row -> row.rule().equals("reproduction"))
        .hasSize(12)
        .allMatch(row -> row.reason().equals("equal to the bit"));
    assertThat(tables().acceptedRuns()).hasSize(2);
    try (Stream<Path> copies = Files.list(folder.resolve("out/accepted_scores"))) {
      assertThat(copies.filter(file -> file.toString().endsWith(".parquet"))).hasSize(12);
    }
    assertThat(junit()).contains("failures=\"0\"").doesNotContain("<failure");
  }

  @Test
  void aDegradedCheckpointFailsWhereItIsDegradedAndIsNotAccepted() throws Exception {
    theNightAfter();
    List<AcceptedRow> before = acceptedRows();
    // What a broken export might do: the weights of an earlier step in a later one's place.
    copyOver(DATA.resolve("checkpoints/bf16-wd0.1/step250/model.safetensors"), weights(2000));
    writesReport = true;
    assertThat(nightly("--accept")).isEqualTo(ExitCode.GATE_FAILED);
    writesReport = false;
    assertThat(folder.resolve("out/report.html")).content().contains("each task", "step_drift");
    assertThat(verdicts(VerdictRow.FAIL))
        .filteredOn(VerdictRow::isError)
        .isNotEmpty()
        .allMatch(row -> row.step() == 2000)
        .extracting(VerdictRow::rule)
        .contains("mean", "each task");
    assertThat(lastLine()).startsWith("cliffwatch night: FAIL, ").contains("worst: ");
    assertThat(junit()).contains("<failure").contains("type=\"fail\"");
    assertThat(acceptedRows()).isEqualTo(before);
    // The accepted scores are there as they were, though the cells were scored anew.
    assertThat(before)
        .allMatch(row -> row.scores() != null && tables().kept(row.scores()).exists());
    assertThat(nightly("--accept", "--reason", "a new recipe")).isEqualTo(ExitCode.GATE_FAILED);
    assertThat(acceptedRows().get(0).reason()).isEqualTo("a new recipe");
    assertThat(nightly()).isEqualTo(ExitCode.DONE);
    // The first accepted run is still what it was.
    assertThat(nightly("--baseline", tables().acceptedRuns().get(0)))
        .isEqualTo(ExitCode.GATE_FAILED);
  }

  @Test
  void aMissingCheckpointIsNoPass() throws Exception {
    theNightAfter();
    delete(folder.resolve("model/step700"));
    assertThat(nightly()).isEqualTo(ExitCode.GATE_FAILED);
    assertThat(verdicts(VerdictRow.FAIL))
        .hasSize(6)
        .allMatch(row -> row.rule().equals("missing") && row.step() == 700);
    assertThat(verdicts(VerdictRow.INCOMPARABLE))
        .isNotEmpty()
        .allMatch(row -> row.step() == 700)
        .allMatch(row -> row.reason().contains("this run has not"));
    assertThat(junit()).contains("<error").contains("<failure");
  }

  @Test
  void aCellThatFailsIsNoPassEither() throws Exception {
    theNightAfter();
    Files.writeString(weights(700), "no longer a checkpoint");
    assertThat(nightly()).isEqualTo(ExitCode.GATE_FAILED);
    assertThat(verdicts(VerdictRow.FAIL)).allMatch(row -> row.reason().startsWith("failed: "));
    // Where no rule is about it, the evaluation's own exit code is left.
    Path lenient =
        Files.writeString(
            folder.resolve("lenient.yaml"),
            "rules: [{rule: missing, level: warn}, {rule: reproduction}]");
    assertThat(nightly("--gate", lenient.toString())).isEqualTo(ExitCode.CELLS_FAILED);
  }

  @Test
  void whatIsIncomparableIsRefusedWithTheReason() throws Exception {
    theNightAfter();
    assertThat(nightly("--set", "replicas=2")).isEqualTo(ExitCode.GATE_INCONCLUSIVE);
    assertThat(verdicts(VerdictRow.INCOMPARABLE))
        .isNotEmpty()
        .allMatch(row -> row.reason().contains("differs in replicas: 2 now, 1 accepted"))
        .allMatch(row -> row.value() == null);
    // Of few items, since this backend is slow.
    assertThat(
            nightly(
                "--set",
                "backend=reference",
                "--set",
                "tasks=[{task: copa, data: copa, limit: 2}]",
                "--gate",
                Files.writeString(
                        folder.resolve("copa.yaml"),
                        "rules: [{rule: non_inferiority, margin: 1, tasks: [copa]}]")
                    .toString()))
        .isEqualTo(ExitCode.GATE_INCONCLUSIVE);
    assertThat(verdicts(VerdictRow.INCOMPARABLE))
        .allMatch(row -> row.reason().contains("differs in kernel: reference"));
    assertThat(nightly("--set", "tasks.1.limit=50")).isEqualTo(ExitCode.GATE_INCONCLUSIVE);
    assertThat(verdicts(VerdictRow.INCOMPARABLE))
        .allMatch(row -> row.reason().contains("differs in items: "))
        .extracting(VerdictRow::task)
        .containsOnly("piqa", "mean");
    Path items = folder.resolve("copa/val.jsonl");
    Files.writeString(items, Files.readString(items).replaceFirst("\"premise\": ?\"", "$0Now "));
    assertThat(nightly()).isEqualTo(ExitCode.GATE_INCONCLUSIVE);
    assertThat(verdicts(VerdictRow.INCOMPARABLE))
        .allMatch(row -> row.reason().contains("differs in items: "))
        .extracting(VerdictRow::task)
        .containsOnly("copa", "mean");
    assertThat(junit()).contains("<error").doesNotContain("<failure");
  }

  @Test
  void anotherTokenizerIsIncomparable() throws Exception {
    theNightAfter();
    for (int step : new int[] {700, 2000}) {
      Path tokenizer = folder.resolve("model/step" + step + "/tokenizer.json");
      Files.writeString(tokenizer, Files.readString(tokenizer) + "\n");
    }
    assertThat(nightly()).isEqualTo(ExitCode.GATE_INCONCLUSIVE);
    assertThat(verdicts(VerdictRow.INCOMPARABLE))
        .isNotEmpty()
        .allMatch(row -> row.reason().contains("differs in tokenizer: "));
  }

  /**
   * A backend with one scale off: a row of one weight of twice the size has the same integers under
   * twice the scale, bit for bit what such a backend would score.
   */
  @Test
  void aBackendWithOneScaleOffIsCaught() throws Exception {
    theNightAfter();
    Map<String, StoredCell> right = w8a8();
    scaleOneRow(weights(2000), "gpt_neox.layers.0.attention.dense.weight", 1);
    // As another checkpoint: only statistics can tell, and such a small fault may pass them.
    nightly();
    Map<String, StoredCell> wrong = w8a8();
    assertThat(wrong.get("2000 piqa")).isNotEqualTo(right.get("2000 piqa"));
    // As a wrong backend that says it is the right one: the same cells, other scores.
    List<String> spoiled = new ArrayList<>();
    Path before = folder.resolve("out");
    folder = Files.createDirectories(folder.resolve("wrong"));
    theNightAfter();
    for (String task : TASKS) {
      StoredCell cell = right.get("2000 " + task);
      Tables there =
          new Tables(new org.apache.hadoop.fs.Path(before.toString()), new Configuration());
      List<ScoreRow> rows =
          there.scores(wrong.get("2000 " + task)).read(Tables.SCORES).stream()
              .map(row -> of(cell.id(), row))
              .toList();
      tables().scores(cell).write(tables().staging(), Tables.SCORES, Map.of(), rows);
      spoiled.add(task);
    }
    assertThat(nightly()).isEqualTo(ExitCode.GATE_FAILED);
    assertThat(verdicts(VerdictRow.FAIL))
        .filteredOn(row -> row.rule().equals("reproduction"))
        .allMatch(row -> row.reason().startsWith("the same cell has other scores: "))
        .extracting(VerdictRow::task)
        .containsExactlyInAnyOrderElementsOf(spoiled);
  }

  /** A scale that is off by more: statistics catch it, whatever the kernel calls itself. */
  @Test
  void aBackendThatIsFarOffIsCaughtByStatistics() throws Exception {
    theNightAfter();
    scaleOneRow(weights(2000), "gpt_neox.layers.0.attention.dense.weight", 8);
    assertThat(nightly()).isEqualTo(ExitCode.GATE_FAILED);
    assertThat(verdicts(VerdictRow.FAIL)).extracting(VerdictRow::rule).contains("mean");
  }

  @Test
  void aDryRunSaysWhatCanBeDetected() throws Exception {
    theNightAfter();
    assertThat(nightly("--dry-run")).isEqualTo(ExitCode.DONE);
    assertThat(printed).contains("What gate 'default' finds with a power of 80 %");
    assertThat(printed.lines().filter(line -> line.startsWith("mean ")))
        .hasSize(2)
        .allMatch(line -> line.matches("mean +(fp32|w8a8) +mean +\\d+ +1 +abs_pp +\\d.*"));
    assertThat(tables().acceptedRuns()).hasSize(1);
  }

  @Test
  void aBaselineThatIsNotThereIsNamed() throws Exception {
    theNightAfter();
    assertThat(nightly("--baseline", "nowhere")).isEqualTo(ExitCode.BAD_INPUT);
    // Another output folder, whose last accepted run is meant.
    Path other = folder.resolve("other");
    copy(folder.resolve("out"), other);
    assertThat(nightly("--baseline", other.toString())).isEqualTo(ExitCode.DONE);
    assertThat(lastLine()).contains(" against " + other + " 20");
    // Or one without, whose tables are meant.
    delete(other.resolve("accepted"));
    assertThat(nightly("--baseline", other.toString())).isEqualTo(ExitCode.DONE);
    assertThat(lastLine()).endsWith(" against " + other);
  }

  private Map<String, StoredCell> w8a8() {
    Map<String, StoredCell> cells = new TreeMap<>();
    tables()
        .storedCells("bf16-wd0.1", "w8a8")
        .forEach(cell -> cells.put(cell.slice().step() + " " + cell.task(), cell));
    return cells;
  }

  private static ScoreRow of(String cellId, ScoreRow row) {
    return new ScoreRow(
        cellId,
        row.replica(),
        row.item(),
        row.docHash(),
        row.gold(),
        row.chosen(),
        row.chosenNorm(),
        row.chosenBytes(),
        row.correct(),
        row.correctNorm(),
        row.choices(),
        row.status(),
        row.error());
  }

  private static void copyOver(Path from, Path to) throws IOException {
    Files.write(to, Files.readAllBytes(from));
  }

  private static void delete(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      files
          .sorted(java.util.Comparator.reverseOrder())
          .forEach(
              file -> {
                try {
                  Files.delete(file);
                } catch (IOException e) {
                  throw new UncheckedIOException(e);
                }
              });
    }
  }

  /** Multiplies the first output's weights by a power of two, exactly: they are bfloat16. */
  private static void scaleOneRow(Path file, String tensor, int exponent) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    int header = (int) bytes.getLong(0);
    JsonNode node =
        new ObjectMapper()
            .readTree(new String(bytes.array(), 8, header, StandardCharsets.UTF_8))
            .get(tensor);
    assertThat(node.get("dtype").asText()).isEqualTo("BF16");
    int start = 8 + header + node.get("data_offsets").get(0).asInt();
    int columns = node.get("shape").get(1).asInt();
    for (int c = 0; c < columns; c++) {
      int at = start + 2 * c;
      float value = Float.intBitsToFloat(bytes.getShort(at) << 16);
      bytes.putShort(at, (short) (Float.floatToRawIntBits(Math.scalb(value, exponent)) >>> 16));
    }
    Files.write(file, bytes.array());
  }
}
