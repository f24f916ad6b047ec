package org.cliffwatch.jobs.executor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.FutureTask;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.cliffwatch.jobs.table.CheckpointRow;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LocalCheckpointsTest {
  @TempDir Path folder;
  private LocalCheckpoints checkpoints;
  private String uri;

  /** The local file system under another name, so that its files are staged. */
  public static final class RemoteFiles extends RawLocalFileSystem {
    private static final ConcurrentLinkedQueue<String> OPENED = new ConcurrentLinkedQueue<>();
    private static volatile Runnable onOpen = () -> {};

    @Override
    public URI getUri() {
      return URI.create("remote:///");
    }

    @Override
    public String getScheme() {
      return "remote";
    }

    @Override
    public FSDataInputStream open(org.apache.hadoop.fs.Path file, int buffer) throws IOException {
      OPENED.add(file.getName());
      onOpen.run();
      return super.open(file, buffer);
    }
  }

  @BeforeEach
  void makeCheckpoint() throws IOException {
    RemoteFiles.OPENED.clear();
    RemoteFiles.onOpen = () -> {};
    Configuration configuration = new Configuration();
    configuration.setClass("fs.remote.impl", RemoteFiles.class, RawLocalFileSystem.class);
    checkpoints = new LocalCheckpoints(configuration, folder.resolve("cache"), 0);
    Files.createDirectories(folder.resolve("there"));
    Files.writeString(folder.resolve("there/config.json"), "{}");
    Files.writeString(folder.resolve("there/model.safetensors"), "weights");
    uri = "remote://" + folder.resolve("there");
  }

  @Test
  void isCopiedOnceAndUsedAfter() throws IOException {
    Path local = checkpoints.local(uri).path();
    assertThat(checkpoints.local(uri).path()).isEqualTo(local);
    assertThat(Files.readString(local.resolve("model.safetensors"))).isEqualTo("weights");
    assertThat(RemoteFiles.OPENED).containsExactly("config.json", "model.safetensors");
    Path file = checkpoints.local(uri + "/model.safetensors").path();
    assertThat(Files.readString(file)).isEqualTo("weights");
  }

  /** Planning knows a copy's key by what {@code checkpoints} says of its files. */
  @Test
  void aCopyIsKnownByItsFiles() throws IOException {
    List<CheckpointRow.File> files = new ArrayList<>();
    for (String name : List.of("config.json", "model.safetensors")) {
      Path file = folder.resolve("there").resolve(name);
      files.add(
          new CheckpointRow.File(
              name, Files.size(file), Files.getLastModifiedTime(file).toMillis()));
    }
    assertThat(checkpoints.kept()).isEmpty();
    Path copy = checkpoints.local(uri).path();
    assertThat(checkpoints.kept())
        .containsExactly(checkpoints.key(uri, files))
        .containsExactly(copy.getFileName().toString());
  }

  /** While one thread copies, the others come: each waits, and none fails or copies again. */
  @Test
  void threadsOfOneProcessWaitForEachOther() throws Exception {
    List<Thread> threads = new ArrayList<>();
    List<FutureTask<Path>> tasks = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      tasks.add(new FutureTask<>(() -> checkpoints.local(uri).path()));
      threads.add(new Thread(tasks.get(i)));
    }
    RemoteFiles.onOpen =
        () -> {
          // Who copies goes on when all others wait, or have failed instead.
          while (threads.stream()
              .filter(thread -> thread != Thread.currentThread())
              .anyMatch(
                  thread ->
                      thread.getState() == Thread.State.NEW
                          || thread.getState() == Thread.State.RUNNABLE)) {
            Thread.onSpinWait();
          }
        };
    threads.forEach(Thread::start);
    for (FutureTask<Path> task : tasks) {
      assertThat(Files.readString(task.get().resolve("config.json"))).isEqualTo("{}");
    }
    assertThat(RemoteFiles.OPENED).containsExactly("config.json", "model.safetensors");
  }

  @Test
  void aFileThatChangesWhileItIsCopiedIsNoticed() throws IOException {
    Path weights = folder.resolve("there/model.safetensors");
    RemoteFiles.onOpen =
        () -> {
          try {
            Files.writeString(weights, "WEIGHTS");
            Files.setLastModifiedTime(weights, FileTime.fromMillis(1_000_000));
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        };
    assertThatThrownBy(() -> checkpoints.local(uri))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContaining("model.safetensors: changed while it was copied: found 7 bytes of")
        .hasMessageContaining(", expected 7 of ");
    RemoteFiles.onOpen = () -> {};
    Path local = checkpoints.local(uri).path();
    assertThat(Files.readString(local.resolve("model.safetensors"))).isEqualTo("WEIGHTS");
  }

  /** What a crash leaves is not taken for a checkpoint. */
  @Test
  void anUnfinishedCopyIsMadeAgain() throws IOException {
    RemoteFiles.onOpen =
        () -> {
          if (RemoteFiles.OPENED.contains("model.safetensors")) {
            throw new UncheckedIOException(new IOException("the line is cut"));
          }
        };
    assertThatThrownBy(() -> checkpoints.local(uri)).hasMessageContaining("the line is cut");
    RemoteFiles.onOpen = () -> {};
    Path local = checkpoints.local(uri).path();
    try (Stream<Path> files = Files.list(local)) {
      assertThat(files.map(file -> file.getFileName().toString()))
          .containsExactlyInAnyOrder("config.json", "model.safetensors");
    }
  }

  @Test
  void containersOfOneYarnApplicationShareTheirCache() {
    assertThat(LocalCheckpoints.cache(Map.of()))
        .isEqualTo(Path.of(System.getProperty("java.io.tmpdir"), "cliffwatch-cache"));
    Map<String, String> container = Map.of("CONTAINER_ID", "c1", "LOCAL_DIRS", "/a/app,/b/app");
    assertThat(LocalCheckpoints.cache(container)).isEqualTo(Path.of("/a/app/cliffwatch-cache"));
    assertThat(LocalCheckpoints.cache(Map.of("CLIFFWATCH_CACHE", "/c", "LOCAL_DIRS", "/a")))
        .isEqualTo(Path.of("/c"));
  }
}
