package org.cliffwatch.jobs.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.cliffwatch.jobs.Commands;
import org.cliffwatch.jobs.ExitCode;
import org.cliffwatch.jobs.FaultyFileSystem;
import org.cliffwatch.jobs.StandaloneCluster;
import org.cliffwatch.jobs.TinyWorld;
import org.cliffwatch.jobs.suite.Suite;
import org.cliffwatch.jobs.suite.SuiteReader;
import org.cliffwatch.jobs.table.MetricRow;
import org.cliffwatch.jobs.table.RowFile;
import org.cliffwatch.jobs.table.StorageException;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.definition.Tasks;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What goes wrong around a run: it says so, keeps what was committed, and a run after it does the
 * rest. Two runs, disks and storage here; processes that die in {@link KillsTest}.
 */
@Timeout(value = 5, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FaultsTest {
  private static final int ITEMS = 20;
  private static final int CELLS = 8;

  private static SparkSession session;
  private static JavaSparkContext spark;

  @TempDir static Path world;
  private static Map<String, String> undisturbed;

  @TempDir Path folder;
  private final ByteArrayOutputStream log = new ByteArrayOutputStream();

  @BeforeAll
  static void start() throws IOException {
    session = StandaloneCluster.sessionBuilder().master("local[2,4]").getOrCreate();
    spark = JavaSparkContext.fromSparkContext(session.sparkContext());
    for (int seed = 1; seed <= 2; seed++) {
      TinyWorld.checkpoint(world.resolve("tiny" + seed), seed);
    }
    Files.write(world.resolve("copa.jsonl"), TinyWorld.copaLines(ITEMS));
    Files.write(world.resolve("lambada.jsonl"), TinyWorld.lambadaLines(ITEMS));
    Files.writeString(
        world.resolve("suite.yaml"),
        """
        checkpoints: [{model: one, path: tiny1}, {model: two, path: tiny2}]
        precisions: [fp32, w8a8]
        tasks: [{task: copa, data: copa.jsonl}, {task: lambada_openai, data: lambada.jsonl}]
        shard_items: 4
        """);
    Path output = world.resolve("undisturbed");
    assertThat(evaluation(output.toString(), System.err).run().exitCode()).isEqualTo(ExitCode.DONE);
    undisturbed = Contents.of(output);
    assertThat(undisturbed).hasSize(CELLS + 2 * 3);
  }

  @AfterAll
  static void stop() {
    session.stop();
  }

  @BeforeEach
  void withoutFaults() {
    faults();
  }

  private static FaultyFileSystem.Builder faults() {
    return FaultyFileSystem.in(spark.hadoopConfiguration());
  }

  private static Evaluation evaluation(String output, PrintStream log, String... sets) {
    Suite suite =
        new SuiteReader(Precisions.packaged(), Tasks.builtIn(), Map.of())
            .read(world.resolve("suite.yaml"), List.of(sets));
    return new Evaluation(spark, suite, output, false, log);
  }

  private Evaluation.Outcome evaluate(String output) {
    log.reset();
    return evaluation(output, new PrintStream(log, true, StandardCharsets.UTF_8)).run();
  }

  private String logged() {
    return log.toString(StandardCharsets.UTF_8);
  }

  /** Without any fault: what was committed is taken, and the rest is scored. */
  private void assertRepeatCompletes(Path output, String uri) {
    faults();
    Map<String, String> committed = Contents.cells(output);
    assertThat(evaluate(uri).exitCode()).isEqualTo(ExitCode.DONE);
    if (!committed.isEmpty()) {
      assertThat(logged())
          .contains(committed.size() + " of " + CELLS + " cells are committed already");
    }
    assertThat(Contents.of(output)).isEqualTo(undisturbed);
    assertThat(Contents.cells(output)).containsAllEntriesOf(committed);
  }

  @ParameterizedTest
  @ValueSource(strings = {"file", "file/below", "/proc/nothing"})
  void anOutputThatCannotBeWrittenIsRefusedBeforeAnythingIsRead(String name) throws IOException {
    Files.writeString(folder.resolve("file"), "in the way");
    Path output = folder.resolve(name);
    Throwable refusal = catchThrowable(() -> evaluate(output.toString()));
    assertThat(Commands.mendable(refusal)).contains(refusal);
    assertThat(refusal)
        .isInstanceOf(StorageException.class)
        .hasMessageStartingWith("--output: cannot write into " + output + ", expected a folder");
    assertThat(logged()).isEmpty();
    assertThat(folder.resolve("file")).hasContent("in the way");
  }

  @Test
  void aFullDiskIsKnownAtTheStart() throws IOException {
    Path output = Files.createDirectories(folder.resolve("out"));
    faults().hasRoom(0, output);
    assertThatThrownBy(() -> evaluate(FaultyFileSystem.uri(output)))
        .isInstanceOf(StorageException.class)
        .hasMessageContaining("cannot write into " + FaultyFileSystem.uri(output))
        .hasMessageEndingWith("No space left on device");
    assertRepeatCompletes(output, FaultyFileSystem.uri(output));
  }

  /** Where there is no room for a row that says why, either. */
  @ParameterizedTest
  @ValueSource(ints = {12, 26})
  void aDiskThatFillsKeepsWhatIsCommitted(int kilobytes) throws IOException {
    Path output = Files.createDirectories(folder.resolve("out"));
    String uri = FaultyFileSystem.uri(output);
    faults().hasRoom(kilobytes * 1024L, output);
    Throwable refusal = catchThrowable(() -> evaluate(uri));
    assertThat(Commands.mendable(refusal).orElseThrow())
        .isInstanceOf(StorageException.class)
        .hasMessageContaining("cannot write " + uri)
        .hasMessageEndingWith("No space left on device");
    assertThat(undisturbed).containsAllEntriesOf(scores(Contents.of(output)));
    assertRepeatCompletes(output, uri);
  }

  @Test
  void whatCannotBeCommittedFailsWithTheReason() throws IOException {
    Path output = folder.resolve("out");
    String uri = FaultyFileSystem.uri(output);
    faults().isObjectStore().hasRoom(9 * 1024, Files.createDirectories(output.resolve("scores")));
    assertThat(evaluate(uri).exitCode()).isEqualTo(ExitCode.CELLS_FAILED);
    Tables tables = new Tables(new org.apache.hadoop.fs.Path(uri), spark.hadoopConfiguration());
    assertThat(
            Stream.of("one", "two")
                .flatMap(model -> tables.metrics(model).read(Tables.METRICS).stream())
                .map(MetricRow::error)
                .filter(error -> error != null))
        .isNotEmpty()
        .allMatch(error -> error.startsWith("cannot write " + uri + "/scores/"))
        .allMatch(error -> error.endsWith("No space left on device"));
    assertThat(Contents.cells(output)).isNotEmpty();
    assertThat(undisturbed).containsAllEntriesOf(scores(Contents.of(output)));
    assertRepeatCompletes(output, uri);
  }

  private static Map<String, String> scores(Map<String, String> contents) {
    contents.keySet().removeIf(file -> !file.startsWith("scores/"));
    return contents;
  }

  @Test
  void twoRunsAtOnceIntoOneOutputMakeTheSameTables() {
    Path output = folder.resolve("out");
    List<CompletableFuture<Evaluation.Outcome>> runs =
        Stream.of(1, 2)
            .map(
                i ->
                    CompletableFuture.supplyAsync(
                        () -> evaluation(output.toString(), System.err).run()))
            .toList();
    assertThat(runs).allSatisfy(run -> assertThat(run.join().exitCode()).isEqualTo(ExitCode.DONE));
    assertThat(Contents.of(output)).isEqualTo(undisturbed);
    assertRepeatCompletes(output, output.toString());
  }

  /** Version 1 had a folder a precision below a model's in {@code metrics}. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "metrics/model=m/precision=fp32/step=0/copa.parquet",
        "scores/model=m/precision=fp32/step=0/task=copa/scores.parquet"
      })
  void tablesOfVersion1AreRefused(String file) throws IOException {
    Path old = folder.resolve(file);
    Files.createDirectories(old.getParent());
    Files.createFile(old);
    assertRefused("found tables of version 1, expected 2 to " + Tables.VERSION);
  }

  @Test
  void tablesOfANewerVersionAreRefused() throws IOException {
    Files.writeString(folder.resolve("VERSION"), (Tables.VERSION + 1) + "\n");
    assertRefused("found tables of version " + (Tables.VERSION + 1));
    Files.writeString(folder.resolve("VERSION"), "many\n");
    assertRefused("VERSION: found 'many', expected the version");
  }

  private void assertRefused(String message) {
    Tables tables =
        new Tables(new org.apache.hadoop.fs.Path(folder.toString()), new Configuration());
    List<Consumer<Tables>> uses =
        List.of(Tables::requireVersion, Tables::begin, t -> evaluate(folder.toString()));
    assertThat(uses)
        .allSatisfy(
            use ->
                assertThatThrownBy(() -> use.accept(tables))
                    .isInstanceOf(InvalidInputException.class)
                    .hasMessageContaining(folder.toString())
                    .hasMessageContaining(message));
    assertThat(folder.resolve("runs")).doesNotExist();
  }

  /** Those of version 2 had no file that says so, and can be read and written with today's. */
  @Test
  void tablesOfVersion2AreTakenAlong() throws IOException {
    evaluate(folder.toString());
    Files.delete(folder.resolve("VERSION"));
    assertRepeatCompletes(folder, folder.toString());
    assertThat(folder.resolve("VERSION")).hasContent(Integer.toString(Tables.VERSION));
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 5})
  void storageThatFailsAndDelays(long seed) throws IOException {
    faults().fails(0.01 * seed, seed).delays(5);
    assertWholeOrClearlyFailed(seed);
  }

  @ParameterizedTest
  @ValueSource(longs = {11, 12, 13, 15})
  void anObjectStoreThatFailsAndListsLate(long seed) throws IOException {
    faults().isObjectStore().fails(0.01 * (seed - 10), seed).listsLate(500);
    assertWholeOrClearlyFailed(seed);
  }

  /** What is known of checkpoints is kept if it can be: else the next run reads them again. */
  private static Map<String, String> withoutCheckpoints(Map<String, String> contents) {
    Map<String, String> others = new TreeMap<>(contents);
    others.keySet().removeIf(file -> file.startsWith("checkpoints/"));
    return others;
  }

  private void assertWholeOrClearlyFailed(long seed) {
    Path output = folder.resolve("out");
    String uri = FaultyFileSystem.uri(output);
    Evaluation.Outcome outcome = null;
    Throwable refusal = null;
    try {
      outcome = evaluate(uri);
    } catch (Exception e) { // Spark throws checked ones unchecked
      refusal = e;
    }
    if (refusal != null) {
      assertThat(Commands.mendable(refusal)).as("%s", refusal).isPresent();
      assertThat(Commands.mendable(refusal).orElseThrow().getMessage()).contains("cannot");
    } else if (outcome.exitCode() == ExitCode.DONE) {
      Map<String, String> found = Contents.of(output);
      assertThat(undisturbed).containsAllEntriesOf(found);
      assertThat(withoutCheckpoints(found)).isEqualTo(withoutCheckpoints(undisturbed));
    } else {
      assertThat(outcome.exitCode()).isEqualTo(ExitCode.CELLS_FAILED);
    }
    System.out.printf(
        "faulty storage, seed %d: %s, %d of %d cells committed%n",
        seed,
        refusal != null
            ? Commands.mendable(refusal).orElseThrow().getMessage()
            : "exit code " + outcome.exitCode(),
        Contents.cells(output).size(),
        CELLS);
    assertThat(undisturbed).containsAllEntriesOf(scores(Contents.of(output)));
    assertRepeatCompletes(output, uri);
  }

  @Test
  void aStoreThatListsLateLosesAndDoublesNothing() {
    Path output = folder.resolve("out");
    faults().isObjectStore().listsLate(1500);
    assertThat(evaluate(FaultyFileSystem.uri(output)).exitCode()).isEqualTo(ExitCode.DONE);
    assertThat(Contents.of(output)).isEqualTo(undisturbed);
    evaluate(FaultyFileSystem.uri(output));
    assertThat(Contents.of(output)).as("listed or not").isEqualTo(undisturbed);
  }

  @Test
  void aStoreThatShowsLateSaysSoAndIsCompletedLater() {
    faults().isObjectStore().seesLate(1500);
    assertWholeOrClearlyFailed(0);
  }

  /** The last step of the protocol where Hadoop knows no rename in one step. */
  @Test
  void storageWithoutARenameOntoAFile() {
    Path output = folder.resolve("out");
    spark.hadoopConfiguration().unset("fs.AbstractFileSystem.faulty.impl");
    for (int i = 0; i < 2; i++) {
      assertThat(evaluate(FaultyFileSystem.uri(output)).exitCode()).isEqualTo(ExitCode.DONE);
      assertThat(Contents.of(output)).isEqualTo(undisturbed);
    }
  }

  /** A half file would be taken for a cell, and an object store keeps what was written. */
  @Test
  void aFileThatIsNotWhollyWrittenDoesNotAppear() throws IOException {
    Path output = Files.createDirectories(folder.resolve("out"));
    Path there = output.resolve("there.parquet");
    for (boolean store : new boolean[] {false, true}) {
      RowFile file =
          new RowFile(
              new org.apache.hadoop.fs.Path(FaultyFileSystem.uri(there)),
              spark.hadoopConfiguration());
      FaultyFileSystem.Builder faults = faults().hasRoom(100, output);
      if (store) {
        faults.isObjectStore();
      }
      assertThatThrownBy(
              () ->
                  file.write(
                      new org.apache.hadoop.fs.Path(FaultyFileSystem.uri(output)),
                      Tables.METRICS,
                      Map.of(),
                      List.of()))
          .isInstanceOf(StorageException.class)
          .hasMessage("cannot write " + file.path() + ": No space left on device");
      assertThat(output).isEmptyDirectory();
    }
  }
}
