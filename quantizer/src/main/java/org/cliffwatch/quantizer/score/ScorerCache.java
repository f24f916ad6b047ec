package org.cliffwatch.quantizer.score;

import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.model.Inventory;
import org.cliffwatch.quantizer.scheme.Precision;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The built models of a process: one a checkpoint, precision and kernel, built once, shared by the
 * threads that lease it, and closed, its native memory with it, when another needs the room and
 * nobody holds it.
 *
 * <p>The budget counts packed weights. Room is made before a model is built. A model in use is
 * never closed, so more than the budget is held only while more than the budget is in use.
 */
public final class ScorerCache {
  /** System property: bytes of packed weights a process keeps. */
  public static final String BUDGET_PROPERTY = "cliffwatch.model-cache-bytes";

  private static final Logger LOG = LoggerFactory.getLogger(ScorerCache.class);

  /**
   * What a scorer is for.
   *
   * @param checkpoint the checkpoint's content hash
   * @param kernel kernel identity
   */
  public record Key(String checkpoint, Precision precision, String kernel, BosRule bos, long seed) {
    private Built built() {
      return new Built(checkpoint, precision, kernel);
    }
  }

  /** What makes two built models the same. */
  private record Built(String checkpoint, Precision precision, String kernel) {}

  /** A model in use; close it when done. */
  public final class Lease implements AutoCloseable {
    private final Entry entry;
    private final Scorer scorer;
    private boolean returned;

    private Lease(Entry entry, Scorer scorer) {
      this.entry = entry;
      this.scorer = scorer;
    }

    public Scorer scorer() {
      return scorer;
    }

    @Override
    public void close() {
      synchronized (ScorerCache.this) {
        if (!returned) {
          returned = true;
          entry.users--;
        }
      }
      makeRoom(0);
    }
  }

  /** A place for one model; {@code users} is guarded by the cache, building by the entry. */
  private static final class Entry {
    private volatile Model model;
    private Checkpoint checkpoint;
    private int users;

    long bytes() {
      Model built = model;
      return built == null ? 0 : built.decoder().bytes();
    }

    void close() {
      model.close();
      checkpoint.close();
    }
  }

  private static final class Shared {
    static final ScorerCache CACHE =
        new ScorerCache(Long.getLong(BUDGET_PROPERTY, physicalMemory() / 2));

    private static long physicalMemory() {
      return ((com.sun.management.OperatingSystemMXBean)
              ManagementFactory.getOperatingSystemMXBean())
          .getTotalMemorySize();
    }
  }

  private final long budget;

  /** In order of use, the least recent first. */
  private final Map<Built, Entry> entries = new LinkedHashMap<>(16, 0.75f, true);

  /**
   * @param budget bytes of packed weights
   */
  public ScorerCache(long budget) {
    this.budget = budget;
  }

  /**
   * The process's own, with half of the machine's memory unless {@link #BUDGET_PROPERTY} is set.
   */
  public static ScorerCache shared() {
    return Shared.CACHE;
  }

  /**
   * A scorer of a key, its model built by the first caller while others that want it wait.
   *
   * @param path where the checkpoint lies on this host; asked only when it must be built
   * @throws InvalidInputException if we cannot run it, or it is not the key's checkpoint any more
   */
  public Lease lease(Key key, Supplier<Path> path) {
    Built built = key.built();
    Entry entry;
    synchronized (this) {
      entry = entries.computeIfAbsent(built, k -> new Entry());
      entry.users++;
    }
    try {
      synchronized (entry) {
        if (entry.model == null) {
          build(built, entry, path.get());
        }
      }
      return new Lease(entry, Scorer.sharing(entry.model, key.bos(), key.seed()));
    } catch (RuntimeException | Error e) {
      synchronized (this) {
        entry.users--;
        if (entry.users == 0 && entry.model == null) {
          entries.remove(built, entry);
        }
      }
      throw e;
    }
  }

  private void build(Built built, Entry entry, Path path) {
    long start = System.nanoTime();
    Checkpoint checkpoint = Checkpoint.open(path);
    try {
      requireIdentity(checkpoint, built.checkpoint());
      Inventory inventory = Inventory.of(checkpoint);
      makeRoom(inventory.bytes(built.precision()));
      entry.checkpoint = checkpoint;
      entry.model =
          Model.load(checkpoint, inventory, built.precision(), Backends.openKernel(built.kernel()));
    } catch (RuntimeException | Error e) {
      checkpoint.close();
      throw e;
    }
    LOG.info(
        "built {} {} {}: {} MiB in {} ms",
        path,
        built.precision().name(),
        built.kernel(),
        entry.bytes() >> 20,
        (System.nanoTime() - start) / 1_000_000);
  }

  private static void requireIdentity(Checkpoint checkpoint, String expected) {
    String found = checkpoint.identity();
    if (!found.equals(expected)) {
      throw new InvalidInputException(
          checkpoint.path()
              + ": found a checkpoint of content "
              + found
              + ", expected "
              + expected
              + ": it was replaced since the run was planned");
    }
  }

  /** Closes idle models, the least recently used first, until so much more fits the budget. */
  private void makeRoom(long wanted) {
    List<Entry> closing = new ArrayList<>();
    synchronized (this) {
      long held = entries.values().stream().mapToLong(Entry::bytes).sum() + wanted;
      var oldest = entries.values().iterator();
      while (held > budget && oldest.hasNext()) {
        Entry entry = oldest.next();
        if (entry.users == 0) {
          held -= entry.bytes();
          oldest.remove();
          closing.add(entry);
        }
      }
    }
    closing.forEach(Entry::close);
  }

  /** Closes every model that nobody holds. */
  public void clear() {
    List<Entry> closing = new ArrayList<>();
    synchronized (this) {
      entries
          .values()
          .removeIf(
              entry -> {
                boolean idle = entry.users == 0;
                if (idle) {
                  closing.add(entry);
                }
                return idle;
              });
    }
    closing.forEach(Entry::close);
  }

  /** Bytes of packed weights held now. */
  public synchronized long bytes() {
    return entries.values().stream().mapToLong(Entry::bytes).sum();
  }
}
