package org.cliffwatch.quantizer.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.bytedeco.openblas.global.openblas_nolapack.blas_set_num_threads;

import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.tokenizer.Tokenizer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class TrainingTest {
  private static final int LETTERS = 12;
  // Products of this size are shared by OpenBLAS's threads, and rounded otherwise then.
  private static final int LARGE = 64;

  private static final Recipe.Model LARGER = new Recipe.Model(32, 2, 2, 24, 0.5f, 32);

  @TempDir private Path folder;
  private Path data;

  static Recipe recipe(
      String name, Recipe.TrainingType precision, float dropout, List<Integer> checkpoints) {
    Recipe.Model model = new Recipe.Model(16, 2, 2, 24, 0.5f, 32);
    return recipe(name, precision, dropout, checkpoints, model, 11);
  }

  private static Recipe recipe(
      String name,
      Recipe.TrainingType precision,
      float dropout,
      List<Integer> checkpoints,
      Recipe.Model model,
      int length) {
    return new Recipe(
        name,
        precision,
        Recipe.LossScaling.DYNAMIC,
        0.1f,
        0.5f,
        dropout,
        model,
        null,
        Recipe.Trainable.ALL,
        null,
        1,
        1,
        9,
        checkpoints.get(checkpoints.size() - 1),
        checkpoints,
        4,
        length,
        0.01f,
        0.001f,
        0,
        0.9f,
        0.95f,
        1e-8f);
  }

  /** Documents of ever the same cycle of letters from a random start: easy to learn. */
  @BeforeEach
  void writeData() throws IOException {
    data = Files.createDirectory(folder.resolve("data"));
    StringBuilder vocabulary = new StringBuilder("\"<|endoftext|>\": 0");
    for (int i = 0; i < LETTERS; i++) {
      vocabulary.append(", \"").append((char) ('a' + i)).append("\": ").append(i + 1);
    }
    Files.writeString(
        data.resolve("tokenizer.json"),
        """
        {"version": "1.0", "truncation": null, "padding": null, "normalizer": null,
         "added_tokens": [{"id": 0, "content": "<|endoftext|>", "single_word": false,
           "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
         "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true},
         "post_processor": null,
         "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true},
         "model": {"type": "BPE", "vocab": {VOCABULARY}, "merges": []}}
        """
            .replace("VOCABULARY", vocabulary));
    Files.writeString(
        data.resolve("tokenizer_config.json"),
        """
        {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>"}
        """);
    Random random = new Random(2);
    List<String> documents = new ArrayList<>();
    for (int d = 0; d < 60; d++) {
      StringBuilder text = new StringBuilder();
      int start = random.nextInt(LETTERS);
      int length = 5 + random.nextInt(10);
      for (int i = 0; i < length; i++) {
        text.append((char) ('a' + (start + i) % LETTERS));
      }
      documents.add("{\"text\": \"" + text + "\"}");
    }
    Files.write(data.resolve("training.jsonl"), documents);
  }

  private Training.Result run(Recipe recipe, String output, int threads) {
    return Training.run(recipe, data, folder.resolve(output), threads, (r, step) -> {});
  }

  private TreeMap<String, byte[]> bytes(String output) throws IOException {
    TreeMap<String, byte[]> bytes = new TreeMap<>();
    Path root = folder.resolve(output);
    try (Stream<Path> files = Files.walk(root)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        bytes.put(root.relativize(file).toString(), Files.readAllBytes(file));
      }
    }
    return bytes;
  }

  private void assertSameFiles(String one, String other) throws IOException {
    TreeMap<String, byte[]> expected = bytes(one);
    TreeMap<String, byte[]> found = bytes(other);
    assertThat(found.keySet()).isEqualTo(expected.keySet());
    expected.forEach((name, bytes) -> assertThat(found.get(name)).as(name).isEqualTo(bytes));
  }

  @Test
  void threadsThatAnotherLibraryGivesOpenBlasDoNotShow() throws IOException {
    Recipe recipe =
        recipe(
            "r",
            Recipe.TrainingType.BF16,
            0,
            List.of(3),
            new Recipe.Model(LARGE, 1, 2, 2 * LARGE, 0.5f, LARGE),
            LARGE);
    run(recipe, "before", 1);
    blas_set_num_threads(2);
    run(recipe, "after", 1);
    assertSameFiles("before", "after");
  }

  /** Three blocks, so that there are as many components. */
  private static Recipe threeBlocks(List<Integer> checkpoints) {
    Recipe.Model model = new Recipe.Model(16, 3, 2, 24, 0.5f, 32);
    return recipe("r", Recipe.TrainingType.BF16, 0.2f, checkpoints, model, 11);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3})
  void interruptedComponentsGoOnToTheSameBits(int nwise) throws IOException {
    Recipe recipe = cut(threeBlocks(List.of(3, 6, 10)), 0.5f, 3, nwise);
    run(recipe, "whole", 1);
    for (int fail : new int[] {2, 5, 9}) {
      assertThatThrownBy(
              () ->
                  Training.run(
                      recipe,
                      data,
                      folder.resolve("parts"),
                      1,
                      (r, step) -> {
                        if (step.step() == fail) {
                          throw new IllegalStateException("lost");
                        }
                      }))
          .hasMessage("lost");
    }
    Training.Result result = run(recipe, "parts", 1);
    assertThat(result.steps()).isEqualTo(4);
    assertThat(result.utilisation()).isBetween(0.2, 1.0);
    assertSameTraining("whole", "parts");
    assertThat(run(recipe, "parts", 1).steps()).as("a finished run").isZero();
    List<String> log = Files.readAllLines(folder.resolve("parts/log.jsonl"));
    assertThat(log).hasSize(10);
    assertThat(log.get(9)).contains("\"component_losses\":[" + "null,".repeat(nwise - 1));
    assertThat(Files.readAllLines(folder.resolve("whole/utilisation.jsonl"))).hasSize(3);
  }

  /** All but the times. */
  private void assertSameTraining(String one, String other) throws IOException {
    for (String output : List.of(one, other)) {
      Files.move(
          folder.resolve(output + "/utilisation.jsonl"), folder.resolve(output + ".utilisation"));
    }
    assertSameFiles(one, other);
    for (String output : List.of(one, other)) {
      Files.move(
          folder.resolve(output + ".utilisation"), folder.resolve(output + "/utilisation.jsonl"));
    }
  }

  @Test
  void componentsInOtherProcessesComeToTheSameBits() throws Exception {
    for (int nwise = 1; nwise <= 2; nwise++) {
      Recipe recipe = cut(threeBlocks(List.of(2, 4)), 0.5f, 3, nwise);
      String threads = "threads" + nwise;
      String sockets = "sockets" + nwise;
      run(recipe, threads, 1);
      List<Link> after = new ArrayList<>();
      List<Link> before = new ArrayList<>();
      before.add(null);
      try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
        for (int k = 1; k < 3; k++) {
          after.add(Link.over(new Socket(server.getInetAddress(), server.getLocalPort())));
          before.add(Link.over(server.accept()));
        }
      }
      after.add(null);
      ExecutorService processes = Executors.newFixedThreadPool(3);
      try {
        List<Future<Training.Result>> results = new ArrayList<>();
        for (int k = 0; k < 3; k++) {
          int component = k;
          results.add(
              processes.submit(
                  () ->
                      Training.runComponent(
                          recipe,
                          data,
                          folder.resolve(sockets),
                          component,
                          new Link.Neighbours(before.get(component), after.get(component)),
                          (r, step) -> {})));
        }
        for (Future<Training.Result> result : results) {
          result.get();
        }
      } finally {
        processes.shutdownNow();
      }
      assertSameTraining(threads, sockets);
    }
  }

  @Test
  void endToEndIsTrainingThatIsNotCut() throws IOException {
    Recipe whole = cut(threeBlocks(List.of(5)), null, 1, 1);
    run(whole, "whole", 2);
    run(cut(whole, null, 3, 3), "cut", 1);
    String weights = "step5/model.safetensors";
    assertThat(bytes("cut").get(weights)).isEqualTo(bytes("whole").get(weights));
    for (int nwise = 1; nwise <= 2; nwise++) {
      run(cut(whole, null, 3, nwise), "n" + nwise, 1);
      assertThat(bytes("n" + nwise).get(weights)).isNotEqualTo(bytes("whole").get(weights));
    }
  }

  static List<Recipe.TrainingType> types() {
    return Stream.of("fp32", "bf16", "fp16", "flex16+5").map(Recipe.TrainingType::of).toList();
  }

  @ParameterizedTest
  @MethodSource("types")
  void anInterruptedRunGoesOnToTheSameBits(Recipe.TrainingType precision) throws IOException {
    Recipe recipe = recipe("r", precision, 0.2f, List.of(3, 6, 10));
    run(recipe, "whole", 2);
    for (int fail : new int[] {2, 5, 9}) {
      assertThatThrownBy(
              () ->
                  Training.run(
                      recipe,
                      data,
                      folder.resolve("parts"),
                      2,
                      (r, step) -> {
                        if (step.step() == fail) {
                          throw new IllegalStateException("lost");
                        }
                      }))
          .hasMessage("lost");
    }
    assertThat(run(recipe, "parts", 2).steps()).isEqualTo(4);
    assertSameFiles("whole", "parts");
    assertThat(run(recipe, "parts", 2).steps()).as("a finished run").isZero();
  }

  @Test
  void theNumberOfThreadsChangesNoBit() throws IOException {
    Recipe recipe = recipe("r", Recipe.TrainingType.BF16, 0.2f, List.of(6));
    run(recipe, "one", 1);
    run(recipe, "two", 2);
    run(recipe, "three", 3);
    assertSameFiles("one", "two");
    assertSameFiles("one", "three");
  }

  @ParameterizedTest
  @MethodSource("types")
  void learns(Recipe.TrainingType precision) {
    List<Double> losses = new ArrayList<>();
    Recipe recipe = recipe("r", precision, 0, List.of(150));
    Training.run(recipe, data, folder.resolve("out"), 2, (r, step) -> losses.add(step.loss()));
    assertThat(losses.get(0)).isGreaterThan(2.4);
    // The cycle is certain; where a document ends and the next begins is not.
    assertThat(losses.get(149)).isLessThan(1.2);
  }

  @Test
  void seedDecaysAndClippingChangeTheWeights() throws IOException {
    Recipe recipe = recipe("r", Recipe.TrainingType.FP32, 0, List.of(4));
    run(recipe, "base", 1);
    byte[] base = bytes("base").get("step4/model.safetensors");
    Recipe noClipping = cut(recipe, null, 1, 1);
    Recipe noDecay =
        new Recipe(
            "r",
            recipe.halfPrecision(),
            recipe.lossScaling(),
            0,
            0.5f,
            0,
            recipe.model(),
            null,
            recipe.trainable(),
            null,
            1,
            1,
            9,
            4,
            List.of(4),
            4,
            11,
            0.01f,
            0.001f,
            0,
            0.9f,
            0.95f,
            1e-8f);
    run(noClipping, "clip", 1);
    run(noDecay, "decay", 1);
    assertThat(bytes("clip").get("step4/model.safetensors")).isNotEqualTo(base);
    assertThat(bytes("decay").get("step4/model.safetensors")).isNotEqualTo(base);
  }

  private static Recipe changed(
      Recipe recipe,
      Recipe.LossScaling lossScaling,
      Precision quantization,
      Recipe.Trainable trainable,
      String initial) {
    return changed(
        recipe,
        lossScaling,
        recipe.gradientClipping(),
        quantization,
        trainable,
        initial,
        recipe.components(),
        recipe.nwise());
  }

  private static Recipe cut(Recipe recipe, Float clipping, int components, int nwise) {
    return changed(
        recipe,
        recipe.lossScaling(),
        clipping,
        recipe.quantization(),
        recipe.trainable(),
        recipe.initial(),
        components,
        nwise);
  }

  private static Recipe changed(
      Recipe recipe,
      Recipe.LossScaling lossScaling,
      Float clipping,
      Precision quantization,
      Recipe.Trainable trainable,
      String initial,
      int components,
      int nwise) {
    return new Recipe(
        recipe.name(),
        recipe.halfPrecision(),
        lossScaling,
        recipe.weightDecay(),
        clipping,
        recipe.dropout(),
        recipe.model(),
        quantization,
        trainable,
        initial,
        components,
        nwise,
        recipe.seed(),
        recipe.steps(),
        recipe.checkpoints(),
        recipe.batchSize(),
        recipe.sequenceLength(),
        recipe.learningRate(),
        recipe.finalLearningRate(),
        recipe.warmupSteps(),
        recipe.adamBeta1(),
        recipe.adamBeta2(),
        recipe.adamEpsilon());
  }

  @Test
  void trainingWithAQuantizationStartsFromACheckpointThatItRounds() throws IOException {
    Recipe base = recipe("base", Recipe.TrainingType.FP32, 0, List.of(150));
    run(base, "base", 2);
    String trained = folder.resolve("base/step150").toString();
    Precision twoBits =
        new Precision(
            "q", "rtn", 2, Float.SIZE, FloatType.FLOAT32, java.util.Map.of("group", "-1"));
    Recipe aware =
        changed(
            recipe("aware", Recipe.TrainingType.FP32, 0, List.of(20, 60)),
            Recipe.LossScaling.DYNAMIC,
            twoBits,
            Recipe.Trainable.ALL,
            trained);
    List<Double> losses = new ArrayList<>();
    Training.run(aware, data, folder.resolve("aware"), 2, (r, step) -> losses.add(step.loss()));
    List<Double> without = new ArrayList<>();
    Training.run(
        changed(aware, aware.lossScaling(), null, aware.trainable(), trained),
        data,
        folder.resolve("without"),
        1,
        (r, step) -> without.add(step.loss()));
    assertThat(without.get(0)).isLessThan(1.2);
    assertThat(losses.get(0)).isGreaterThan(without.get(0));

    assertThatThrownBy(
            () ->
                Training.run(
                    aware,
                    data,
                    folder.resolve("again"),
                    1,
                    (r, step) -> {
                      if (step.step() == 30) {
                        throw new IllegalStateException("stopped");
                      }
                    }))
        .hasMessage("stopped");
    run(aware, "again", 1);
    assertSameFiles("aware", "again");

    Recipe wider = recipe("w", Recipe.TrainingType.FP32, 0, List.of(2), LARGER, 11);
    assertThatThrownBy(
            () ->
                run(
                    changed(wider, wider.lossScaling(), twoBits, wider.trainable(), trained),
                    "wider",
                    1))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("recipe w: initial: found " + trained + ", expected a checkpoint");
  }

  @Test
  void whatIsNotTrainedStays() throws IOException {
    Recipe all = recipe("r", Recipe.TrainingType.FP32, 0, List.of(2, 4));
    run(all, "all", 1);
    String begun = folder.resolve("all/step2").toString();
    run(changed(all, all.lossScaling(), null, Recipe.Trainable.LINEAR, begun), "linear", 1);
    try (Checkpoint before = Checkpoint.open(Path.of(begun));
        Checkpoint after = Checkpoint.open(folder.resolve("linear/step4"))) {
      for (String name : before.tensorNames()) {
        boolean isLinear =
            name.matches(".*(query_key_value|dense|dense_h_to_4h|dense_4h_to_h)\\.weight");
        float[] values = after.tensor(name).read();
        assertThat(Arrays.equals(values, before.tensor(name).read())).as(name).isEqualTo(!isLinear);
      }
    }
  }

  @Test
  void withoutLossScalingTheScaleStays() {
    Recipe recipe = recipe("r", Recipe.TrainingType.FP16, 0, List.of(3));
    List<Float> scales = new ArrayList<>();
    Training.run(
        changed(recipe, Recipe.LossScaling.NONE, null, recipe.trainable(), null),
        data,
        folder.resolve("out"),
        1,
        (r, step) -> scales.add(step.lossScale()));
    assertThat(scales).containsOnly(1f);
  }

  @Test
  void theFolderOpensAsACheckpoint() {
    run(recipe("r", Recipe.TrainingType.FP16, 0, List.of(2)), "out", 1);
    try (Checkpoint checkpoint = Checkpoint.open(folder.resolve("out/step2"))) {
      assertThat(checkpoint.config().text("model_type")).isEqualTo("gpt_neox");
      assertThat(checkpoint.tensor("embed_out.weight").shape()).containsExactly(LETTERS + 1, 16);
      float[] norm = checkpoint.tensor("gpt_neox.final_layer_norm.weight").read();
      assertThat(norm).hasSize(16);
      for (float weight : norm) {
        assertThat(weight).isBetween(0.9f, 1.1f);
      }
      assertThat(Tokenizer.open(checkpoint).encode("cl", false)).containsExactly(3, 12);
    }
  }

  @Test
  void theStateOfAnotherRunIsRefused() {
    run(recipe("r", Recipe.TrainingType.BF16, 0, List.of(2)), "out", 1);
    assertThatThrownBy(() -> run(recipe("r", Recipe.TrainingType.BF16, 0.1f, List.of(2)), "out", 1))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("state-2")
        .hasMessageContaining("state of another run");
  }

  @Test
  void compressedTextIsTheSameText() throws IOException {
    Recipe recipe = recipe("r", Recipe.TrainingType.BF16, 0, List.of(2));
    run(recipe, "plain", 1);
    Path plain = data.resolve("training.jsonl");
    try (OutputStream zipped =
        new GZIPOutputStream(Files.newOutputStream(data.resolve("training.jsonl.gz")))) {
      Files.copy(plain, zipped);
    }
    Files.delete(plain);
    run(recipe, "zipped", 1);
    assertSameFiles("plain", "zipped");
  }

  @Test
  void badTextIsRefusedByLine() throws IOException {
    Files.writeString(data.resolve("training.jsonl"), "{\"text\": \"a\"}\n{\"txt\": 1}\n");
    assertThatThrownBy(() -> run(recipe("r", Recipe.TrainingType.BF16, 0, List.of(2)), "out", 1))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("training.jsonl: line 2");
    Files.writeString(data.resolve("training.jsonl"), "{\"text\": \"a\"}\n");
    assertThatThrownBy(() -> run(recipe("r", Recipe.TrainingType.BF16, 0, List.of(2)), "out", 1))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("2 tokens, expected more than 12");
  }

  @Test
  void anOverflowHalvesTheLossScaleAndSkipsTheStep() {
    LossScale scale = new LossScale(true);
    assertThat(scale.scale()).isEqualTo(65536);
    scale.update(false);
    assertThat(scale.scale()).isEqualTo(32768);
    for (int i = 0; i < LossScale.GROWTH_INTERVAL; i++) {
      assertThat(scale.scale()).isEqualTo(32768);
      scale.update(true);
    }
    assertThat(scale.scale()).isEqualTo(65536);
    LossScale fixed = new LossScale(false);
    fixed.update(false);
    assertThat(fixed.scale()).isEqualTo(1);
  }
}
