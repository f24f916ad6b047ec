package org.cliffwatch.quantizer.model;

import java.util.Arrays;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.HostOperations;
import org.cliffwatch.quantizer.kernel.Stopwatch;
import org.cliffwatch.quantizer.kernel.TokenRuns;
import org.cliffwatch.quantizer.scheme.Precision;

/**
 * A decoder-only transformer, its weights packed for a precision and a backend.
 *
 * <p>Safe for concurrent calls, each of which runs on its caller's thread. A row's result depends
 * on its tokens alone, bit for bit: products, attention and the rest promise it each for itself.
 *
 * <p>In a 16-bit compute type, what transformers would keep as a 16-bit tensor is rounded to the
 * type; sums within an operation are float32.
 */
public final class Decoder implements AutoCloseable {
  /**
   * Rows enough for the vocabulary projection: of its tiles of 32, a sixteenth is empty at most.
   */
  private static final int HEAD_ROWS = 512;

  /**
   * Rows of the largest workspace that is kept, and positions of the longest rotary tables: a
   * window of 2048 tokens and what is batched with it. What is larger is made for a call and
   * dropped: that costs little beside so many rows, and memory a single long request took is free
   * again.
   */
  static final int KEPT_ROWS = 2560;

  private final Architecture architecture;
  private final HostOperations operations;
  private final FloatType compute;
  private final PackedWeights weights;
  private final ActivationLimit limit;

  /** Workspaces not in use: as many as there were calls at once. */
  private final Queue<Workspace> workspaces = new ConcurrentLinkedQueue<>();

  private volatile Rotary.Tables rotaryTables = new Rotary.Tables(0, null, null);
  private final AtomicBoolean closed = new AtomicBoolean();

  /**
   * Reads and packs a checkpoint's weights. Token embeddings are read as they are needed: the
   * checkpoint must stay open as long as this.
   *
   * @throws InvalidInputException naming a tensor whose weights cannot be used
   */
  public Decoder(Inventory inventory, Precision precision, Backend backend) {
    this(inventory, precision, backend, Runtime.getRuntime().maxMemory());
  }

  /**
   * As {@link #Decoder(Inventory, Precision, Backend)}.
   *
   * @param heapBytes what the heap can grow to: one sequence's activations must fit it
   */
  public Decoder(Inventory inventory, Precision precision, Backend backend, long heapBytes) {
    this.architecture = inventory.architecture();
    this.limit = new ActivationLimit(architecture, heapBytes);
    this.operations = backend.operations();
    this.compute = precision.compute();
    this.weights = new PackedWeights(inventory, precision, backend);
  }

  /** The most rows a batch may have. */
  public int mostRows() {
    return limit.rows();
  }

  /**
   * What keeps a sequence of so many tokens from being scored, if anything does: its activations
   * are larger than an array, or than the heap.
   */
  public Optional<String> refuses(int tokens) {
    return limit.refuses(tokens);
  }

  /** What keeps {@link #logits} from taking a sequence of so many tokens, if anything does. */
  public Optional<String> refusesLogits(int tokens) {
    return limit.refusesLogits(tokens);
  }

  /**
   * Scores batches, one after another. Of several batches the scored rows wait for one another, to
   * go through the vocabulary projection together.
   *
   * @param batches of at most {@link #mostRows} rows each
   * @param logProbability (targets) nats, written
   * @param greedy (targets) whether the target is the most probable token, written
   * @throws IllegalStateException if this is closed
   */
  public void score(
      Batches batches, Nudge nudge, Stopwatch watch, double[] logProbability, boolean[] greedy) {
    requireOpen();
    int width = architecture.embeddingWidth();
    float[] waiting = {};
    int first = 0;
    int last = 0;
    for (Batch batch : batches.batches()) {
      Workspace w = borrow(batch.runs());
      float[] y = pass(batch.tokens(), batch.runs(), w, watch).run(nudge, batch.scoredRows());
      int rows = last - first;
      int scored = batch.scoredRows().length;
      if (scored >= HEAD_ROWS) {
        // As many as this need not wait, nor be copied.
        project(waiting, batches, first, last, watch, logProbability, greedy);
        project(y, batches, last, last + scored, watch, logProbability, greedy);
        first = last + scored;
      } else {
        if (waiting.length < (rows + scored) * width) {
          waiting = Arrays.copyOf(waiting, (2 * rows + scored) * width);
        }
        System.arraycopy(y, 0, waiting, rows * width, scored * width);
      }
      giveBack(w);
      last += scored;
      if (last - first >= HEAD_ROWS) {
        project(waiting, batches, first, last, watch, logProbability, greedy);
        first = last;
      }
    }
    project(waiting, batches, first, last, watch, logProbability, greedy);
  }

  /** Scores the rows {@code [first, last)} of all batches, whose outputs these are. */
  private void project(
      float[] outputs,
      Batches batches,
      int first,
      int last,
      Stopwatch watch,
      double[] logProbability,
      boolean[] greedy) {
    if (first == last) {
      return;
    }
    int[] firstTarget = Arrays.copyOfRange(batches.firstTarget(), first, last + 1);
    int[] targets = batches.targets();
    weights.head.score(outputs, last - first, firstTarget, targets, watch, logProbability, greedy);
  }

  /**
   * The logits of one sequence, (tokens, vocabulary).
   *
   * @throws IllegalArgumentException for a length that is {@link #refusesLogits refused}
   * @throws IllegalStateException if this is closed
   */
  public float[] logits(int[] sequence) {
    requireOpen();
    int rows = sequence.length;
    limit
        .refusesLogits(rows)
        .ifPresent(
            refusal -> {
              throw new IllegalArgumentException(refusal);
            });
    float[] logits = new float[rows * architecture.vocabulary()];
    TokenRuns run = new TokenRuns(new int[] {0, rows}, new int[] {-1}, new int[] {0});
    Workspace w = borrow(run);
    float[] y =
        pass(sequence, run, w, new Stopwatch())
            .run(new Nudge(0, 0), IntStream.range(0, rows).toArray());
    weights.head.logits(y, rows, logits);
    giveBack(w);
    return logits;
  }

  private ForwardPass pass(int[] tokens, TokenRuns runs, Workspace w, Stopwatch watch) {
    Rotary.Tables tables = architecture.rotary() == null ? null : rotaryTables(w, runs);
    return new ForwardPass(
        architecture, weights, operations, compute, tokens, runs, tables, w, watch);
  }

  /** A workspace for the rows, their positions numbered. */
  private Workspace borrow(TokenRuns runs) {
    Workspace w = workspaces.poll();
    if (w == null) {
      w = new Workspace();
    }
    w.reserve(architecture, runs.rows(), limit.rows());
    for (int run = 0; run < runs.runs(); run++) {
      int first = runs.start()[run];
      for (int r = first; r < runs.start()[run + 1]; r++) {
        w.positions[r] = runs.position()[run] + r - first;
      }
    }
    return w;
  }

  private void giveBack(Workspace w) {
    if (w.capacity() <= KEPT_ROWS) {
      workspaces.add(w);
    }
  }

  /** Rows that workspaces not in use have room for, and positions of the rotary tables kept. */
  int keptRows() {
    return workspaces.stream().mapToInt(Workspace::capacity).sum() + rotaryTables.positions();
  }

  private Rotary.Tables rotaryTables(Workspace w, TokenRuns runs) {
    int length = 0;
    for (int r = 0; r < runs.rows(); r++) {
      length = Math.max(length, w.positions[r] + 1);
    }
    Rotary rotary = architecture.rotary();
    if (rotary.dependsOnLength(length)) {
      if (runs.runs() > 1) {
        throw new IllegalArgumentException(
            "a sequence of "
                + length
                + " tokens has rotary frequencies of its own and shares no batch");
      }
      return rounded(rotary.tables(length, length));
    }
    Rotary.Tables tables = rotaryTables;
    if (tables.positions() < length) {
      int doubled = Math.min(KEPT_ROWS, 2 * tables.positions());
      tables = rounded(rotary.tables(Math.max(length, doubled), length));
      if (length <= KEPT_ROWS) {
        rotaryTables = tables;
      }
    }
    return tables;
  }

  private Rotary.Tables rounded(Rotary.Tables tables) {
    operations.round(compute, tables.cos(), tables.cos().length);
    operations.round(compute, tables.sin(), tables.sin().length);
    return tables;
  }

  public Architecture architecture() {
    return architecture;
  }

  /** Bytes of packed weights, native and on the heap. */
  public long bytes() {
    return weights.bytes();
  }

  private void requireOpen() {
    if (closed.get()) {
      throw new IllegalStateException("the decoder is closed");
    }
  }

  /** Frees the packed weights; no call may be running. Harmless a second time. */
  @Override
  public void close() {
    if (closed.compareAndSet(false, true)) {
      weights.close();
    }
  }
}
