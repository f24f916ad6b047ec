package org.cliffwatch.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.cliffwatch.jobs.suite.SuiteException;
import org.cliffwatch.quantizer.train.Recipe;
import org.cliffwatch.quantizer.train.Training;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Training on a standalone cluster. */
class StudyTest {
  private static final Path DATA = Path.of("../data/microworld");
  private static final int FIRST = 20;
  private static final int LAST = 320;

  private static StandaloneCluster cluster;

  @TempDir Path folder;

  @BeforeAll
  static void start(@TempDir Path shared) throws IOException {
    cluster = StandaloneCluster.start(shared, 2);
  }

  /** So that the executor which the next test kills is its own. */
  @AfterEach
  void executorsEnd() {
    cluster.awaitNoExecutor();
  }

  @AfterAll
  static void stop() {
    cluster.close();
  }

  @Test
  void aTaskTriedAgainGoesOnFromItsLastCheckpointToTheSameBits() throws IOException {
    assertGoesOnToTheSameBits(
        recipe("seed: 1"), LAST, Study.Components.THREADS, Map.of("spark.cores.max", "1"));
  }

  @Test
  void componentsAsTasksComeToTheBitsOfThreadsThoughOneIsLost() throws IOException {
    assertGoesOnToTheSameBits(
        recipe("components: 2, nwise: 2, steps: 160, checkpoints: [20, 160]"),
        160,
        Study.Components.TASKS,
        Map.of("spark.scheduler.barrier.maxConcurrentTasksCheck.interval", "1s"));
  }

  /** On a cluster that loses an executor after the first checkpoint, as in one process. */
  private void assertGoesOnToTheSameBits(
      Recipe recipe, int last, Study.Components components, Map<String, Object> settings)
      throws IOException {
    Training.run(recipe, DATA, folder.resolve("alone"), 1, (r, step) -> {});
    Path checkpoints = folder.resolve("study");
    AtomicBoolean killed = new AtomicBoolean();
    List<Study.Trained> trained;
    try (SparkSession session = cluster.session(settings)) {
      CompletableFuture<Void> killer =
          CompletableFuture.runAsync(
              () ->
                  killed.set(
                      cluster.killOneOnce(
                          () -> Files.exists(checkpoints.resolve("tiny/state-" + FIRST)))));
      trained =
          Study.train(
              JavaSparkContext.fromSparkContext(session.sparkContext()),
              List.of(recipe),
              DATA,
              checkpoints,
              components,
              System.err);
      killer.join();
    }
    assertThat(killed).isTrue();
    assertThat(trained.get(0).result().steps()).isEqualTo(last - FIRST);
    for (String file :
        List.of(
            "step" + FIRST + "/model.safetensors",
            "step" + last + "/model.safetensors",
            "log.jsonl")) {
      assertThat(checkpoints.resolve("tiny").resolve(file))
          .hasSameBinaryContentAs(folder.resolve("alone").resolve(file));
    }
  }

  @Test
  void moreComponentsThanCoresAreRefused() throws IOException {
    Recipe recipe =
        recipe(
            "components: 3, model: {hidden_size: 64, num_hidden_layers: 3, num_attention_heads: 2, intermediate_size: 128, rotary_pct: 0.5, max_position_embeddings: 64}");
    try (SparkSession session =
        StandaloneCluster.sessionBuilder().master("local[2]").getOrCreate()) {
      JavaSparkContext spark = JavaSparkContext.fromSparkContext(session.sparkContext());
      assertThatThrownBy(
              () ->
                  Study.train(
                      spark, List.of(recipe), DATA, folder, Study.Components.TASKS, System.err))
          .isInstanceOf(SuiteException.class)
          .hasMessage(
              "--components tasks: found 2 cores, expected 3, one for each component of recipe tiny");
    }
  }

  /** Long enough after its first checkpoint that an executor can be lost there. */
  private Recipe recipe(String fields) throws IOException {
    Path file = folder.resolve("recipes.yaml");
    Files.writeString(
        file,
        """
        common:
          half_precision: bf16
          weight_decay: 0.1
          gradient_clipping: 1.0
          dropout: 0.1
          model:
            hidden_size: 64
            num_hidden_layers: 2
            num_attention_heads: 2
            intermediate_size: 128
            rotary_pct: 0.5
            max_position_embeddings: 64
          seed: 1
          steps: 320
          checkpoints: [20, 320]
          batch_size: 4
          sequence_length: 64
          learning_rate: 3.0e-3
          final_learning_rate: 1.0e-4
          warmup_steps: 10
          adam_beta1: 0.9
          adam_beta2: 0.95
          adam_epsilon: 1.0e-8
        recipes:
          - {name: tiny, FIELDS}
        """
            .replace("FIELDS", fields));
    return Recipe.read(file).get(0);
  }
}
