package org.cliffwatch.jobs.executor;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.cliffwatch.jobs.plan.Sha256;

/**
 * Brings checkpoints of any Hadoop file system to this host, once: the readers map files into
 * memory. Local ones are used where they are. The cache folder is {@code CLIFFWATCH_CACHE}, else
 * {@code cliffwatch-cache} in the temporary folder; entries are keyed by URI and by every file's
 * name, length and time.
 */
public final class LocalCheckpoints {
  /** What the threads of this process lock, by the entry they want. */
  private static final Map<Path, Object> COPYING = new ConcurrentHashMap<>();

  private final Configuration configuration;
  private final Path cache;

  public LocalCheckpoints(Configuration configuration) {
    this(configuration, cache());
  }

  LocalCheckpoints(Configuration configuration, Path cache) {
    this.configuration = configuration;
    this.cache = cache;
  }

  private static Path cache() {
    String folder = System.getenv("CLIFFWATCH_CACHE");
    return folder != null
        ? Path.of(folder)
        : Path.of(System.getProperty("java.io.tmpdir"), "cliffwatch-cache");
  }

  /** The checkpoint's path on this host, after copying it here if need be. */
  public Path local(String uri) {
    try {
      org.apache.hadoop.fs.Path remote = new org.apache.hadoop.fs.Path(uri);
      FileSystem files = remote.getFileSystem(configuration);
      if (files.getUri().getScheme().equals("file")) {
        return Path.of(files.makeQualified(remote).toUri().getPath());
      }
      return staged(files, remote);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot bring " + uri + " to this host: " + e.getMessage(), e);
    }
  }

  private Path staged(FileSystem files, org.apache.hadoop.fs.Path remote) throws IOException {
    FileStatus status = files.getFileStatus(remote);
    List<FileStatus> contents =
        status.isFile()
            ? List.of(status)
            : Arrays.stream(files.listStatus(remote))
                .filter(FileStatus::isFile)
                .sorted(Comparator.comparing(FileStatus::getPath))
                .toList();
    Path entry = cache.resolve(key(contents));
    Path target = status.isFile() ? entry.resolve(remote.getName()) : entry;
    if (Files.isDirectory(entry)) {
      return target;
    }
    Files.createDirectories(cache);
    // Who wants the same files waits instead of copying them: first the threads of this process,
    // which holds a file's lock as a whole, then other executors of this host.
    synchronized (COPYING.computeIfAbsent(entry, e -> new Object())) {
      try (FileChannel lock =
              FileChannel.open(
                  cache.resolve(entry.getFileName() + ".lock"),
                  StandardOpenOption.CREATE,
                  StandardOpenOption.WRITE);
          var held = lock.lock()) {
        if (held.isValid() && !Files.isDirectory(entry)) {
          copy(files, contents, entry);
        }
      }
    }
    return target;
  }

  private static void copy(FileSystem files, List<FileStatus> contents, Path entry)
      throws IOException {
    Path unfinished = entry.resolveSibling(entry.getFileName() + ".unfinished");
    deleteTree(unfinished);
    Files.createDirectories(unfinished);
    for (FileStatus file : contents) {
      try (var in = files.open(file.getPath())) {
        Path copy = unfinished.resolve(file.getPath().getName());
        long copied = Files.copy(in, copy, StandardCopyOption.REPLACE_EXISTING);
        if (copied != file.getLen()) {
          throw new IOException(
              file.getPath() + ": copied " + copied + " bytes, expected " + file.getLen());
        }
      }
    }
    for (FileStatus file : contents) {
      FileStatus now = files.getFileStatus(file.getPath());
      if (now.getLen() != file.getLen()
          || now.getModificationTime() != file.getModificationTime()) {
        throw new IOException(
            "%s: changed while it was copied: found %s bytes of %s, expected %s of %s"
                .formatted(
                    file.getPath(),
                    now.getLen(),
                    Instant.ofEpochMilli(now.getModificationTime()),
                    file.getLen(),
                    Instant.ofEpochMilli(file.getModificationTime())));
      }
    }
    Files.move(unfinished, entry, StandardCopyOption.ATOMIC_MOVE);
  }

  private static void deleteTree(Path folder) throws IOException {
    if (Files.exists(folder)) {
      try (Stream<Path> files = Files.walk(folder)) {
        for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      }
    }
  }

  private static String key(List<FileStatus> contents) {
    MessageDigest digest = Sha256.digest();
    for (FileStatus file : contents) {
      String line =
          file.getPath() + "\t" + file.getLen() + "\t" + file.getModificationTime() + "\n";
      digest.update(line.getBytes(StandardCharsets.UTF_8));
    }
    return Sha256.hex(digest);
  }
}
