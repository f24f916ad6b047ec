package org.cliffwatch.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.cliffwatch.jobs.suite.SuiteReader;
import org.cliffwatch.jobs.table.ScoreRow;
import org.cliffwatch.jobs.table.Tables;
import org.cliffwatch.jobs.table.Tables.Slice;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** On a standalone cluster the tables are the very ones that one process makes. */
class ClusterTest {
  @TempDir Path folder;

  @Test
  void clusterWithAKilledExecutorGivesTheBitsOfOneProcess() throws IOException {
    TinyWorld.checkpoint(folder.resolve("tiny"), 1);
    Files.write(folder.resolve("copa.jsonl"), TinyWorld.copaLines(60));
    Files.writeString(
        folder.resolve("suite.yaml"),
        """
        checkpoints: [{model: tiny, path: tiny}]
        precisions: [fp32, w8a8]
        tasks: [{task: copa, data: copa.jsonl}]
        shard_items: 5
        """);
    try (SparkSession session =
        StandaloneCluster.sessionBuilder().master("local[1]").getOrCreate()) {
      evaluate(session, "one");
    }
    AtomicBoolean killed = new AtomicBoolean();
    try (StandaloneCluster cluster = StandaloneCluster.start(folder.resolve("cluster"), 2);
        SparkSession session = cluster.session()) {
      CompletableFuture<Void> killer =
          CompletableFuture.runAsync(
              () ->
                  killed.set(cluster.killOneOnce(() -> hasShard(folder.resolve("many/.staging")))));
      evaluate(session, "many");
      killer.join();
    }
    assertThat(killed).isTrue();
    for (String precision : List.of("fp32", "w8a8")) {
      assertThat(scores("many", precision)).hasSize(60).isEqualTo(scores("one", precision));
    }
  }

  private static boolean hasShard(Path staging) {
    try (var files = Files.walk(staging)) {
      return files.anyMatch(file -> file.toString().endsWith(".parquet"));
    } catch (IOException | java.io.UncheckedIOException e) {
      return false; // not there yet, or a file moved while we looked
    }
  }

  private void evaluate(SparkSession session, String output) {
    Evaluation.Outcome outcome =
        new Evaluation(
                JavaSparkContext.fromSparkContext(session.sparkContext()),
                new SuiteReader(Set.of("fp32", "w8a8"), Set.of("copa"), Map.of())
                    .read(folder.resolve("suite.yaml"), List.of()),
                folder.resolve(output).toString(),
                false,
                new PrintStream(System.err, true, StandardCharsets.UTF_8))
            .run();
    assertThat(outcome.exitCode()).isEqualTo(ExitCode.DONE);
  }

  private List<ScoreRow> scores(String output, String precision) {
    return new Tables(
            new org.apache.hadoop.fs.Path(folder.resolve(output).toString()), new Configuration())
        .scores(new Slice("tiny", precision, 0), "copa")
        .read(Tables.SCORES);
  }
}
