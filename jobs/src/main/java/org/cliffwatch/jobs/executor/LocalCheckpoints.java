package org.cliffwatch.jobs.executor;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.spark.network.util.JavaUtils;
import org.cliffwatch.jobs.plan.Sha256;
import org.cliffwatch.jobs.table.CheckpointRow;
import org.cliffwatch.jobs.table.StorageException;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;

/**
 * Brings checkpoints of any Hadoop file system to this host, once: the readers map files into
 * memory. Local ones are used where they are. The cache folder is {@code CLIFFWATCH_CACHE}, else
 * {@code cliffwatch-cache} in the temporary folder, or on YARN in what the application's containers
 * share on a host; entries are keyed by URI and by every file's name, length and time. It keeps
 * {@code CLIFFWATCH_CACHE_BYTES}, else four fifths of what the disk has room for; what is open is
 * never removed.
 */
public final class LocalCheckpoints {
  private static final double SHARE_OF_DISK = 0.8;

  private final Configuration configuration;
  private final Path cache;
  private final long mostBytes;

  public LocalCheckpoints(Configuration configuration) {
    this(
        configuration,
        cache(System.getenv()),
        System.getenv("CLIFFWATCH_CACHE_BYTES") == null
            ? 0
            : bytes(System.getenv("CLIFFWATCH_CACHE_BYTES")));
  }

  /**
   * @param mostBytes what the cache keeps; 0: by the disk
   */
  LocalCheckpoints(Configuration configuration, Path cache, long mostBytes) {
    this.configuration = configuration;
    this.cache = cache;
    this.mostBytes = mostBytes;
  }

  static Path cache(Map<String, String> environment) {
    String folder = environment.get("CLIFFWATCH_CACHE");
    if (folder != null) {
      return Path.of(folder);
    }
    // A container of YARN's has a temporary folder of its own; those of an application share
    // others.
    String shared = environment.containsKey("CONTAINER_ID") ? environment.get("LOCAL_DIRS") : null;
    return Path.of(
        shared == null ? System.getProperty("java.io.tmpdir") : shared.replaceFirst(",.*", ""),
        "cliffwatch-cache");
  }

  /** A number of bytes, or as Spark spells sizes: 500g. */
  static long bytes(String text) {
    try {
      long bytes = JavaUtils.byteStringAsBytes(text);
      if (bytes > 0) {
        return bytes;
      }
    } catch (NumberFormatException e) {
      // said below
    }
    throw new InvalidInputException(
        "CLIFFWATCH_CACHE_BYTES: found '" + text + "', expected a size such as 500g");
  }

  /**
   * Opens a checkpoint, after copying it here if need be. Its copy stays as long as it is open.
   *
   * @throws InvalidInputException as {@link Checkpoint#open} has it
   * @throws StorageException if it cannot be copied
   */
  public Checkpoint open(String uri) {
    Local local = local(uri);
    try {
      return Checkpoint.open(local.path()).onClose(local::close);
    } catch (RuntimeException | Error e) {
      local.close();
      throw e;
    }
  }

  /**
   * Reads a file, after copying it here if need be.
   *
   * @throws StorageException if it cannot be copied
   */
  public <T> T read(String uri, Function<Path, T> reading) {
    try (Local local = local(uri)) {
      return reading.apply(local.path());
    }
  }

  /**
   * Where a checkpoint lies on this host.
   *
   * @param held its copy, in use until it is closed; null for one that is used where it is
   */
  record Local(Path path, HostCache.Held held) implements AutoCloseable {
    @Override
    public void close() {
      if (held != null) {
        held.close();
      }
    }
  }

  Local local(String uri) {
    try {
      org.apache.hadoop.fs.Path remote = new org.apache.hadoop.fs.Path(uri);
      FileSystem files = remote.getFileSystem(configuration);
      if (files.getUri().getScheme().equals("file")) {
        return new Local(Path.of(files.makeQualified(remote).toUri().getPath()), null);
      }
      return staged(files, remote);
    } catch (IOException e) {
      throw new StorageException("cannot bring " + uri + " to this host", e);
    }
  }

  /** The keys of the copies on this host. */
  public List<String> kept() throws IOException {
    return new HostCache(cache, 0).kept();
  }

  private Local staged(FileSystem files, org.apache.hadoop.fs.Path remote) throws IOException {
    FileStatus status = files.getFileStatus(remote);
    List<FileStatus> contents =
        status.isFile()
            ? List.of(status)
            : Arrays.stream(files.listStatus(remote))
                .filter(FileStatus::isFile)
                .sorted(Comparator.comparing(file -> file.getPath().getName()))
                .toList();
    long bytes = contents.stream().mapToLong(FileStatus::getLen).sum();
    HostCache.Held held =
        new HostCache(cache, most())
            .hold(key(remote.toString(), files(contents)), bytes, to -> copy(files, contents, to));
    Path folder = held.folder();
    return new Local(status.isFile() ? folder.resolve(remote.getName()) : folder, held);
  }

  private static List<CheckpointRow.File> files(List<FileStatus> contents) {
    return contents.stream()
        .map(
            file ->
                new CheckpointRow.File(
                    file.getPath().getName(), file.getLen(), file.getModificationTime()))
        .toList();
  }

  private long most() throws IOException {
    if (mostBytes > 0) {
      return mostBytes;
    }
    Files.createDirectories(cache);
    long room = Files.getFileStore(cache).getUsableSpace();
    return (long) (SHARE_OF_DISK * (room + new HostCache(cache, 0).bytes()));
  }

  private static void copy(FileSystem files, List<FileStatus> contents, Path to)
      throws IOException {
    for (FileStatus file : contents) {
      try (var in = files.open(file.getPath())) {
        long copied = Files.copy(in, to.resolve(file.getPath().getName()));
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
  }

  /**
   * What a copy is called: by the checkpoint's place, and every file's name, length and time.
   *
   * @param files by name
   */
  public String key(String uri, List<CheckpointRow.File> files) throws IOException {
    org.apache.hadoop.fs.Path path = new org.apache.hadoop.fs.Path(uri);
    MessageDigest digest = Sha256.digest();
    update(digest, path.getFileSystem(configuration).makeQualified(path).toString());
    for (CheckpointRow.File file : files) {
      update(digest, file.name() + "\t" + file.size() + "\t" + file.modified());
    }
    return Sha256.hex(digest);
  }

  private static void update(MessageDigest digest, String line) {
    digest.update((line + "\n").getBytes(StandardCharsets.UTF_8));
  }
}
