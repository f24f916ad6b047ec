package org.cliffwatch.quantizer.score;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.kernel.OfferedBackends;
import org.cliffwatch.quantizer.model.RandomCalibration;
import org.cliffwatch.quantizer.model.Variant;
import org.cliffwatch.quantizer.scheme.Findings;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.quantizer.stored.StoredGolden;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A score is the same bits alone, in any batch, in any order and on any thread, its prefix shared
 * or not.
 */
class BitIdentityTest {
  @TempDir Path folder;

  private static final int REQUESTS = 200;

  /** The reference multiplies row by row and takes some hundred times as long. */
  private static final int REQUESTS_BY_REFERENCE = 50;

  /** Emulation takes some seconds for a hundred tokens. */
  private static final int REQUESTS_BY_EMULATION = 4;

  private static final int REQUESTS_ON_A_GPU = 20;

  private static final int STORED_VOCABULARY = 64;

  /** Tokens; four times as many are more than a batch has without them. */
  private static final int LONG_PREFIX = 150;

  static Stream<Arguments> some() {
    return cases(
        Stream.of(
            "llama-llama3", "bloom-six-heads", "gpt_neo-local", "gemma2-caps", "mixtral-window"),
        List.of("fp32", "w8a8", "bf16"));
  }

  /** One variant a family, and one whose frequencies change with the length; every precision. */
  static Stream<Arguments> all() {
    return cases(
        Stream.of(
            "bloom-six-heads",
            "cohere-scaled",
            "cohere2-pattern",
            "falcon-new",
            "gemma2-caps",
            "gemma3_text-two-bases",
            "gpt2-scaled-by-layer",
            "gpt_neo-local",
            "gpt_neox-sequential",
            "gptj-rotary",
            "granite-multipliers",
            "llama-llama3",
            "llama-longrope",
            "mistral-window",
            "mixtral-window",
            "olmo2-post-norm",
            "olmoe-clipped",
            "opt-post-norm",
            "phi3-longrope",
            "qwen2-window",
            "qwen3-biases",
            "qwen3_moe-some-dense",
            "smollm3-window",
            "stablelm-parallel"),
        rows("float", "vectorwise"));
  }

  /** Schemes whose forms all families share. */
  static Stream<Arguments> published() {
    List<String> others = new ArrayList<>(Precisions.packaged().names());
    others.removeAll(rows("float", "vectorwise", "stored"));
    return Stream.concat(
        cases(Stream.of("llama-llama3"), others),
        cases(Stream.of("mixtral-window"), List.of("llm-int8", "mxfp4")));
  }

  /** One a form, and one a way of quantizing inputs. */
  private static final Set<String> FORMS = Set.of("llm-int8", "w4-g128-asym", "mxfp8", "nvfp4");

  private static List<String> rows(String... schemes) {
    Precisions packaged = Precisions.packaged();
    return packaged.names().stream()
        .filter(name -> List.of(schemes).contains(packaged.named(name).scheme()))
        .filter(name -> !packaged.named(name).quantizesKeyValues())
        .toList();
  }

  /** Quantized checkpoints: a product in panels, one of integers, inputs in groups, outliers. */
  static Stream<String> stored() {
    return Stream.of("gptq-4-order", "ct-w8a8", "ct-nvfp4", "ct-mixed", "bnb-int8");
  }

  @ParameterizedTest
  @MethodSource("stored")
  void scoreOfAQuantizedCheckpointDependsOnItsRequestAlone(String name) throws Exception {
    check(StoredGolden.folder(name), STORED_VOCABULARY, "stored", "onednn", REQUESTS);
    check(
        StoredGolden.folder(name), STORED_VOCABULARY, "stored", "reference", REQUESTS_BY_REFERENCE);
  }

  private static Stream<Arguments> cases(Stream<String> variants, List<String> precisions) {
    return variants.flatMap(v -> precisions.stream().map(p -> Arguments.of(v, p)));
  }

  @ParameterizedTest
  @MethodSource("all")
  void scoreDependsOnItsRequestAlone(String variant, String precision) throws Exception {
    check(variant, precision, "onednn", REQUESTS);
  }

  @ParameterizedTest
  @MethodSource("published")
  void scoreInAPublishedSchemeDependsOnItsRequestAlone(String variant, String precision)
      throws Exception {
    check(variant, precision, "onednn", REQUESTS);
    if (FORMS.contains(precision)) {
      check(variant, precision, "reference", REQUESTS_BY_REFERENCE);
    }
  }

  @ParameterizedTest
  @MethodSource("some")
  void scoreDependsOnItsRequestAloneByReference(String variant, String precision) throws Exception {
    check(variant, precision, "reference", REQUESTS_BY_REFERENCE);
  }

  /** As few-shot prompts are: batches are larger beside what they share. */
  @ParameterizedTest
  @ValueSource(strings = {"fp32", "w8a8"})
  void scoreBehindALongPrefixDependsOnItsRequestAlone(String precision) throws Exception {
    Variant variant = Variant.of("llama-llama3");
    Random random = new Random(1);
    int[] examples = random.ints(LONG_PREFIX, 0, variant.vocabulary()).toArray();
    List<Request> requests =
        requests(random, variant.vocabulary(), REQUESTS_BY_REFERENCE).stream()
            .map(Request.Tokens.class::cast)
            .<Request>map(r -> new Request.Tokens(joined(examples, r.context()), r.continuation()))
            .toList();
    check(variant.write(folder), variant.vocabulary(), precision, "onednn", requests, random);
  }

  private static int[] joined(int[] first, int[] second) {
    return IntStream.concat(Arrays.stream(first), Arrays.stream(second)).toArray();
  }

  /** The code of the {@code cuda} backend, without a GPU. */
  @ParameterizedTest
  @MethodSource("some")
  void scoreDependsOnItsRequestAloneOnAnEmulatedDevice(String variant, String precision)
      throws Exception {
    assumeTrue(OfferedBackends.names().contains("emulated"), "there is no C++ compiler");
    check(variant, precision, "emulated", REQUESTS_BY_EMULATION);
  }

  @Tag("gpu")
  @ParameterizedTest
  @MethodSource("all")
  void scoreDependsOnItsRequestAloneOnAGpu(String variant, String precision) throws Exception {
    assumeTrue(OfferedBackends.gpu(), "there is no GPU");
    assumeTrue(!precision.equals("w4-bf16"), "cuda refuses codes in 16 bits");
    check(variant, precision, "cuda", REQUESTS_ON_A_GPU);
  }

  @Tag("slow")
  @ParameterizedTest
  @MethodSource("all")
  void scoreDependsOnItsRequestAloneByReferenceInEveryFamilyAndPrecision(
      String variant, String precision) throws Exception {
    check(variant, precision, "reference", REQUESTS);
  }

  private void check(String name, String precision, String backend, int count) throws Exception {
    Variant variant = Variant.of(name);
    check(variant.write(folder), variant.vocabulary(), precision, backend, count);
  }

  private static void check(
      Path checkpoint, int vocabulary, String precision, String backend, int count)
      throws Exception {
    Random random = new Random(count);
    check(checkpoint, vocabulary, precision, backend, requests(random, vocabulary, count), random);
  }

  private static void check(
      Path checkpoint,
      int vocabulary,
      String precision,
      String backend,
      List<Request> requests,
      Random random)
      throws Exception {
    try (Scorer scorer = open(checkpoint, vocabulary, precision, backend)) {
      List<Score> plain = null;
      for (int replica = 0; replica < 2; replica++) {
        List<Score> together = scorer.score(requests, replica);
        assertThat(together).as("a replica is another draw").isNotEqualTo(plain);
        plain = together;
        assertThat(together).allMatch(s -> s.error() == null, "scored");
        List<Score> alone = new ArrayList<>();
        for (Request request : requests) {
          alone.addAll(scorer.score(List.of(request), replica));
        }
        assertThat(alone).as("alone").isEqualTo(together);
        assertThat(shuffled(scorer, requests, replica, random)).as("shuffled").isEqualTo(together);
        assertThat(onTwoThreads(scorer, requests, replica)).as("two threads").isEqualTo(together);
      }
    }
  }

  private static Scorer open(Path path, int vocabulary, String precision, String backend) {
    Precision row = Precisions.packaged().named(precision);
    Backend kernel = Backends.open(backend);
    Checkpoint checkpoint = Checkpoint.open(path);
    Findings findings = RandomCalibration.of(checkpoint, vocabulary, row, kernel);
    return Scorer.open(checkpoint, row, findings, kernel, BosRule.AUTO, 7);
  }

  /** Of 1 to 60 tokens; half of them continue a prefix of an earlier one. */
  private static List<Request> requests(Random random, int vocabulary, int count) {
    List<int[]> sequences = new ArrayList<>();
    List<Request> requests = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int[] tokens = random.ints(2 + random.nextInt(60), 0, vocabulary).toArray();
      if (i > 0 && random.nextBoolean()) {
        int[] earlier = sequences.get(random.nextInt(i));
        int shared = 1 + random.nextInt(Math.min(earlier.length, tokens.length));
        System.arraycopy(earlier, 0, tokens, 0, shared);
      }
      sequences.add(tokens);
      int split = 1 + random.nextInt(tokens.length - 1);
      requests.add(
          new Request.Tokens(
              Arrays.copyOf(tokens, split), Arrays.copyOfRange(tokens, split, tokens.length)));
    }
    return requests;
  }

  private static List<Score> shuffled(
      Scorer scorer, List<Request> requests, int replica, Random random) {
    List<Integer> order = new ArrayList<>(IntStream.range(0, requests.size()).boxed().toList());
    Collections.shuffle(order, random);
    List<Score> scores = scorer.score(order.stream().map(requests::get).toList(), replica);
    Score[] inOrder = new Score[scores.size()];
    for (int i = 0; i < inOrder.length; i++) {
      inOrder[order.get(i)] = scores.get(i);
    }
    return Arrays.asList(inOrder);
  }

  private static List<Score> onTwoThreads(Scorer scorer, List<Request> requests, int replica)
      throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(2);
    List<Future<List<Score>>> parts = new ArrayList<>();
    for (int from = 0; from < requests.size(); from += 7) {
      List<Request> part = requests.subList(from, Math.min(from + 7, requests.size()));
      parts.add(pool.submit(() -> scorer.score(part, replica)));
    }
    List<Score> scores = new ArrayList<>();
    for (Future<List<Score>> part : parts) {
      scores.addAll(part.get());
    }
    pool.shutdown();
    return scores;
  }
}
