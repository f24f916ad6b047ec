package org.cliffwatch.jobs.executor;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Folders of copied files, one a key, that all processes of a host share. Beyond a bound those that
 * nobody holds go, the least recently held first; more than the bound is kept only while more is
 * held.
 *
 * <p>{@code <key>.lock} is locked, shared by every process that holds the folder, and exclusively
 * by who fills or removes it. Nothing else may open that file: a process loses its lock when it
 * closes any channel of the file. A folder's own time is when it was last held. It appears whole,
 * and disappears at once: what a crash leaves has another name.
 */
final class HostCache {
  private static final Logger LOG = LoggerFactory.getLogger(HostCache.class);

  private static final String LOCK = ".lock";
  private static final String UNFINISHED = ".unfinished";
  private static final String REMOVED = ".removed";

  /** A file's lock is its process's: threads agree here first. By folder. */
  private static final Map<Path, Use> USES = new ConcurrentHashMap<>();

  /** What this process holds of a folder; guarded by the lock. */
  private static final class Use {
    private final ReentrantLock lock = new ReentrantLock();
    private int holders;
    private FileChannel shared;
  }

  private final Path root;
  private final long mostBytes;

  /**
   * @param mostBytes of all folders together
   */
  HostCache(Path root, long mostBytes) {
    this.root = root;
    this.mostBytes = mostBytes;
  }

  /** Puts a key's files into an empty folder. */
  interface Filling {
    void into(Path folder) throws IOException;
  }

  /** A folder in use; close it when done. Closing is harmless a second time. */
  final class Held implements AutoCloseable {
    private final Path folder;
    private boolean released;

    private Held(Path folder) {
      this.folder = folder;
    }

    Path folder() {
      return folder;
    }

    @Override
    public synchronized void close() {
      if (!released) {
        released = true;
        release(folder);
      }
    }
  }

  /**
   * A key's folder, filled if it is not there. Who wants the same one waits rather than fill it
   * too.
   *
   * @param key a file name
   * @param bytes what filling it takes
   */
  Held hold(String key, long bytes, Filling filling) throws IOException {
    Files.createDirectories(root);
    Path folder = root.resolve(key);
    Use use = use(folder);
    use.lock.lock();
    try {
      if (use.holders == 0) {
        use.shared = shared(folder, bytes, filling);
      }
      use.holders++;
      Files.setLastModifiedTime(folder, FileTime.fromMillis(System.currentTimeMillis()));
      return new Held(folder);
    } finally {
      use.lock.unlock();
    }
  }

  private static void release(Path folder) {
    Use use = use(folder);
    use.lock.lock();
    try {
      use.holders--;
      if (use.holders == 0) {
        use.shared.close();
      }
    } catch (IOException e) {
      throw new UncheckedIOException("cannot let go of " + folder, e);
    } finally {
      use.lock.unlock();
    }
  }

  /** A shared lock of a folder that is there. */
  private FileChannel shared(Path folder, long bytes, Filling filling) throws IOException {
    FileChannel channel = channel(folder);
    try {
      while (true) {
        FileLock shared = channel.lock(0, Long.MAX_VALUE, true);
        if (Files.isDirectory(folder)) {
          return channel;
        }
        shared.release();
        try (FileLock exclusive = channel.lock()) {
          if (exclusive.isValid() && !Files.isDirectory(folder)) {
            makeRoom(bytes);
            fill(folder, filling);
          }
        }
      }
    } catch (IOException | RuntimeException | Error e) {
      channel.close();
      throw e;
    }
  }

  private static void fill(Path folder, Filling filling) throws IOException {
    Path unfinished = sibling(folder, UNFINISHED);
    deleteTree(unfinished);
    Files.createDirectories(unfinished);
    filling.into(unfinished);
    Files.move(unfinished, folder, StandardCopyOption.ATOMIC_MOVE);
  }

  /** What this process or another knows of a folder. */
  private record Known(Path folder, long bytes, FileTime held) {}

  private void makeRoom(long bytes) throws IOException {
    List<Known> all = new ArrayList<>();
    try (Stream<Path> entries = Files.list(root)) {
      for (Path entry : entries.filter(Files::isDirectory).toList()) {
        Path folder = sibling(root.resolve(entry.getFileName()), "");
        all.add(new Known(folder, size(entry), lastHeld(entry)));
      }
    }
    long kept = all.stream().mapToLong(Known::bytes).sum();
    all.sort(Comparator.comparing(Known::held));
    for (Known oldest : all) {
      if (kept + bytes <= mostBytes) {
        return;
      }
      if (remove(oldest.folder())) {
        kept -= oldest.bytes();
      }
    }
    if (kept + bytes > mostBytes) {
      LOG.warn(
          "{} holds {} bytes in use, and is to hold at most {}", root, kept + bytes, mostBytes);
    }
  }

  /**
   * @return whether it is gone; not where anybody holds or fills it
   */
  private boolean remove(Path folder) throws IOException {
    Use use = use(folder);
    // Not waiting: who fills that folder may be waiting for this one.
    if (!use.lock.tryLock()) {
      return false;
    }
    try {
      if (use.holders > 0 || use.lock.getHoldCount() > 1) {
        return false;
      }
      try (FileChannel channel = channel(folder);
          FileLock exclusive = channel.tryLock()) {
        if (exclusive == null) {
          return false;
        }
        Path removed = sibling(folder, REMOVED);
        deleteTree(removed);
        if (Files.isDirectory(folder)) {
          Files.move(folder, removed, StandardCopyOption.ATOMIC_MOVE);
        }
        deleteTree(removed);
        deleteTree(sibling(folder, UNFINISHED));
        LOG.debug("removed {}", folder);
        return true;
      }
    } finally {
      use.lock.unlock();
    }
  }

  /** The keys whose folders are there. */
  List<String> kept() throws IOException {
    if (!Files.isDirectory(root)) {
      return List.of();
    }
    try (Stream<Path> entries = Files.list(root)) {
      return entries
          .filter(entry -> Files.isDirectory(entry) && sibling(entry, "").equals(entry))
          .map(entry -> entry.getFileName().toString())
          .toList();
    }
  }

  /** Bytes of all folders, of those that a crash has left too. */
  long bytes() throws IOException {
    if (!Files.isDirectory(root)) {
      return 0;
    }
    try (Stream<Path> entries = Files.list(root)) {
      long sum = 0;
      for (Path entry : entries.filter(Files::isDirectory).toList()) {
        sum += size(entry);
      }
      return sum;
    }
  }

  private static long size(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      long sum = 0;
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        sum += Files.size(file);
      }
      return sum;
    } catch (NoSuchFileException | UncheckedIOException e) {
      return 0; // removed by another process meanwhile
    }
  }

  private static FileTime lastHeld(Path folder) throws IOException {
    try {
      return Files.getLastModifiedTime(folder);
    } catch (NoSuchFileException e) {
      return FileTime.fromMillis(0); // removed by another process meanwhile
    }
  }

  private static Use use(Path folder) {
    return USES.computeIfAbsent(folder, f -> new Use());
  }

  private static FileChannel channel(Path folder) throws IOException {
    return FileChannel.open(
        sibling(folder, LOCK),
        StandardOpenOption.CREATE,
        StandardOpenOption.READ,
        StandardOpenOption.WRITE);
  }

  /** The folder's name, without what it may end with, and with {@code suffix}. */
  private static Path sibling(Path folder, String suffix) {
    String name = folder.getFileName().toString();
    for (String end : List.of(UNFINISHED, REMOVED)) {
      name = name.endsWith(end) ? name.substring(0, name.length() - end.length()) : name;
    }
    return folder.resolveSibling(name + suffix);
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
}
