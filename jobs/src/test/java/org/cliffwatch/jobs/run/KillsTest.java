package org.cliffwatch.jobs.run;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.scheduler.SparkListenerTaskStart;
import org.apache.spark.sql.SparkSession;
import org.cliffwatch.jobs.ExitCode;
import org.cliffwatch.jobs.StandaloneCluster;
import org.cliffwatch.jobs.TinyWorld;
import org.cliffwatch.jobs.suite.Suite;
import org.cliffwatch.jobs.suite.SuiteReader;
import org.cliffwatch.jobs.table.RowFile;
import org.cliffwatch.jobs.table.RunRow;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.tasks.definition.Tasks;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Kills at random moments of a run on a standalone cluster. The tables are then those of an
 * undisturbed run, nothing is lost or doubled, what was committed is not touched again, and only
 * what was not is scored again.
 *
 * <p>A seed chooses what is killed and when. The first three seeds kill an executor, a worker and a
 * driver; {@code -Dcliffwatch.kills=20} goes on to 20.
 */
@Timeout(value = 6, unit = TimeUnit.MINUTES)
class KillsTest {
  private static final int KILLS = Integer.getInteger("cliffwatch.kills", 3);
  private static final int CELLS = 12;
  private static final int ITEMS = 80;
  private static final int LONGEST_DELAY_MILLIS = 400;
  private static final Duration PATIENCE = Duration.ofMinutes(3);

  @TempDir static Path folder;
  private static StandaloneCluster cluster;
  private static Map<String, String> undisturbed;

  private enum Victim {
    EXECUTOR,
    WORKER,
    DRIVER,
    TASK
  }

  @BeforeAll
  static void start() throws IOException {
    for (int seed = 1; seed <= 3; seed++) {
      TinyWorld.checkpoint(folder.resolve("tiny" + seed), seed);
    }
    Files.write(folder.resolve("copa.jsonl"), TinyWorld.copaLines(ITEMS));
    Files.write(folder.resolve("lambada.jsonl"), TinyWorld.lambadaLines(ITEMS));
    Files.writeString(
        folder.resolve("suite.yaml"),
        """
        checkpoints: [{model: a, path: tiny1}, {model: b, path: tiny2}, {model: c, path: tiny3}]
        precisions: [fp32, w8a8]
        tasks: [{task: copa, data: copa.jsonl}, {task: lambada_openai, data: lambada.jsonl}]
        shard_items: 10
        """);
    Path output = folder.resolve("undisturbed");
    try (SparkSession session =
        StandaloneCluster.sessionBuilder().master("local[2]").getOrCreate()) {
      evaluate(session, output);
    }
    undisturbed = Contents.of(output);
    assertThat(Contents.cells(output)).hasSize(CELLS);
    cluster = StandaloneCluster.start(folder.resolve("cluster"), 2);
  }

  @AfterAll
  static void stop() {
    if (cluster != null) {
      cluster.close();
    }
  }

  private static void evaluate(SparkSession session, Path output) {
    Suite suite =
        new SuiteReader(Precisions.packaged(), Tasks.builtIn(), Map.of())
            .read(folder.resolve("suite.yaml"), List.of());
    JavaSparkContext spark = JavaSparkContext.fromSparkContext(session.sparkContext());
    Evaluation evaluation = new Evaluation(spark, suite, output.toString(), false, System.err);
    assertThat(evaluation.run().exitCode()).isEqualTo(ExitCode.DONE);
  }

  @TestFactory
  Stream<DynamicTest> kills() {
    return LongStream.rangeClosed(1, KILLS)
        .mapToObj(seed -> DynamicTest.dynamicTest("seed " + seed, () -> kill(seed)));
  }

  /** What there was when the victim died. */
  private record Moment(Map<String, String> cells, boolean killed) {}

  private static void kill(long seed) throws Exception {
    Victim victim = Victim.values()[(int) ((seed - 1) % Victim.values().length)];
    Random random = new Random(seed);
    int cells = random.nextInt(CELLS + 1);
    int delay = random.nextInt(LONGEST_DELAY_MILLIS);
    Path output = folder.resolve("out" + seed);
    Moment moment =
        victim == Victim.DRIVER
            ? killDriver(output, cells, delay)
            : killWithin(victim, random, output, cells, delay);
    int before = victim == Victim.DRIVER ? Contents.cells(output).size() : 0;
    if (victim == Victim.DRIVER) {
      try (SparkSession session = cluster.session()) {
        evaluate(session, output);
      }
    }
    RunRow run = run(output);
    System.out.printf(
        "kill: seed %d, %s %s after %d cells and %d ms, %d of %d cells committed then,"
            + " %d scored after it%n",
        seed,
        victim.name().toLowerCase(Locale.ROOT),
        moment.killed() ? "killed" : "had ended",
        cells,
        delay,
        moment.cells().size(),
        CELLS,
        victim == Victim.DRIVER ? run.cellsScored() : CELLS - moment.cells().size());
    assertThat(Contents.of(output)).isEqualTo(undisturbed);
    assertThat(Contents.cells(output))
        .as("what was committed is not written again")
        .containsAllEntriesOf(moment.cells());
    assertThat(run.exitCode()).isEqualTo(ExitCode.DONE);
    assertThat(run.cellsReused()).isEqualTo(before);
    assertThat(run.cellsScored()).isEqualTo(CELLS - before);
  }

  private static Moment killDriver(Path output, int cells, int delay) throws Exception {
    Process driver =
        cluster.evaluate(
            "--suite", folder.resolve("suite.yaml").toString(), "--output", output.toString());
    await(() -> !driver.isAlive() || Contents.cells(output).size() >= cells);
    Thread.sleep(delay);
    boolean killed = driver.isAlive();
    Map<String, String> committed = Contents.cells(output);
    driver.destroyForcibly();
    cluster.awaitNoExecutor();
    return new Moment(committed, killed);
  }

  private static Moment killWithin(Victim victim, Random random, Path output, int cells, int delay)
      throws Exception {
    try (SparkSession session = cluster.session()) {
      Set<Long> tasks = runningTasks(session);
      CompletableFuture<Void> run = CompletableFuture.runAsync(() -> evaluate(session, output));
      await(() -> run.isDone() || Contents.cells(output).size() >= cells);
      Thread.sleep(delay);
      if (victim == Victim.TASK) {
        await(() -> run.isDone() || !tasks.isEmpty());
      }
      Map<String, String> committed = Contents.cells(output);
      boolean killed =
          !run.isDone()
              && switch (victim) {
                case EXECUTOR -> cluster.killExecutor(random);
                case WORKER -> {
                  cluster.replaceWorker(random);
                  yield true;
                }
                case TASK ->
                    tasks.stream()
                        .findFirst()
                        .map(task -> session.sparkContext().killTaskAttempt(task, false, "test"))
                        .orElse(false);
                case DRIVER -> throw new IllegalStateException("a process of its own");
              };
      run.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
      return new Moment(committed, killed);
    }
  }

  private static Set<Long> runningTasks(SparkSession session) {
    Set<Long> running = new ConcurrentSkipListSet<>();
    session
        .sparkContext()
        .addSparkListener(
            new SparkListener() {
              @Override
              public void onTaskStart(SparkListenerTaskStart start) {
                running.add(start.taskInfo().taskId());
              }

              @Override
              public void onTaskEnd(SparkListenerTaskEnd end) {
                running.remove(end.taskInfo().taskId());
              }
            });
    return running;
  }

  private static void await(BooleanSupplier condition) throws InterruptedException {
    Instant deadline = Instant.now().plus(PATIENCE);
    while (!condition.getAsBoolean()) {
      assertThat(Instant.now()).isBefore(deadline);
      Thread.sleep(10);
    }
  }

  /** The one run that came to its end. */
  private static RunRow run(Path output) throws IOException {
    try (Stream<Path> files = Files.walk(output.resolve("runs"))) {
      List<Path> runs = files.filter(file -> file.toString().endsWith(".parquet")).toList();
      assertThat(runs).hasSize(1);
      return new RowFile(new org.apache.hadoop.fs.Path(runs.get(0).toUri()), new Configuration())
          .read(Tables.RUNS)
          .get(0);
    }
  }
}
