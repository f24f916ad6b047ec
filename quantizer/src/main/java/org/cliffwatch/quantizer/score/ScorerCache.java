package org.cliffwatch.quantizer.score;

import java.lang.management.ManagementFactory;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.model.Inventory;
import org.cliffwatch.quantizer.scheme.Findings;
import org.cliffwatch.quantizer.scheme.Precision;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The built models of a process: one a checkpoint, precision and kernel, built once, shared by the
 * threads that lease it, and closed, its native memory with it, when another needs the room and
 * nobody holds it.
 *
 * <p>The budget, of a device at most half of its memory, counts packed weights, those of a model
 * being built as they are expected to be. Room is made before it is built. A model in use is never
 * closed, so more than the budget is held only while more than the budget is in use.
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

    /**
     * The scorer, which is closed with the lease.
     *
     * @throws IllegalStateException if it is
     */
    public Scorer scorer() {
      synchronized (ScorerCache.this) {
        if (returned) {
          throw new IllegalStateException("the lease is closed");
        }
        return scorer;
      }
    }

    /** Gives the model back; no call of its scorer may be running. Harmless a second time. */
    @Override
    public void close() {
      synchronized (ScorerCache.this) {
        if (!returned) {
          returned = true;
          scorer.close();
          entry.users--;
          entry.leases--;
          if (entry.users == 0) {
            // The budget does not count the heap, and hundreds of small models fit it.
            entry.model.decoder().rest();
          }
          makeRoom();
        }
      }
    }
  }

  /** A place for one model. The cache guards its fields; who builds the model holds the entry. */
  private static final class Entry {
    private Model model;
    private long expectedBytes;

    /** Who has a lease or waits for one. */
    private int users;

    private int leases;

    long bytes() {
      return model == null ? expectedBytes : model.decoder().bytes();
    }

    void close() {
      model.close();
      model.checkpoint().close();
      model = null;
    }
  }

  /** As {@link Model#load}. */
  interface Loader {
    Model load(
        Checkpoint checkpoint,
        Inventory inventory,
        Precision precision,
        Findings findings,
        Backend backend);
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

  private long budget;
  private final Loader loader;

  /** In order of use, the least recent first. */
  private final Map<Built, Entry> entries = new LinkedHashMap<>(16, 0.75f, true);

  /**
   * @param budget bytes of packed weights
   */
  public ScorerCache(long budget) {
    this(budget, Model::load);
  }

  ScorerCache(long budget, Loader loader) {
    this.budget = budget;
    this.loader = loader;
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
   * @param open opens the checkpoint, which is closed with its model; asked only when that must be
   *     built
   * @throws InvalidInputException if we cannot run it, or it is not the key's checkpoint any more
   */
  public Lease lease(Key key, Supplier<Checkpoint> open) {
    return lease(key, open, () -> null);
  }

  /**
   * As {@link #lease(Key, Supplier)}.
   *
   * @param findings of a precision that is calibrated; asked as {@code open} is
   */
  public Lease lease(Key key, Supplier<Checkpoint> open, Supplier<Findings> findings) {
    Built built = key.built();
    Entry entry;
    synchronized (this) {
      entry = entries.computeIfAbsent(built, k -> new Entry());
      entry.users++;
    }
    try {
      synchronized (entry) {
        Model model = current(entry);
        if (model == null) {
          model = build(built, entry, open.get(), findings);
        }
        Scorer scorer = Scorer.sharing(model, key.bos(), key.seed());
        synchronized (this) {
          entry.leases++;
        }
        return new Lease(entry, scorer);
      }
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

  /**
   * An entry's model, or null if there is none yet, or none any more: one whose files have changed
   * scores nothing, and goes when nobody has a lease of it, who may be in the middle of a call.
   */
  private Model current(Entry entry) {
    synchronized (this) {
      if (entry.model != null && entry.leases == 0 && entry.model.checkpoint().hasChanged()) {
        entry.close();
      }
      return entry.model;
    }
  }

  private Model build(
      Built built, Entry entry, Checkpoint checkpoint, Supplier<Findings> findings) {
    long start = System.nanoTime();
    Model model;
    try {
      requireIdentity(checkpoint, built.checkpoint());
      Inventory inventory = Inventory.of(checkpoint);
      Backend backend = Backends.openKernel(built.kernel());
      synchronized (this) {
        // A device's memory holds activations too.
        budget = Math.min(budget, backend.deviceBytes().orElse(Long.MAX_VALUE) / 2);
        entry.expectedBytes = inventory.bytes(built.precision());
        makeRoom();
      }
      model = loader.load(checkpoint, inventory, built.precision(), findings.get(), backend);
    } catch (RuntimeException | Error e) {
      synchronized (this) {
        entry.expectedBytes = 0;
      }
      checkpoint.close();
      throw e;
    }
    synchronized (this) {
      entry.model = model;
      entry.expectedBytes = 0;
      makeRoom();
    }
    LOG.debug(
        "built {} {} {}: {} MiB in {} ms",
        checkpoint.path(),
        built.precision().name(),
        built.kernel(),
        model.decoder().bytes() >> 20,
        (System.nanoTime() - start) / 1_000_000);
    return model;
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

  /** Closes idle models, the least recently used first, until the others fit the budget. */
  private synchronized void makeRoom() {
    long held = bytes();
    var oldest = entries.values().iterator();
    while (held > budget && oldest.hasNext()) {
      Entry entry = oldest.next();
      if (entry.users == 0) {
        held -= entry.bytes();
        oldest.remove();
        entry.close();
      }
    }
  }

  /** Closes every model that nobody holds. */
  public synchronized void clear() {
    var all = entries.values().iterator();
    while (all.hasNext()) {
      Entry entry = all.next();
      if (entry.users == 0) {
        all.remove();
        entry.close();
      }
    }
  }

  /** Bytes of packed weights held now, or expected of what is being built. */
  public synchronized long bytes() {
    return entries.values().stream().mapToLong(Entry::bytes).sum();
  }
}
