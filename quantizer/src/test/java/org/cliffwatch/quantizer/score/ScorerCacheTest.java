package org.cliffwatch.quantizer.score;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Change;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.model.Inventory;
import org.cliffwatch.quantizer.model.Variant;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ScorerCacheTest {
  private static final List<Request> REQUESTS =
      List.of(new Request.Tokens(new int[] {1, 2, 3}, new int[] {4, 5}));

  @TempDir Path folder;

  /** Those whose weights lie in this process's memory. */
  static Collection<String> kernels() {
    Map<String, String> kernels = new TreeMap<>(Backends.offer().kernels());
    kernels.keySet().retainAll(List.of("onednn", "reference"));
    return kernels.values();
  }

  private static String kernel() {
    return kernels().iterator().next();
  }

  /** The key of a checkpoint that is there. */
  private static ScorerCache.Key key(Path checkpoint, String kernel, long seed) {
    try (Checkpoint opened = Checkpoint.open(checkpoint)) {
      return key(opened.identity(), kernel, seed);
    }
  }

  private static ScorerCache.Key key(String identity, String kernel, long seed) {
    return new ScorerCache.Key(
        identity, Precisions.packaged().named("w8"), kernel, BosRule.AUTO, seed);
  }

  private Path checkpoint(String variant) throws IOException {
    return Variant.of(variant).write(folder.resolve(variant));
  }

  /** A variant under another name, with another last weight. */
  private Path checkpoint(String variant, char name) throws IOException {
    Path written = Variant.of(variant).write(folder.resolve(variant + "-" + name));
    Path file = written.resolve("model.safetensors");
    byte[] bytes = Files.readAllBytes(file);
    bytes[bytes.length - 4] = (byte) name;
    Files.write(file, bytes);
    return written;
  }

  @Test
  void scorersOfOneModelShareIt() throws IOException {
    Path opt = checkpoint("opt-bare");
    ScorerCache cache = new ScorerCache(Long.MAX_VALUE);
    try (var first = cache.lease(key(opt, kernel(), 1), () -> Checkpoint.open(opt));
        var second = cache.lease(key(opt, kernel(), 2), ScorerCacheTest::mustNotBuild)) {
      assertThat(cache.bytes()).isEqualTo(first.scorer().bytes());
      assertThat(second.scorer().score(REQUESTS, 0)).isEqualTo(first.scorer().score(REQUESTS, 0));
      assertThat(second.scorer().score(REQUESTS, 1))
          .isNotEqualTo(first.scorer().score(REQUESTS, 1));
    }
    cache.clear();
    assertThat(cache.bytes()).isZero();
  }

  private long bytes(Path checkpoint) {
    ScorerCache unlimited = new ScorerCache(Long.MAX_VALUE);
    try (var lease =
        unlimited.lease(key(checkpoint, kernel(), 1), () -> Checkpoint.open(checkpoint))) {
      return lease.scorer().bytes();
    } finally {
      unlimited.clear();
    }
  }

  @Test
  void leastRecentlyUsedIdleModelMakesRoom() throws IOException {
    Path a = checkpoint("opt-bare", 'a');
    Path b = checkpoint("opt-bare", 'b');
    Path c = checkpoint("opt-bare", 'c');
    long one = bytes(a);
    ScorerCache cache = new ScorerCache(2 * one);
    for (Path path : List.of(a, b, a, c)) {
      cache.lease(key(path, kernel(), 1), () -> Checkpoint.open(path)).close();
      assertThat(cache.bytes()).isLessThanOrEqualTo(2 * one);
    }
    // b was idle longest: it went, a stayed.
    cache.lease(key(a, kernel(), 1), ScorerCacheTest::mustNotBuild).close();
    assertThatThrownBy(() -> cache.lease(key(b, kernel(), 1), ScorerCacheTest::mustNotBuild))
        .hasMessage("asked to build");
    cache.clear();
  }

  private static Checkpoint mustNotBuild() {
    throw new IllegalStateException("asked to build");
  }

  /** What was opened to build a model is closed with it, and where it cannot be built. */
  @Test
  void aCheckpointIsClosedWithItsModel() throws IOException {
    Path opt = checkpoint("opt-bare");
    ScorerCache cache = new ScorerCache(Long.MAX_VALUE);
    AtomicInteger closed = new AtomicInteger();
    cache
        .lease(key(opt, kernel(), 1), () -> Checkpoint.open(opt).onClose(closed::incrementAndGet))
        .close();
    assertThat(closed).hasValue(0);
    cache.clear();
    assertThat(closed).hasValue(1);
    assertThatThrownBy(
            () ->
                cache.lease(
                    key("another", kernel(), 1),
                    () -> Checkpoint.open(opt).onClose(closed::incrementAndGet)))
        .isInstanceOf(InvalidInputException.class);
    assertThat(closed).hasValue(2);
  }

  @Test
  void modelInUseOutlivesTheBudget() throws IOException {
    Path opt = checkpoint("opt-bare");
    Path bloom = checkpoint("bloom-six-heads");
    ScorerCache cache = new ScorerCache(0);
    try (var first = cache.lease(key(opt, kernel(), 1), () -> Checkpoint.open(opt))) {
      List<Score> before = first.scorer().score(REQUESTS, 0);
      cache.lease(key(bloom, kernel(), 1), () -> Checkpoint.open(bloom)).close();
      assertThat(cache.bytes()).isEqualTo(first.scorer().bytes());
      assertThat(first.scorer().score(REQUESTS, 0)).isEqualTo(before);
    }
    assertThat(cache.bytes()).isZero();
  }

  @Test
  void failedBuildLeavesNothingAndCanBeRepeated() throws IOException {
    Path opt = checkpoint("opt-bare");
    ScorerCache cache = new ScorerCache(Long.MAX_VALUE);
    Path missing = folder.resolve("missing");
    assertThatThrownBy(() -> cache.lease(key(opt, kernel(), 1), () -> Checkpoint.open(missing)))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining(missing.toString());
    assertThat(cache.bytes()).isZero();
    cache.lease(key(opt, kernel(), 1), () -> Checkpoint.open(opt)).close();
    cache.clear();
  }

  @Test
  void anotherCheckpointThanPlannedIsRefused() throws IOException {
    Path planned = checkpoint("opt-bare", 'a');
    Path found = checkpoint("opt-bare", 'b');
    ScorerCache.Key key = key(planned, kernel(), 1);
    ScorerCache cache = new ScorerCache(Long.MAX_VALUE);
    assertThatThrownBy(() -> cache.lease(key, () -> Checkpoint.open(found)))
        .isInstanceOf(InvalidInputException.class)
        .hasMessage(
            "%s: found a checkpoint of content %s, expected %s: it was replaced since the run was"
                + " planned",
            found, key(found, kernel(), 1).checkpoint(), key.checkpoint());
    assertThat(cache.bytes()).isZero();
  }

  @Test
  void leaseIsOverWhenClosed() throws IOException {
    Path opt = checkpoint("opt-bare");
    ScorerCache cache = new ScorerCache(0);
    try (var other = cache.lease(key(opt, kernel(), 1), () -> Checkpoint.open(opt))) {
      var lease = cache.lease(key(opt, kernel(), 1), ScorerCacheTest::mustNotBuild);
      Scorer scorer = lease.scorer();
      lease.close();
      assertThatThrownBy(lease::scorer)
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("the lease is closed");
      assertThatThrownBy(() -> scorer.score(REQUESTS, 0))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("the scorer is closed");
      // Closed once more, it must not give back what the other holds.
      lease.close();
      assertThat(other.scorer().score(REQUESTS, 0)).allMatch(s -> s.error() == null);
    }
    assertThat(cache.bytes()).isZero();
  }

  /** Two builds at once while a third model is idle, with room for two. */
  @Test
  void buildsAtOnceCountAgainstTheBudgetTogether() throws Exception {
    Path idle = checkpoint("opt-bare", 'a');
    List<Path> cold = List.of(checkpoint("opt-bare", 'b'), checkpoint("opt-bare", 'c'));
    long one = bytes(idle);
    CountDownLatch bothBuild = new CountDownLatch(2);
    CountDownLatch go = new CountDownLatch(1);
    ScorerCache cache =
        new ScorerCache(
            2 * one,
            (checkpoint, inventory, precision, findings, backend) -> {
              if (!checkpoint.path().equals(idle)) {
                bothBuild.countDown();
                await(go);
              }
              return Model.load(checkpoint, inventory, precision, findings, backend);
            });
    cache.lease(key(idle, kernel(), 1), () -> Checkpoint.open(idle)).close();
    ExecutorService pool = Executors.newFixedThreadPool(2);
    List<Future<ScorerCache.Lease>> leases = new ArrayList<>();
    for (Path path : cold) {
      leases.add(
          pool.submit(() -> cache.lease(key(path, kernel(), 1), () -> Checkpoint.open(path))));
    }
    await(bothBuild);
    assertThat(cache.bytes()).as("two being built, none idle").isEqualTo(2 * expectedBytes(idle));
    go.countDown();
    for (Future<ScorerCache.Lease> lease : leases) {
      lease.get().close();
    }
    pool.shutdown();
    assertThat(cache.bytes()).isEqualTo(2 * one);
    for (Path path : cold) {
      cache.lease(key(path, kernel(), 1), ScorerCacheTest::mustNotBuild).close();
    }
    cache.clear();
  }

  private static long expectedBytes(Path checkpoint) {
    try (Checkpoint opened = Checkpoint.open(checkpoint)) {
      return Inventory.of(opened).bytes(Precisions.packaged().named("w8"));
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(1, TimeUnit.MINUTES)).isTrue();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void failedBuildGivesItsRoomBack() throws Exception {
    Path idle = checkpoint("opt-bare", 'a');
    Path cold = checkpoint("opt-bare", 'b');
    long one = bytes(idle);
    long[] duringFailure = {0};
    ScorerCache[] cache = {null};
    cache[0] =
        new ScorerCache(
            2 * one,
            (checkpoint, inventory, precision, findings, backend) -> {
              if (checkpoint.path().equals(cold)) {
                duringFailure[0] = cache[0].bytes();
                throw new InvalidInputException("fails while it is loaded");
              }
              return Model.load(checkpoint, inventory, precision, findings, backend);
            });
    cache[0].lease(key(idle, kernel(), 1), () -> Checkpoint.open(idle)).close();
    assertThatThrownBy(() -> cache[0].lease(key(cold, kernel(), 1), () -> Checkpoint.open(cold)))
        .hasMessage("fails while it is loaded");
    assertThat(duringFailure[0]).isGreaterThan(one);
    assertThat(cache[0].bytes()).isEqualTo(one);
    cache[0].lease(key(idle, kernel(), 1), ScorerCacheTest::mustNotBuild).close();
    cache[0].clear();
  }

  /** As a copy of the same content does that a synchronizing tool lays over the first. */
  @Test
  void idleModelOfChangedFilesIsBuiltAnew() throws IOException {
    Path opt = checkpoint("opt-bare");
    Path file = opt.resolve("model.safetensors");
    ScorerCache.Key key = key(opt, kernel(), 1);
    ScorerCache cache = new ScorerCache(Long.MAX_VALUE);
    List<Score> before;
    try (var lease = cache.lease(key, () -> Checkpoint.open(opt))) {
      before = lease.scorer().score(REQUESTS, 0);
      Path copy = Files.copy(file, folder.resolve("copy"));
      Files.move(copy, file, StandardCopyOption.REPLACE_EXISTING);
      assertThatThrownBy(() -> lease.scorer().score(REQUESTS, 0))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("changed while it was in use");
    }
    try (var lease = cache.lease(key, () -> Checkpoint.open(opt))) {
      assertThat(lease.scorer().score(REQUESTS, 0)).isEqualTo(before);
      assertThat(cache.bytes()).isEqualTo(lease.scorer().bytes());
    }
    Change.REPLACED.apply(file);
    assertThatThrownBy(() -> cache.lease(key, () -> Checkpoint.open(opt)))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("it was replaced since the run was planned");
    assertThat(cache.bytes()).isZero();
  }

  /** Who comes while another asks for the model that has changed must not keep it alive. */
  @Test
  void threadsThatComeAtOnceGetAModelOfTheFilesThatAreThere() throws Exception {
    Path opt = checkpoint("opt-bare");
    Path file = opt.resolve("model.safetensors");
    ScorerCache.Key key = key(opt, kernel(), 1);
    ScorerCache cache = new ScorerCache(Long.MAX_VALUE);
    int threads = 8;
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    for (int round = 0; round < 30; round++) {
      cache.lease(key, () -> Checkpoint.open(opt)).close();
      Path copy = Files.copy(file, folder.resolve("copy"), StandardCopyOption.REPLACE_EXISTING);
      Files.move(copy, file, StandardCopyOption.REPLACE_EXISTING);
      CountDownLatch start = new CountDownLatch(threads);
      List<Future<List<Score>>> scores = new ArrayList<>();
      for (int i = 0; i < threads; i++) {
        scores.add(
            pool.submit(
                () -> {
                  start.countDown();
                  start.await();
                  try (var lease = cache.lease(key, () -> Checkpoint.open(opt))) {
                    return lease.scorer().score(REQUESTS, 0);
                  }
                }));
      }
      for (Future<List<Score>> score : scores) {
        assertThat(score.get(1, TimeUnit.MINUTES)).allMatch(of -> of.error() == null);
      }
    }
    pool.shutdown();
  }

  @Test
  void manyThreadsAndLittleRoomGiveTheSameScores() throws Exception {
    List<Path> variants =
        List.of(checkpoint("opt-bare"), checkpoint("bloom-six-heads"), checkpoint("llama-biases"));
    ScorerCache cache = new ScorerCache(1);
    List<List<Score>> expected = new ArrayList<>();
    for (Path variant : variants) {
      try (var lease = cache.lease(key(variant, kernel(), 1), () -> Checkpoint.open(variant))) {
        expected.add(lease.scorer().score(REQUESTS, 1));
      }
    }
    ExecutorService pool = Executors.newFixedThreadPool(4);
    List<Future<List<Score>>> scores = new ArrayList<>();
    Random random = new Random(3);
    List<Integer> chosen = new ArrayList<>();
    for (int i = 0; i < 200; i++) {
      int v = random.nextInt(variants.size());
      chosen.add(v);
      scores.add(
          pool.submit(
              () -> {
                Path variant = variants.get(v);
                try (var lease =
                    cache.lease(key(variant, kernel(), 1), () -> Checkpoint.open(variant))) {
                  return lease.scorer().score(REQUESTS, 1);
                }
              }));
    }
    for (int i = 0; i < scores.size(); i++) {
      assertThat(scores.get(i).get()).isEqualTo(expected.get(chosen.get(i)));
    }
    pool.shutdown();
    assertThat(cache.bytes()).isZero();
  }

  /** Builds and closes a model of 14 MiB; what is not given back shows within a few rounds. */
  @ParameterizedTest
  @MethodSource("kernels")
  void evictedModelsGiveTheirNativeMemoryBack(String kernel) throws Exception {
    assumeTrue(Files.exists(Path.of("/proc/self/status")), "needs /proc to measure memory");
    Path wide = Variant.of("llama-linear").widened(16).write(folder.resolve("wide"));
    // A process of its own, whose Java heap is all resident from the start.
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xms192m",
                "-Xmx192m",
                "-XX:+AlwaysPreTouch",
                "--add-modules=jdk.incubator.vector",
                "-cp",
                System.getProperty("java.class.path"),
                Rounds.class.getName(),
                kernel,
                wide.toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).isZero();
    List<Long> resident = output.lines().map(Long::parseLong).toList();
    assertThat(resident).hasSize(Rounds.COUNT);
    long settled = resident.get(Rounds.COUNT / 2);
    assertThat(resident.get(Rounds.COUNT - 1) - settled)
        .as("bytes kept in %d rounds, of %s", Rounds.COUNT / 2, resident)
        .isLessThan(Rounds.COUNT / 2 * Rounds.MAY_KEEP);
  }

  /** Prints the process's resident bytes after every round. */
  static final class Rounds {
    /** The first half is for the compiler, which once takes as much as a model for good. */
    static final int COUNT = 40;

    /** A tenth of the model: allocators hold some back. */
    static final long MAY_KEEP = (14L << 20) / 10;

    private Rounds() {}

    public static void main(String[] arguments) throws IOException {
      ScorerCache cache = new ScorerCache(0);
      Path wide = Path.of(arguments[1]);
      ScorerCache.Key key = key(wide, arguments[0], 1);
      for (int i = 0; i < COUNT; i++) {
        try (var lease = cache.lease(key, () -> Checkpoint.open(wide))) {
          lease.scorer().score(REQUESTS, 0);
        }
        System.gc();
        System.out.println(resident());
      }
    }

    private static long resident() throws IOException {
      String line =
          Files.readAllLines(Path.of("/proc/self/status")).stream()
              .filter(l -> l.startsWith("RssAnon:"))
              .findFirst()
              .orElseThrow();
      return Long.parseLong(line.replaceAll("[^0-9]", "")) << 10;
    }
  }
}
