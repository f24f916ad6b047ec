package org.cliffwatch.jobs.executor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HostCacheTest {
  private static final int BYTES = 100;

  @TempDir Path root;

  /** A folder of one file of {@link #BYTES}. */
  private static HostCache.Held hold(HostCache cache, String key) throws IOException {
    return cache.hold(
        key, BYTES, folder -> Files.write(folder.resolve("weights"), new byte[BYTES]));
  }

  private List<String> kept() throws IOException {
    try (Stream<Path> folders = Files.list(root)) {
      return folders
          .filter(Files::isDirectory)
          .map(folder -> folder.getFileName().toString())
          .sorted()
          .toList();
    }
  }

  private void lastHeld(String key, long millis) throws IOException {
    Files.setLastModifiedTime(root.resolve(key), FileTime.fromMillis(millis));
  }

  @Test
  void theLeastRecentlyHeldGoes() throws IOException {
    HostCache cache = new HostCache(root, 3 * BYTES);
    for (String key : List.of("a", "b", "c")) {
      hold(cache, key).close();
    }
    lastHeld("a", 3000);
    lastHeld("b", 1000);
    lastHeld("c", 2000);
    hold(cache, "d").close();
    assertThat(kept()).containsExactly("a", "c", "d");
    assertThat(cache.bytes()).isEqualTo(3 * BYTES);
    hold(cache, "b").close();
    assertThat(kept()).containsExactly("a", "b", "d");
  }

  @Test
  void whatIsHeldStays() throws IOException {
    HostCache cache = new HostCache(root, 2 * BYTES);
    HostCache.Held a = hold(cache, "a");
    HostCache.Held again = hold(cache, "a");
    HostCache.Held b = hold(cache, "b");
    a.close();
    a.close();
    hold(cache, "c").close();
    assertThat(kept()).containsExactly("a", "b", "c");
    assertThat(again.folder().resolve("weights")).exists();
    again.close();
    hold(cache, "d").close();
    assertThat(kept()).containsExactly("b", "d");
    b.close();
  }

  /** Another process's hold is a lock of its own. */
  @Test
  void whatAnotherProcessHoldsStays() throws Exception {
    HostCache cache = new HostCache(root, BYTES);
    hold(cache, "a").close();
    Process other =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                Holder.class.getName(),
                root.toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    try {
      assertThat(other.inputReader().readLine()).isEqualTo("held");
      hold(cache, "b").close();
      assertThat(kept()).containsExactly("a", "b");
      other.getOutputStream().close();
      assertThat(other.waitFor(1, TimeUnit.MINUTES)).isTrue();
      hold(cache, "c").close();
      assertThat(kept()).containsExactly("c");
    } finally {
      other.destroyForcibly();
    }
  }

  /** Holds {@code a} until its standard input ends. */
  static final class Holder {
    private Holder() {}

    public static void main(String[] arguments) throws IOException {
      HostCache cache = new HostCache(Path.of(arguments[0]), BYTES);
      try (HostCache.Held held = hold(cache, "a")) {
        System.out.println(Files.exists(held.folder()) ? "held" : "lost");
        System.in.readAllBytes();
      }
    }
  }

  @Test
  void whatACrashLeavesIsNoFolderAndGoes() throws IOException {
    HostCache cache = new HostCache(root, BYTES);
    assertThatThrownBy(
            () ->
                cache.hold(
                    "a",
                    BYTES,
                    folder -> {
                      Files.write(folder.resolve("weights"), new byte[BYTES / 2]);
                      throw new IOException("the line is cut");
                    }))
        .hasMessage("the line is cut");
    Files.createDirectories(root.resolve("b.removed"));
    Files.write(root.resolve("b.removed/weights"), new byte[BYTES]);
    assertThat(cache.bytes()).isEqualTo(BYTES + BYTES / 2);
    hold(cache, "c").close();
    assertThat(kept()).containsExactly("c");
    hold(cache, "a").close();
    assertThat(root.resolve("a/weights")).hasSize(BYTES);
  }

  /** Many threads with room for a few: each finds its folder whole as long as it holds it. */
  @Test
  void threadsNeverLoseWhatTheyHold() throws Exception {
    HostCache cache = new HostCache(root, 3 * BYTES);
    ExecutorService pool = Executors.newFixedThreadPool(6);
    List<Future<?>> runs = new ArrayList<>();
    for (int thread = 0; thread < 6; thread++) {
      SplittableRandom random = new SplittableRandom(thread);
      runs.add(
          pool.submit(
              () ->
                  IntStream.range(0, 60)
                      .forEach(
                          i -> {
                            try (HostCache.Held held = hold(cache, "k" + random.nextInt(7))) {
                              assertThat(held.folder().resolve("weights")).hasSize(BYTES);
                            } catch (IOException e) {
                              throw new UncheckedIOException(e);
                            }
                          })));
    }
    for (Future<?> run : runs) {
      run.get(1, TimeUnit.MINUTES);
    }
    pool.shutdown();
    hold(cache, "last").close();
    assertThat(cache.bytes()).isLessThanOrEqualTo(3 * BYTES);
  }
}
