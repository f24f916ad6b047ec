package org.cliffwatch.jobs.sql;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.spark.sql.SparkSession;
import org.jline.terminal.Terminal;
import org.jline.terminal.impl.ExternalTerminal;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Typed at a terminal, key by key. */
class PromptTest {
  private static final String CTRL_C = "\u0003";
  private static final String CTRL_D = "\u0004";
  private static final String UP = "\u001b[A";
  private static final String READY = "cliffwatch> ";

  @TempDir static Path tables;
  private static SparkSession spark;
  private static Database database;

  @TempDir Path home;
  private final ByteArrayOutputStream screen = new ByteArrayOutputStream();
  private PipedOutputStream keys;
  private Terminal terminal;
  private CompletableFuture<Void> prompt;
  private int seen;

  @BeforeAll
  static void openTables() throws IOException {
    HandMadeRun.now(tables);
    spark = LocalSpark.start();
    database = new Database(spark, System.err);
    database.open(tables.toString(), Optional.empty());
    database.openBefore(Optional.empty(), Optional.empty());
  }

  @AfterAll
  static void stopSpark() {
    spark.stop();
  }

  @BeforeEach
  void start() throws IOException {
    start(home.resolve("state/history"));
  }

  private void start(Path history) throws IOException {
    keys = new PipedOutputStream();
    terminal =
        new ExternalTerminal(
            "test", "ansi", new PipedInputStream(keys), screen, StandardCharsets.UTF_8);
    Prompt typed = new Prompt(terminal, database, ResultFormat.table, Optional.of(history));
    prompt = CompletableFuture.runAsync(typed::run);
    await(READY);
  }

  @AfterEach
  void close() throws IOException {
    terminal.close();
  }

  private void type(String text) throws IOException {
    keys.write(text.getBytes(StandardCharsets.UTF_8));
    keys.flush();
  }

  /** What appears on the screen from the last awaited text to this one. */
  private String await(String text) {
    Instant end = Instant.now().plus(Duration.ofMinutes(2));
    while (true) {
      String all = screen.toString(StandardCharsets.UTF_8);
      int at = all.indexOf(text, seen);
      if (at >= 0) {
        String shown = all.substring(seen, at);
        seen = at + text.length();
        return shown;
      }
      assertThat(Instant.now()).as("no '%s' in: %s", text, all.substring(seen)).isBefore(end);
      try {
        Thread.sleep(10);
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
    }
  }

  /** Types lines, and shows what is on the screen until the prompt is back. */
  private String answer(String lines) throws IOException {
    type(lines);
    return await("Time taken: ") + await(READY);
  }

  private void leaves() throws InterruptedException, ExecutionException, TimeoutException {
    prompt.get(60, TimeUnit.SECONDS);
  }

  @Test
  void aStatementMayTakeSeveralLines() throws Exception {
    type("SELECT count(*) AS n\r");
    await("-> ");
    assertThat(answer("FROM metrics -- not yet;\r;\r")).contains("27").contains("fetched 1 row(s)");
    type(CTRL_D);
    leaves();
  }

  @Test
  void severalStatementsMayShareALine() throws Exception {
    type("SELECT 'a' || 'b'; SELECT 'c' || 'd';\r");
    await("ab");
    await("Time taken: ");
    await("cd");
    await("Time taken: ");
  }

  @Test
  void anErrorIsALineAndThePromptGoesOn() throws Exception {
    type("SELECT nope FROM metrics;\r");
    assertThat(await(READY))
        .contains("error: [UNRESOLVED_COLUMN")
        .doesNotContain("at org.")
        .doesNotContain("Project [");
    type("SELECT 1 / 0;\r");
    assertThat(await(READY)).contains("error: [DIVIDE_BY_ZERO]");
    assertThat(answer("SELECT 6 * 7;\r")).contains("42");
  }

  @Test
  void ctrlCClearsTheStatement() throws Exception {
    type("SELECT nonsense\r");
    await("-> ");
    type("and more");
    // Unlike a kernel's, this terminal keeps what was not read yet at Ctrl-C.
    await("and more");
    type(CTRL_C);
    await(READY);
    assertThat(answer("SELECT 6 * 7;\r")).contains("42");
  }

  @Test
  void ctrlCStopsTheStatementThatRuns() throws Exception {
    type("SELECT count(*) FROM range(1000000000000) WHERE id % 7 = rand();\r");
    Instant end = Instant.now().plus(Duration.ofMinutes(1));
    while (spark.sparkContext().statusTracker().getActiveJobIds().length == 0) {
      assertThat(Instant.now()).isBefore(end);
      Thread.sleep(10);
    }
    type(CTRL_C);
    assertThat(await(READY)).contains("stopped");
    assertThat(answer("SELECT 6 * 7;\r")).contains("42");
  }

  @Test
  void tabCompletesKeywordsTablesAndColumns() throws Exception {
    assertThat(answer("sel\tmax(baseline_v\t) fr\tdeg\t;\r"))
        .contains("max(baseline_value)", "20.0");
    assertThat(answer("SELECT d.higher_\tFR\tmetrics d LIM\t1;\r"))
        .contains("higher_is_better", "true");
    assertThat(answer("SELECT count(*) FROM before.deg\t;\r")).contains("0");
  }

  @Test
  void theTablesAreListedAndDescribed() throws Exception {
    assertThat(answer("\\d\r")).contains("degradation", "metrics", "results", "scores");
    assertThat(answer(".tables\r")).contains("degradation");
    assertThat(answer("\\d runs\r")).contains("cells_reused", "int");
    assertThat(answer("describe scores;\r")).contains("doc_hash");
  }

  @Test
  void aFileOfStatementsIsRun() throws Exception {
    Path file = Files.writeString(home.resolve("two.sql"), "SELECT 6 * 7;\nSELECT 'x' || 'y'");
    type("\\i " + file + "\r");
    await("42");
    await("xy");
    await(READY);
    type("\\i " + home.resolve("absent.sql") + "\r");
    assertThat(await(READY)).contains("absent.sql: found nothing readable");
  }

  @Test
  void whatWasTypedIsRememberedInTheNextSession() throws Exception {
    answer("SELECT 6 *\r 7;\r");
    type("quit\r");
    leaves();
    start(home.resolve("state/history"));
    assertThat(answer(UP + UP + "\r")).contains("42");
  }

  @Test
  void aHistoryThatCannotBeWrittenIsDoneWithout() throws Exception {
    type("exit;\r");
    leaves();
    start(Files.createFile(home.resolve("file")).resolve("history"));
    assertThat(answer("SELECT 6 * 7;\r")).contains("42");
    type(CTRL_D);
    leaves();
  }

  @Test
  void historyIsWhereXdgHasIt() {
    assertThat(Prompt.historyFile(Map.of("HOME", "/home/u")))
        .contains(Path.of("/home/u/.local/state/cliffwatch/sql_history"));
    assertThat(Prompt.historyFile(Map.of("HOME", "/home/u", "XDG_STATE_HOME", "/s")))
        .contains(Path.of("/s/cliffwatch/sql_history"));
    assertThat(Prompt.historyFile(Map.of())).isEmpty();
  }
}
