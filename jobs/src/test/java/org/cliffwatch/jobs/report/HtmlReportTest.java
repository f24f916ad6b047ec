package org.cliffwatch.jobs.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.cliffwatch.jobs.report.HtmlReport.Known;
import org.cliffwatch.jobs.sql.HandMadeRun;
import org.cliffwatch.jobs.sql.LocalSpark;
import org.cliffwatch.jobs.table.DocumentRow;
import org.cliffwatch.jobs.table.RunRow;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.jobs.table.Tables.Slice;
import org.cliffwatch.tasks.InvalidInputException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HtmlReportTest {
  private static final String HOSTILE =
      "</script><script>alert(1)</script><!-- <img src=x onerror=alert(2)> & \"é\" \u2028";

  private static final String OLD = "old";

  @TempDir static Path folder;
  private static SparkSession spark;
  private static Map<String, Object> all;

  @BeforeAll
  static void makeTables() throws IOException {
    Tables tables = HandMadeRun.now(folder.resolve("now")).tables();
    // The third item, which wide loses nowhere and 2024 in w8a8, is known from an imported log.
    tables
        .documents(new Slice("2024", "fp32", 100), "piqa")
        .write(
            tables.staging(),
            Tables.DOCUMENTS,
            Map.of(),
            List.of(new DocumentRow(4, "{}", "0", arguments(), "hash", "hash")));
    run(
        tables,
        OLD,
        """
        checkpoints.0.model: 2024
        checkpoints.0.path: /models/step{step}
        checkpoints.0.steps.0: 100
        precisions.0: fp32
        precisions.1: w8a8
        bos: always
        tasks.0.data: piqa
        tasks.0.task: piqa""");
    spark = LocalSpark.start();
    spark
        .sql(
            "SELECT 'old' AS run_id, 'no-worse' AS rule, '2024' AS model, 'w8a8' AS precision, 100L AS step,"
                + " 'piqa' AS task, 'fail' AS outcome, -1.5 AS value, -1.0 AS margin, 0.01 AS p_adjusted,"
                + " 0.5 AS minimum_detectable, 'below the margin' AS reason")
        .write()
        .mode(SaveMode.Overwrite)
        .partitionBy("run_id")
        .parquet(folder.resolve("now/verdicts").toString());
    all = report().data(Optional.empty());
  }

  @AfterAll
  static void stopSpark() {
    spark.stop();
  }

  private static String arguments() throws IOException {
    return new ObjectMapper()
        .writeValueAsString(List.of(List.of(HOSTILE, " a"), List.of(HOSTILE, " b")));
  }

  private static void run(Tables tables, String id, String configuration) {
    tables
        .run(id)
        .write(
            tables.staging(),
            Tables.RUNS,
            Map.of(),
            List.of(
                new RunRow(
                    "2025-01-01T00:00:00Z",
                    "2025-01-01T00:01:00Z",
                    "suite",
                    configuration,
                    "commit",
                    "4.1.0",
                    "17",
                    "host",
                    "cpu",
                    null,
                    "reference",
                    2,
                    2,
                    0,
                    0,
                    0)));
  }

  private static HtmlReport report() {
    return report(folder.resolve("now"));
  }

  private static HtmlReport report(Path tables) {
    return new HtmlReport(spark, tables.toString(), new Known(List.of(), Map.of()), System.err);
  }

  @SuppressWarnings("unchecked")
  private static Answer answer(Map<String, Object> data, String name) {
    return ((Map<String, Answer>) data.get("answers")).get(name);
  }

  /** The only row that has these values. */
  private static Map<String, Object> row(String name, Map<String, Object> having) {
    Answer answer = answer(all, name);
    List<Map<String, Object>> found =
        answer.rows().stream()
            .map(row -> named(answer.columns(), row))
            .filter(row -> row.entrySet().containsAll(having.entrySet()))
            .toList();
    assertThat(found).hasSize(1);
    return found.get(0);
  }

  private static Map<String, Object> named(List<String> columns, List<Object> row) {
    Map<String, Object> named = new LinkedHashMap<>();
    for (int i = 0; i < columns.size(); i++) {
      named.put(columns.get(i), row.get(i));
    }
    return named;
  }

  @Test
  void figuresShowWhatTheTablesHold() {
    assertThat(row("totals", Map.of())).containsEntry("cells", 18L).containsEntry("models", 2L);
    // piqa loses 3 of 8 right answers, lambada 1 of 4.
    assertThat(
            row(
                "by-step",
                Map.of("model", "2024", "step", 200L, "precision", "w8a8", "metric", "acc")))
        .containsEntry("rel_pct", -31.25);
    assertThat(row("by-size", Map.of("model", "wide", "precision", "w8a8", "metric", "acc")))
        .containsEntry("parameters", 50_000_000L)
        .containsEntry("rel_pct", -6.25);
    // A perplexity of 12 after 10 is worse by 20 %.
    Map<String, Object> lambada =
        row(
            "heat-map",
            Map.of(
                "model",
                "2024",
                "task",
                "lambada_openai",
                "precision",
                "w8a8",
                "metric",
                "perplexity"));
    assertThat((double) lambada.get("change_pct")).isCloseTo(-20, within(1e-9));
    // Together with wide's, which goes from 5 to 4.
    Answer heat = answer(all, "heat-map");
    assertThat(heat.rows().get(0)).startsWith((Object) null);
    // Half of a million weights in 8 bits and a quarter in 32.
    assertThat(row("cost", Map.of("model", "2024", "precision", "w8a8", "metric", "acc")))
        .containsEntry("weight_bytes", 1_500_000.0)
        .containsEntry("value", (5 / 8.0 + 3 / 8.0) / 2);
  }

  @Test
  void flipsAreTheItemsThatTurned() {
    assertThat(
            row(
                "flip-counts",
                Map.of("model", "2024", "step", 100L, "precision", "w8a8", "task", "piqa")))
        .containsEntry("items", 8L)
        .containsEntry("lost", 1L)
        .containsEntry("gained", 1L);
    Map<String, Object> lost =
        row(
            "flips",
            Map.of(
                "model",
                "2024",
                "step",
                100L,
                "precision",
                "w8a8",
                "task",
                "piqa",
                "kind",
                "lost"));
    // The choices are a nat apart, before and after.
    assertThat(lost)
        .containsEntry("item", 4)
        .containsEntry("turned_by", 2.0)
        .containsEntry("gold", 0)
        .containsEntry("baseline_chosen", 0)
        .containsEntry("chosen", 1)
        .containsEntry("baseline_nats", List.of(-1.5, -2.5))
        .containsEntry("nats", List.of(-2.5, -1.5));
    Answer flips = answer(all, "flips");
    long counted =
        answer(all, "flip-counts").rows().stream()
            .map(row -> named(answer(all, "flip-counts").columns(), row))
            .mapToLong(row -> (long) row.get("lost") + (long) row.get("gained"))
            .sum();
    assertThat(flips.rows()).hasSize((int) counted);
    assertThat(flips.complete()).isTrue();
  }

  @Test
  void quantilesAreOverItems() {
    // Of 8 + 8 + 8 items w8a8 loses 1 + 3 + 1 and gains one, a nat each.
    Answer changes = answer(all, "item-changes");
    Map<String, Object> piqa =
        changes.rows().stream()
            .map(row -> named(changes.columns(), row))
            .filter(
                row ->
                    row.get("model") == null
                        && row.get("task").equals("piqa")
                        && row.get("precision").equals("w8a8"))
            .findFirst()
            .orElseThrow();
    assertThat(piqa)
        .containsEntry("items", 24L)
        .containsEntry("p05", -1.0)
        .containsEntry("median", 0.0);
    assertThat((double) piqa.get("mean")).isCloseTo(-4 / 24.0, within(1e-12));
  }

  @Test
  void whatIsShownAsSqlGivesTheSameRows() throws IOException {
    @SuppressWarnings("unchecked")
    Map<String, Answer> answers = (Map<String, Answer>) all.get("answers");
    assertThat(answers).containsKeys("verdicts", "causes", "lint", "numbers", "kl");
    try (ReportTables tables =
        new ReportTables(
            spark, folder.resolve("now").toString(), List.of(), Optional.empty(), System.err)) {
      answers.forEach(
          (name, answer) ->
              assertThat(tables.session().sql(answer.sql()).count())
                  .as(name)
                  .isEqualTo(answer.rows().size()));
    }
  }

  @Test
  void everyNumberSaysWhereItComesFrom() {
    assertThat(
            row(
                "numbers",
                Map.of("model", "2024", "step", 100L, "precision", "w8a8", "task", "piqa")))
        .containsEntry("run_id", OLD)
        .containsEntry("code_version", "commit")
        .containsEntry("kernel", "kernel")
        .containsEntry("task_hash", "hash");
    assertThat(
            row(
                "numbers",
                Map.of("model", "2024", "step", 100L, "precision", "w4", "task", "piqa")))
        .containsEntry("run_id", null);
    assertThat(answer(all, "lint").rows())
        .anySatisfy(row -> assertThat(row.get(1).toString()).contains("bos: always"));
    assertThat(row("verdicts", Map.of())).containsEntry("outcome", "fail");
  }

  @Test
  void aRunShowsItsCellsAlone() throws IOException {
    Map<String, Object> data = report().data(Optional.of(OLD));
    assertThat(named(answer(data, "totals").columns(), answer(data, "totals").rows().get(0)))
        .containsEntry("cells", 2L)
        .containsEntry("precisions", 2L);
    assertThat(answer(data, "flips").rows()).hasSize(2);
    assertThat(answer(data, "runs").rows()).hasSize(1);
    assertThat(answer(data, "checkpoints").rows()).hasSize(1);
  }

  @Test
  void anUnknownRunIsRefused() {
    assertThatThrownBy(() -> report().data(Optional.of("olt")))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageStartingWith("--run: found 'olt', expected a run of " + folder.resolve("now"))
        .hasMessageContaining("did you mean 'old'?");
    assertThatThrownBy(() -> report().data(Optional.of("run")))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("does not say what its cells are");
  }

  @Test
  void aFolderWithoutCellsHasAPage() throws IOException {
    Path empty = folder.resolve("empty");
    assertThatThrownBy(() -> report(empty).page(Optional.empty()))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("found no table");
    run(
        new Tables(
            new org.apache.hadoop.fs.Path(empty.toString()),
            spark.sparkContext().hadoopConfiguration()),
        "run",
        "name: suite");
    JsonNode data = data(report(empty).page(Optional.empty()));
    assertThat(data.at("/answers/totals/rows/0/4").asInt()).isZero();
    assertThat(data.at("/answers/runs/rows")).hasSize(1);
  }

  @Test
  void thePageNeedsNothingAndTextsStayTexts() throws Exception {
    String page = Page.of("Tom & <i>Jerry</i>", Page.json(all));
    assertThat(page).contains("<title>Tom &amp; &lt;i>Jerry&lt;/i></title>");
    String markup =
        Pattern.compile("<script.*?</script>", Pattern.DOTALL).matcher(page).replaceAll("");
    assertThat(markup).doesNotContain("<link", "src=", "url(", "http:", "https:", "alert(");
    assertThat(data(page).at("/texts/piqa/piqa#4/contexts/0").asText()).isEqualTo(HOSTILE);
    List<String> scripts = elements("<script>(.*?)</script>", page);
    assertThat(scripts).hasSize(2);
    assertThat(scripts.get(0)).contains("Licensed to the Apache Software Foundation");
    String policy = elements("Content-Security-Policy\" content=\"(.*?)\"", page).get(0);
    assertThat(policy).startsWith("default-src 'none';");
    for (String script : scripts) {
      byte[] digest =
          MessageDigest.getInstance("SHA-256").digest(script.getBytes(StandardCharsets.UTF_8));
      assertThat(policy).contains("'sha256-" + Base64.getEncoder().encodeToString(digest) + "'");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "screen, light, 1280",
    "screen, dark, 1280",
    "screen, light, 375",
    "print, light, 1000"
  })
  void aBrowserShowsItAllAndAsksForNothing(String media, String scheme, int width)
      throws Exception {
    Path file = folder.resolve("hostile.html");
    Files.writeString(file, Page.of("<i>suite</i>", Page.json(all)));
    try (Browser browser = new Browser(folder.resolve("profile-" + media + scheme + width))) {
      browser.command(
          "Emulation.setDeviceMetricsOverride",
          Map.of("width", width, "height", 900, "deviceScaleFactor", 1, "mobile", width < 500));
      browser.command(
          "Emulation.setEmulatedMedia",
          Map.of(
              "media",
              media,
              "features",
              List.of(Map.of("name", "prefers-color-scheme", "value", scheme))));
      browser.open(file.toUri());
      // Figures are drawn as they come into sight.
      browser.evaluate(
          """
          (async () => {
            document.querySelectorAll("details").forEach(each => each.open = true);
            for (let y = 0; y < document.body.scrollHeight; y += 300) {
              scrollTo(0, y);
              await new Promise(done => requestAnimationFrame(() => setTimeout(done, 20)));
            }
          })()""");
      assertThat(browser.evaluate("document.querySelectorAll('.chart').length").asInt())
          .isPositive();
      assertThat(
              browser.evaluate("document.querySelectorAll('.chart:not(:has(svg))').length").asInt())
          .isZero();
      assertThat(browser.evaluate("document.title").asText()).isEqualTo("<i>suite</i>");
      assertThat(browser.evaluate("document.body.textContent").asText()).contains(HOSTILE);
      assertThat(
              browser.evaluate("document.querySelectorAll('img, i, iframe, link').length").asInt())
          .isZero();
      assertThat(browser.evaluate("document.documentElement.scrollWidth - innerWidth").asInt())
          .isNotPositive();
      assertThat(browser.events("Network.requestWillBeSent"))
          .extracting(sent -> sent.at("/request/url").asText())
          .allMatch(url -> url.equals(file.toUri().toString()) || url.startsWith("data:"));
      assertThat(browser.events("Runtime.exceptionThrown")).isEmpty();
      assertThat(browser.events("Page.javascriptDialogOpening")).isEmpty();
      assertThat(browser.events("Log.entryAdded")).isEmpty();
      if (media.equals("screen")) {
        assertThat(violations(browser)).isEmpty();
      }
    }
  }

  /** What axe-core finds: WCAG 2.2 A and AA, and its best practices. */
  private static List<String> violations(Browser browser) throws Exception {
    try (InputStream axe = HtmlReportTest.class.getResourceAsStream("/axe.min.js")) {
      browser.evaluate(new String(axe.readAllBytes(), StandardCharsets.UTF_8) + "; true");
    }
    JsonNode found =
        browser.evaluate(
            """
            axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})
              .then(result => result.violations.map(v =>
                `${v.id}: ${v.nodes.slice(0, 3).map(n => n.target + " " + n.failureSummary).join(" | ")}`))""");
    List<String> violations = new ArrayList<>();
    found.forEach(each -> violations.add(each.asText()));
    return violations;
  }

  private static List<String> elements(String pattern, String page) {
    Matcher matcher = Pattern.compile(pattern, Pattern.DOTALL).matcher(page);
    return matcher.results().map(result -> result.group(1)).toList();
  }

  private static JsonNode data(String page) throws IOException {
    String json =
        elements("<script type=\"application/json\" id=\"data\">(.*?)</script>", page).get(0);
    assertThat(json).doesNotContain("<");
    return new ObjectMapper().readTree(json);
  }

  @Test
  void anAnswerIsBounded() {
    Answer some = Answer.to("SELECT id FROM range(10) ORDER BY id\n", 3, spark);
    assertThat(some.rows()).containsExactly(List.of(0L), List.of(1L), List.of(2L));
    assertThat(some.complete()).isFalse();
    assertThat(some.sql()).isEqualTo("SELECT id FROM range(10) ORDER BY id\nLIMIT 4");
    Answer whole = Answer.to("SELECT double('NaN') AS value FROM range(3)", 3, spark);
    assertThat(whole.complete()).isTrue();
    assertThat(whole.rows().get(0)).containsExactly((Object) null);
  }
}
