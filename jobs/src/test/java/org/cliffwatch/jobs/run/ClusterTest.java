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
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.ExceptionFailure;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.sql.SparkSession;
import org.cliffwatch.jobs.ExitCode;
import org.cliffwatch.jobs.FaultyFileSystem;
import org.cliffwatch.jobs.StandaloneCluster;
import org.cliffwatch.jobs.TinyWorld;
import org.cliffwatch.jobs.plan.Plan;
import org.cliffwatch.jobs.plan.Planner;
import org.cliffwatch.jobs.suite.Suite;
import org.cliffwatch.jobs.suite.SuiteReader;
import org.cliffwatch.jobs.table.ScoreRow;
import org.cliffwatch.jobs.table.StoredCell;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.tasks.definition.Tasks;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** On a standalone cluster the tables are the very ones that one process makes. */
class ClusterTest {
  @TempDir Path folder;

  @Test
  void clusterWithAKilledExecutorGivesTheBitsOfOneProcess() throws IOException {
    TinyWorld.checkpoint(folder.resolve("tiny"), 1);
    Files.write(folder.resolve("copa.jsonl"), TinyWorld.copaLines(60));
    Files.write(folder.resolve("text.jsonl"), TinyWorld.lambadaLines(40));
    Suite suite =
        suite(
            "shard_items: 5",
            "calibration=" + folder.resolve("text.jsonl"),
            "precisions=[fp32, w8a8, {name: static, scheme: fp8, weight_bits: 8,"
                + " activation_bits: 8, compute: float32, activation_scheme: static,"
                + " calibration_length: 8}]");
    try (SparkSession session =
        StandaloneCluster.sessionBuilder().master("local[1]").getOrCreate()) {
      evaluate(session, suite, "one");
    }
    AtomicBoolean killed = new AtomicBoolean();
    try (StandaloneCluster cluster = StandaloneCluster.start(folder.resolve("cluster"), 2);
        SparkSession session = cluster.session()) {
      CompletableFuture<Void> killer =
          CompletableFuture.runAsync(
              () -> killed.set(cluster.killOneOnce(() -> hasParquet(folder.resolve("many")))));
      assertThat(evaluate(session, suite, "many"))
          .contains("calibrating 1 precision in 1 pass over checkpoints, 1 of them in 2 parts");
      killer.join();
    }
    assertThat(killed).isTrue();
    for (String precision : List.of("fp32", "w8a8", "static")) {
      assertThat(scores("many", precision)).hasSize(60).isEqualTo(scores("one", precision));
    }
    assertThat(calibration("many"))
        .as("found by both executors, half of the text each")
        .hasSameBinaryContentAs(calibration("one"));
  }

  private Path calibration(String output) throws IOException {
    try (Stream<Path> files = Files.list(folder.resolve(output).resolve("calibration"))) {
      return files
          .filter(file -> !file.getFileName().toString().startsWith("."))
          .findFirst()
          .orElseThrow();
    }
  }

  /** One whose natives are another platform's: it cannot be the kernel that was planned. */
  private static final Map<String, String> WITHOUT_KERNEL =
      Map.of("JAVA_TOOL_OPTIONS", "-Dorg.bytedeco.javacpp.platform=linux-arm64");

  /** How long Spark waits for another executor where all there are have failed a task. */
  private static final Map<String, Object> GIVES_UP_SOON =
      Map.of("spark.scheduler.excludeOnFailure.unschedulableTaskSetTimeout", "5s");

  @Test
  void anExecutorThatJoinsLateWithoutTheKernelLeavesItsTasksToOthers() throws Exception {
    TinyWorld.checkpoint(folder.resolve("tiny"), 1);
    Files.write(folder.resolve("copa.jsonl"), TinyWorld.copaLines(60));
    Suite suite = suite("shard_items: 3");
    try (StandaloneCluster cluster = StandaloneCluster.start(folder.resolve("cluster"), 1);
        SparkSession session = cluster.session()) {
      JavaSparkContext spark = JavaSparkContext.fromSparkContext(session.sparkContext());
      Plan plan = new Planner(spark, folder.resolve("late").toString()).plan(suite);
      cluster.addWorker(WITHOUT_KERNEL);
      while (spark.sc().getExecutorMemoryStatus().size() < 3) {
        Thread.sleep(100);
      }
      ConcurrentLinkedQueue<String> failures = new ConcurrentLinkedQueue<>();
      spark.sc().addSparkListener(failures(failures));
      Scoring scoring =
          new Scoring(spark, plan, folder.resolve("late").toString(), "run", false, Map.of());
      assertThat(scoring.score(new Progress(System.err)).values())
          .hasSize(2)
          .allMatch(CellReport::committed);
      assertThat(failures)
          .isNotEmpty()
          .hasSizeLessThanOrEqualTo(3)
          .allMatch(failure -> failure.contains("backend onednn is not available here"));
    }
  }

  @Test
  void aCellFailsWithTheReasonWhereNoExecutorHasTheKernel() throws Exception {
    TinyWorld.checkpoint(folder.resolve("tiny"), 1);
    Files.write(folder.resolve("copa.jsonl"), TinyWorld.copaLines(6));
    Suite suite = suite("backend: onednn");
    try (StandaloneCluster cluster = StandaloneCluster.start(folder.resolve("cluster"), 0)) {
      cluster.addWorker(WITHOUT_KERNEL);
      try (SparkSession session = cluster.session()) {
        JavaSparkContext spark = JavaSparkContext.fromSparkContext(session.sparkContext());
        assertThatThrownBy(() -> new Planner(spark, folder.resolve("none").toString()).plan(suite))
            .isInstanceOf(InvalidInputException.class)
            .hasMessageStartingWith(
                "backend onednn is not available here: oneDNN's native library cannot be loaded");
      }
    }
  }

  /** As one that takes more memory than there is: the kernel kills whoever reads it. */
  @Test
  void aCheckpointThatKillsItsExecutorsFailsAloneAndSaysSo() throws Exception {
    TinyWorld.checkpoint(folder.resolve("tiny"), 1);
    TinyWorld.checkpoint(folder.resolve("deadly"), 2);
    Files.write(folder.resolve("copa.jsonl"), TinyWorld.copaLines(60));
    Path armed = folder.resolve("armed");
    Suite suite =
        suite(
            "shard_items: 5",
            "checkpoints=[{model: tiny, path: tiny}, {model: deadly, path: '%s'}]"
                .formatted(FaultyFileSystem.uri(folder.resolve("deadly"))),
            "precisions=[fp32]");
    try (StandaloneCluster cluster = StandaloneCluster.start(folder.resolve("cluster"), 0)) {
      for (int i = 0; i < 2; i++) {
        cluster.addWorker(Map.of("CLIFFWATCH_CACHE", folder.resolve("cache").toString()));
      }
      try (SparkSession session = cluster.session(GIVES_UP_SOON)) {
        JavaSparkContext spark = JavaSparkContext.fromSparkContext(session.sparkContext());
        FaultyFileSystem.in(spark.hadoopConfiguration()).kills(armed);
        Plan plan = new Planner(spark, folder.resolve("out").toString()).plan(suite);
        Files.createFile(armed);
        Map<StoredCell, CellReport> reports =
            new Scoring(spark, plan, folder.resolve("out").toString(), "run", false, Map.of())
                .score(new Progress(System.err));
        assertThat(reports).hasSize(2);
        reports.forEach(
            (cell, report) -> {
              if (cell.slice().model().equals("tiny")) {
                assertThat(report.committed()).as("%s", report).isTrue();
              } else {
                assertThat(report.error())
                    .startsWith("every executor that scored this was lost, the last one so: ")
                    .contains("137");
              }
            });
      }
    }
  }

  private static SparkListener failures(Queue<String> failures) {
    return new SparkListener() {
      @Override
      public void onTaskEnd(SparkListenerTaskEnd end) {
        if (end.reason() instanceof ExceptionFailure failure) {
          failures.add(failure.description());
        }
      }
    };
  }

  private Suite suite(String more, String... sets) throws IOException {
    Files.writeString(
        folder.resolve("suite.yaml"),
        """
        checkpoints: [{model: tiny, path: tiny}]
        precisions: [fp32, w8a8]
        tasks: [{task: copa, data: copa.jsonl}]
        """
            + more
            + "\n");
    return new SuiteReader(Precisions.packaged(), Tasks.builtIn(), Map.of())
        .read(folder.resolve("suite.yaml"), List.of(sets));
  }

  /** Whether some scores are kept, as a part or a cell. */
  private static boolean hasParquet(Path output) {
    try (var files = Files.walk(output)) {
      return files.anyMatch(
          file -> file.toString().endsWith(".parquet") && !file.toString().contains("checkpoints"));
    } catch (IOException | java.io.UncheckedIOException e) {
      return false; // not there yet, or a file moved while we looked
    }
  }

  /** What was told meanwhile. */
  private String evaluate(SparkSession session, Suite suite, String output) {
    ByteArrayOutputStream told = new ByteArrayOutputStream();
    Evaluation.Outcome outcome =
        new Evaluation(
                JavaSparkContext.fromSparkContext(session.sparkContext()),
                suite,
                folder.resolve(output).toString(),
                false,
                new PrintStream(told, true, StandardCharsets.UTF_8))
            .run();
    System.err.print(told.toString(StandardCharsets.UTF_8));
    assertThat(outcome.exitCode()).isEqualTo(ExitCode.DONE);
    return told.toString(StandardCharsets.UTF_8);
  }

  private List<ScoreRow> scores(String output, String precision) throws IOException {
    Tables tables =
        new Tables(
            new org.apache.hadoop.fs.Path(folder.resolve(output).toString()), new Configuration());
    return tables.scores(tables.storedCells("tiny", precision).get(0)).read(Tables.SCORES);
  }
}
