package org.cliffwatch.quantizer.model;

import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.Nudge;
import org.cliffwatch.quantizer.kernel.Rows;
import org.cliffwatch.quantizer.kernel.Stopwatch;
import org.cliffwatch.quantizer.kernel.TokenRuns;
import org.cliffwatch.quantizer.kernel.VocabularyHead;
import org.cliffwatch.quantizer.scheme.Findings;
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

  /** Fewer than {@link #HEAD_ROWS} wait, and as few are added. */
  private static final int WAITING_ROWS = 2 * HEAD_ROWS;

  /**
   * Beyond a batch's, rows of the largest workspace that is kept, and positions of the longest
   * rotary tables: a window of 2048 tokens and some. What is larger is made for a call and dropped:
   * that costs little beside so many rows, and memory a single long request took is free again.
   */
  private static final int KEPT_ROWS = 2176;

  /** Rows to every token of a shared prefix: computing it again takes a fifth of a batch. */
  private static final int BESIDE_PREFIX = 4;

  /** More gain nothing beside the prefixes of few-shot prompts, and are no longer in any cache. */
  private static final int MOST_BESIDE_PREFIX = 4096;

  /** Activations of wide models are as large for fewer rows; every thread has its own. */
  private static final long BYTES_BESIDE_PREFIX = 128L << 20;

  private final Architecture architecture;
  private final Backend backend;
  private final FloatType compute;
  private final PackedWeights weights;
  private final boolean quantizesKeyValues;
  private final ActivationLimit limit;

  /** Workspaces not in use: as many as there were calls at once. */
  private final Queue<Workspace> workspaces = new ConcurrentLinkedQueue<>();

  /** The longest rotary tables so far, last; shorter ones may still be read. */
  private final List<Rotary> rotaries;

  private final List<RotaryTables> rotaryTables = new CopyOnWriteArrayList<>();

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
    this(inventory, precision, null, backend, heapBytes);
  }

  /**
   * As {@link #Decoder(Inventory, Precision, Backend, long)}.
   *
   * @param findings of the precision's {@link Calibrator}; null: it needs none
   */
  public Decoder(
      Inventory inventory,
      Precision precision,
      Findings findings,
      Backend backend,
      long heapBytes) {
    this.architecture = inventory.architecture();
    this.rotaries = architecture.rotaries();
    this.limit = new ActivationLimit(architecture, heapBytes);
    this.backend = backend;
    this.compute = precision.compute();
    this.quantizesKeyValues = precision.quantizesKeyValues();
    this.weights = new PackedWeights(inventory, precision, findings, backend);
  }

  /**
   * Rows of a batch beyond those of its first sequence: enough that a prefix, which every batch
   * computes again, is a small part of it.
   *
   * @param shared tokens with which all of its sequences begin
   */
  public int batchRows(int shared) {
    long most =
        Math.min(MOST_BESIDE_PREFIX, BYTES_BESIDE_PREFIX / Workspace.rowBytes(architecture));
    return (int) Math.max(backend.batchRows(), Math.min(most, (long) BESIDE_PREFIX * shared));
  }

  /** The most rows that are kept of a workspace or of rotary tables. */
  int mostKept() {
    return KEPT_ROWS + batchRows(Integer.MAX_VALUE);
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
   * @param batches of at most {@link #mostRows} rows each, of sequences of one {@link #regime}
   * @param logProbability (targets) nats, written
   * @param greedy (targets) whether the target is the most probable token, written
   * @throws IllegalStateException if this is closed
   */
  public void score(
      Batches batches, Nudge nudge, Stopwatch watch, double[] logProbability, boolean[] greedy) {
    requireOpen();
    use(
        w ->
            forEachOutput(
                w,
                batches,
                nudge,
                watch,
                (y, first, last) -> project(w, y, batches, first, last, logProbability, greedy)));
  }

  /**
   * As {@link #score(Batches, Nudge, Stopwatch, double[], boolean[])}, compared with another
   * precision of the checkpoint.
   *
   * @param baseline what that precision's decoder has for the same batches
   * @param divergence (scored rows of all batches) as {@link
   *     org.cliffwatch.quantizer.kernel.VocabularyHead#compare} has it, written
   * @param agrees (scored rows of all batches) as there, written
   */
  public void score(
      Batches batches,
      Nudge nudge,
      Stopwatch watch,
      double[] logProbability,
      boolean[] greedy,
      Outputs baseline,
      double[] divergence,
      boolean[] agrees) {
    requireOpen();
    VocabularyHead other = baseline.decoder().weights.head;
    use(
        w ->
            forEachOutput(
                w,
                batches,
                nudge,
                watch,
                (y, first, last) -> {
                  project(w, y, batches, first, last, logProbability, greedy);
                  int rows = last - first;
                  float[] rowsThere = baseline.rows();
                  w.session()
                      .compare(weights.head, y, rows, other, rowsThere, first, divergence, agrees);
                }));
  }

  /**
   * What the vocabulary projection is applied to.
   *
   * @param rows (scored rows of all batches, embedding width)
   */
  public record Outputs(Decoder decoder, float[] rows) {}

  /** Floats that {@link #outputs} holds for a scored row. */
  public int outputWidth() {
    return architecture.embeddingWidth();
  }

  /**
   * The outputs of the scored rows of all batches, before the vocabulary projection.
   *
   * @param batches of at most {@link #mostRows} rows each, of sequences of one {@link #regime}
   * @throws IllegalStateException if this is closed
   */
  public Outputs outputs(Batches batches, Nudge nudge, Stopwatch watch) {
    requireOpen();
    float[] rows = new float[Math.multiplyExact(batches.firstTarget().length - 1, outputWidth())];
    use(
        w ->
            forEachOutput(
                w,
                batches,
                nudge,
                watch,
                (y, first, last) -> w.session().read(y, last - first, rows, first)));
    return new Outputs(this, rows);
  }

  /** Receives outputs of the scored rows {@code [first, last)} of all batches. */
  private interface OutputConsumer {
    void accept(Rows outputs, int first, int last);
  }

  private void forEachOutput(
      Workspace w, Batches batches, Nudge nudge, Stopwatch watch, OutputConsumer consumer) {
    int first = 0;
    int last = 0;
    for (Batch batch : batches.batches()) {
      Rows y = pass(batch.tokens(), batch.runs(), w, watch, nudge, batch.scoredRows());
      int scored = batch.scoredRows().length;
      if (scored >= HEAD_ROWS) {
        // As many as this need not wait, nor be copied.
        if (last > first) {
          consumer.accept(w.waiting(WAITING_ROWS), first, last);
        }
        consumer.accept(y, last, last + scored);
        first = last + scored;
      } else {
        w.session().append(y, w.waiting(WAITING_ROWS), last - first);
      }
      last += scored;
      if (last - first >= HEAD_ROWS) {
        consumer.accept(w.waiting(WAITING_ROWS), first, last);
        first = last;
      }
    }
    if (last > first) {
      consumer.accept(w.waiting(WAITING_ROWS), first, last);
    }
  }

  /** Scores the rows {@code [first, last)} of all batches, whose outputs these are. */
  private void project(
      Workspace w,
      Rows outputs,
      Batches batches,
      int first,
      int last,
      double[] logProbability,
      boolean[] greedy) {
    int[] firstTarget = Arrays.copyOfRange(batches.firstTarget(), first, last + 1);
    int[] targets = batches.targets();
    w.session()
        .score(weights.head, outputs, last - first, firstTarget, targets, logProbability, greedy);
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
    int[] all = IntStream.range(0, rows).toArray();
    use(
        w -> {
          Rows y = pass(sequence, run, w, new Stopwatch(), new Nudge(0, 0), all);
          w.session().logits(weights.head, y, logits);
        });
    return logits;
  }

  /** The outputs of the chosen rows of a batch, which are left at hand. */
  private Rows pass(
      int[] tokens, TokenRuns runs, Workspace w, Stopwatch watch, Nudge nudge, int[] chosen) {
    w.reserve(tokens.length, limit.rows());
    w.session().begin(tokens, runs, watch);
    Map<Rotary, RotaryTables> tables = new HashMap<>();
    for (Rotary rotary : rotaries) {
      tables.put(rotary, rotaryTables(rotary, runs.longest()));
    }
    Rows y =
        new ForwardPass(architecture, quantizesKeyValues, tables, w)
            .run(weights, nudge, tokens.length, chosen);
    for (RotaryTables each : tables.values()) {
      if (!rotaryTables.contains(each)) {
        each.close();
      }
    }
    return y;
  }

  /** With a workspace that was used before if there is one, and can be again if nothing fails. */
  private void use(Consumer<Workspace> work) {
    Workspace polled = workspaces.poll();
    Workspace w = polled == null ? new Workspace(backend.session(compute), architecture) : polled;
    boolean reusable = false;
    try {
      work.accept(w);
      reusable = w.capacity() <= mostKept();
    } finally {
      if (reusable) {
        workspaces.add(w);
      } else {
        w.close();
      }
    }
  }

  /** Lets go of the workspaces that are not in use: heap, of which each may hold some megabytes. */
  public void rest() {
    for (Workspace w = workspaces.poll(); w != null; w = workspaces.poll()) {
      w.close();
    }
  }

  /** Rows that workspaces not in use have room for, and positions of the rotary tables kept. */
  int keptRows() {
    int positions = rotaryTables.stream().mapToInt(RotaryTables::positions).max().orElse(0);
    return workspaces.stream().mapToInt(Workspace::capacity).sum() + positions;
  }

  /**
   * Sequences of different regimes share no batch: the same token has another key in each.
   *
   * @param length tokens of a sequence
   */
  public int regime(int length) {
    // No regime descends with the length: lengths of one sum are alike in each.
    return rotaries.stream().mapToInt(rotary -> rotary.regime(length)).sum();
  }

  /** Tables that are kept, or that serve this batch alone. */
  private RotaryTables rotaryTables(Rotary rotary, int length) {
    int regime = rotary.regime(length);
    if (regime == length) {
      return RotaryTables.of(rotary, length, length, compute, backend);
    }
    RotaryTables tables = longest(rotary, regime);
    if (tables != null && tables.positions() >= length) {
      return tables;
    }
    int doubled = tables == null ? 0 : Math.min(mostKept(), 2 * tables.positions());
    RotaryTables longer =
        RotaryTables.of(rotary, Math.max(length, doubled), length, compute, backend);
    if (length <= mostKept()) {
      rotaryTables.add(longer);
    }
    return longer;
  }

  private RotaryTables longest(Rotary rotary, int regime) {
    return rotaryTables.stream()
        .filter(tables -> tables.rotary() == rotary && tables.regime() == regime)
        .max(Comparator.comparingInt(RotaryTables::positions))
        .orElse(null);
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
      workspaces.forEach(Workspace::close);
      rotaryTables.forEach(RotaryTables::close);
      weights.close();
    }
  }
}
