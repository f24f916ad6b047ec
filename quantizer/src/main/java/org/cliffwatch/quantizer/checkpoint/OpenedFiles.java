package org.cliffwatch.quantizer.checkpoint;

import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import org.cliffwatch.quantizer.InvalidInputException;

/**
 * The files something is read from, each as it was before anything of it was read, so that a file
 * that is replaced, rewritten or truncated later is noticed. Safe for use by many threads.
 */
final class OpenedFiles {
  /**
   * Which file it is, how long, and when it was written. The time of its last change of status does
   * not count: making a hard link to a file changes that.
   *
   * @param key null where the file system has none
   */
  record State(Path real, Object key, long size, FileTime modified) {
    static State of(Path file) {
      try {
        Path real = file.toRealPath();
        BasicFileAttributes now = Files.readAttributes(real, BasicFileAttributes.class);
        return new State(real, now.fileKey(), now.size(), now.lastModifiedTime());
      } catch (NoSuchFileException e) {
        throw new InvalidInputException(file + ": no such file", e);
      } catch (IOException e) {
        throw new InvalidInputException(file + ": cannot be read: " + e, e);
      }
    }

    @Override
    public String toString() {
      return size + " bytes, written " + modified + ", file " + (key == null ? real : key);
    }
  }

  private final Map<Path, State> states = new ConcurrentHashMap<>();

  /**
   * Adds a file that is about to be read.
   *
   * @return the file
   * @throws InvalidInputException if it is not there
   */
  Path add(Path file) {
    states.computeIfAbsent(file, State::of);
    return file;
  }

  /** As they were when they were added. */
  Set<State> states() {
    return new HashSet<>(states.values());
  }

  /**
   * What {@code reading} gives, if no file has changed before it or by its end; else that is
   * closed, if it can be. What fails because a file has changed, in the mapping of a truncated file
   * too, fails with that reason.
   *
   * @throws InvalidInputException naming a file that has changed, what was found and what expected
   */
  <T> T consistently(Supplier<T> reading) {
    change()
        .ifPresent(
            change -> {
              throw new InvalidInputException(change);
            });
    T read = null;
    Throwable failure = null;
    try {
      read = reading.get();
      if (change().isEmpty()) {
        return read;
      }
      awaitFault();
    } catch (RuntimeException | InternalError e) {
      failure = e;
    }
    Optional<String> change = changeAfterFaults();
    if (read instanceof AutoCloseable open) {
      close(open);
    }
    if (change.isPresent()) {
      throw new InvalidInputException(change.get(), failure);
    }
    if (failure instanceof InternalError error) {
      throw error;
    }
    throw (RuntimeException) failure;
  }

  private static void close(AutoCloseable open) {
    try {
      open.close();
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  private Optional<String> changeAfterFaults() {
    Optional<String> change = Optional.empty();
    for (int attempt = 0; attempt < 3; attempt++) {
      try {
        awaitFault();
        change = change();
      } catch (InternalError e) {
        // What was awaited.
      }
    }
    return change;
  }

  /**
   * Bytes of a mapping that the file no longer reaches give an {@link InternalError}, which comes
   * not where they are read but when the thread next enters the virtual machine, as for an array
   * this long: here, so that it is not in whatever runs later.
   */
  private static void awaitFault() {
    Reference.reachabilityFence(new byte[1 << 21]);
  }

  /** What has changed, if anything has: the file, what was found and what expected. */
  Optional<String> change() {
    for (Map.Entry<Path, State> entry : states.entrySet()) {
      Path file = entry.getKey();
      State expected = entry.getValue();
      String found;
      try {
        State now = State.of(file);
        if (now.equals(expected)) {
          continue;
        }
        found = now.toString();
      } catch (InvalidInputException e) {
        found = e.getCause() instanceof NoSuchFileException ? "no such file" : e.getMessage();
      }
      return Optional.of(
          file + ": changed while it was in use: found " + found + ", expected " + expected);
    }
    return Optional.empty();
  }
}
