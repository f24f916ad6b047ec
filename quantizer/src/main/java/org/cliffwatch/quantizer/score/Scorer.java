package org.cliffwatch.quantizer.score;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.Nudge;
import org.cliffwatch.quantizer.kernel.Stage;
import org.cliffwatch.quantizer.kernel.Stopwatch;
import org.cliffwatch.quantizer.model.Batch;
import org.cliffwatch.quantizer.model.Batches;
import org.cliffwatch.quantizer.model.Decoder;
import org.cliffwatch.quantizer.model.Inventory;
import org.cliffwatch.quantizer.scheme.Findings;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.score.Score.Divergence;
import org.cliffwatch.quantizer.tokenizer.Tokenizer;

/**
 * Scores requests with one checkpoint in one precision.
 *
 * <p>Safe for concurrent calls: each runs on its caller's thread, and all share the packed weights.
 * A score depends on checkpoint, precision, backend, replica and the request's own tokens, bit for
 * bit: not on the requests beside it, their order or the thread.
 */
public final class Scorer implements AutoCloseable {
  /** lm-evaluation-harness's window, where neither configuration nor tokenizer states a length. */
  public static final int DEFAULT_WINDOW = 2048;

  /** Floats of a baseline's outputs held at once, 16 MiB, or those of one sequence. */
  private static final int MOST_OUTPUTS = 4 << 20;

  private final Model model;
  private final boolean owner;
  private final RequestEncoder encoder;
  private final int window;
  private final long seed;
  private final Map<Stage, LongAdder> nanos = new EnumMap<>(Stage.class);
  private final LongAdder rows = new LongAdder();
  private final LongAdder scoredRows = new LongAdder();
  private final AtomicBoolean closed = new AtomicBoolean();

  private Scorer(Model model, boolean owner, BosRule bos, long seed) {
    this.model = model;
    this.owner = owner;
    this.window = window(model.decoder().architecture().contextLength(), model.tokenizer());
    this.encoder = new RequestEncoder(model.tokenizer(), bos, window, vocabulary());
    this.seed = seed;
    for (Stage stage : Stage.values()) {
      nanos.put(stage, new LongAdder());
    }
  }

  /**
   * Packs a checkpoint's weights for a precision.
   *
   * @param checkpoint stays open as long as the scorer. Without a tokenizer, requests of token ids
   *     are scored and others refused
   * @param bos how texts begin
   * @param seed of the replicas' nudges
   * @throws InvalidInputException naming what of this checkpoint we cannot run, or a file of it
   *     that has changed since it was opened
   */
  public static Scorer open(
      Checkpoint checkpoint, Precision precision, Backend backend, BosRule bos, long seed) {
    return open(checkpoint, precision, null, backend, bos, seed);
  }

  /**
   * As {@link #open(Checkpoint, Precision, Backend, BosRule, long)}.
   *
   * @param findings of a precision that is calibrated, else null
   */
  public static Scorer open(
      Checkpoint checkpoint,
      Precision precision,
      Findings findings,
      Backend backend,
      BosRule bos,
      long seed) {
    long heapBytes = Runtime.getRuntime().maxMemory();
    return open(checkpoint, precision, findings, backend, bos, seed, heapBytes);
  }

  /**
   * As {@link #open(Checkpoint, Precision, Findings, Backend, BosRule, long)}.
   *
   * @param heapBytes what the heap can grow to: requests whose activations do not fit are refused
   */
  static Scorer open(
      Checkpoint checkpoint,
      Precision precision,
      Findings findings,
      Backend backend,
      BosRule bos,
      long seed,
      long heapBytes) {
    Inventory inventory = Inventory.of(checkpoint);
    Model model = Model.load(checkpoint, inventory, precision, findings, backend, heapBytes);
    try {
      return new Scorer(model, true, bos, seed);
    } catch (RuntimeException | Error e) {
      model.close();
      throw e;
    }
  }

  /** Scores with a model that somebody else closes. */
  static Scorer sharing(Model model, BosRule bos, long seed) {
    return new Scorer(model, false, bos, seed);
  }

  /** {@code resolve_max_length} of lm-evaluation-harness's {@code models/utils.py}. */
  private static int window(OptionalInt contextLength, Tokenizer tokenizer) {
    if (contextLength.isPresent()) {
      return contextLength.getAsInt();
    }
    return tokenizer == null ? DEFAULT_WINDOW : tokenizer.modelMaxLength().orElse(DEFAULT_WINDOW);
  }

  /**
   * Scores requests on the calling thread.
   *
   * @param replica 0: as the model is; above: with that replica's nudge of the embedding output
   * @return one a request, in order
   * @throws InvalidInputException naming a file of the checkpoint that has changed since it was
   *     opened
   * @throws IllegalStateException if this is closed
   */
  public List<Score> score(List<Request> requests, int replica) {
    return score(encode(requests), replica);
  }

  /**
   * Tokenizes requests, once for every score that is made of them: of all replicas, and of all
   * precisions of one checkpoint with one {@link BosRule}.
   */
  public EncodedRequests encode(List<Request> requests) {
    Stopwatch watch = new Stopwatch();
    watch.start();
    EncodedRequests encoded = EncodedRequests.of(requests, encoder);
    watch.lap(Stage.TOKENIZER);
    nanos.get(Stage.TOKENIZER).add(watch.nanos(Stage.TOKENIZER));
    return encoded;
  }

  /**
   * As {@link #score(List, int)}.
   *
   * @param requests as a scorer of the same checkpoint encoded them
   */
  public List<Score> score(EncodedRequests requests, int replica) {
    return score(requests, this::scored, replica);
  }

  /**
   * As {@link #score(EncodedRequests, int)}, the same bits, each with its divergence from what the
   * same replica of a baseline finds. Costs a pass of the baseline beside this one's, of whose
   * outputs a bounded part is held at once.
   *
   * @param baseline another precision of the same checkpoint, by the same backend
   * @throws UnsupportedOperationException if the backend cannot compare
   */
  public List<Score> score(EncodedRequests requests, int replica, Scorer baseline) {
    baseline.requireOpen();
    return score(
        requests,
        (sequences, nudge, watch) ->
            baseline
                .model
                .checkpoint()
                .consistently(() -> compared(sequences, nudge, watch, baseline)),
        replica);
  }

  /** Sequences → their scores. */
  private interface Scoring {
    Score[] score(List<TokenSequence> sequences, Nudge nudge, Stopwatch watch);
  }

  private List<Score> score(EncodedRequests requests, Scoring scoring, int replica) {
    requireOpen();
    Stopwatch watch = new Stopwatch();
    watch.start();
    Score[] scores = new Score[requests.size()];
    List<TokenSequence> sequences = new ArrayList<>();
    int[] first = new int[requests.size() + 1];
    for (int i = 0; i < scores.length; i++) {
      List<TokenSequence> windows = requests.sequences(i);
      Optional<String> refusal = requests.refusal(i).or(() -> noRoom(windows));
      if (refusal.isPresent()) {
        scores[i] = Score.refused(refusal.get());
      } else {
        sequences.addAll(windows);
      }
      first[i + 1] = sequences.size();
    }
    watch.lap(Stage.REST);
    Nudge nudge = new Nudge(seed, replica);
    Score[] parts = model.checkpoint().consistently(() -> scoring.score(sequences, nudge, watch));
    for (int i = 0; i < scores.length; i++) {
      if (scores[i] == null) {
        scores[i] = sum(parts, first[i], first[i + 1]);
      }
    }
    watch.lap(Stage.REST);
    nanos.forEach((stage, sum) -> sum.add(watch.nanos(stage)));
    return List.of(scores);
  }

  private Optional<String> noRoom(List<TokenSequence> sequences) {
    return sequences.stream()
        .map(sequence -> model.decoder().refuses(sequence.input().length))
        .flatMap(Optional::stream)
        .findFirst();
  }

  private Score[] scored(List<TokenSequence> sequences, Nudge nudge, Stopwatch watch) {
    return score(sequences, nudge, watch, null);
  }

  /** In groups, whose bits are those of all together. */
  private Score[] compared(
      List<TokenSequence> sequences, Nudge nudge, Stopwatch watch, Scorer baseline) {
    Score[] scores = new Score[sequences.size()];
    int most = Math.max(1, MOST_OUTPUTS / model.decoder().outputWidth());
    for (int from = 0; from < scores.length; ) {
      int to = from;
      int rows = 0;
      while (to < scores.length
          && (to == from || rows + sequences.get(to).targets().length <= most)) {
        rows += sequences.get(to++).targets().length;
      }
      Score[] group = score(sequences.subList(from, to), nudge, watch, baseline);
      System.arraycopy(group, 0, scores, from, group.length);
      from = to;
    }
    return scores;
  }

  /**
   * @param baseline or null
   */
  private Score[] score(
      List<TokenSequence> sequences, Nudge nudge, Stopwatch watch, Scorer baseline) {
    Map<Integer, List<Integer>> regimes = new TreeMap<>();
    for (int s = 0; s < sequences.size(); s++) {
      int regime = model.decoder().regime(sequences.get(s).input().length);
      regimes.computeIfAbsent(regime, r -> new ArrayList<>()).add(s);
    }
    Score[] scores = new Score[sequences.size()];
    for (List<Integer> regime : regimes.values()) {
      Score[] own =
          scoreTogether(regime.stream().map(sequences::get).toList(), nudge, watch, baseline);
      for (int s = 0; s < own.length; s++) {
        scores[regime.get(s)] = own[s];
      }
    }
    return scores;
  }

  /** Of one regime. */
  private Score[] scoreTogether(
      List<TokenSequence> sequences, Nudge nudge, Stopwatch watch, Scorer baseline) {
    Decoder decoder = model.decoder();
    PrefixTree.Packed packed = PrefixTree.pack(sequences, decoder::batchRows, decoder.mostRows());
    Batches batches = packed.batches();
    Found found = new Found(batches, baseline != null);
    watch.lap(Stage.REST);
    if (baseline == null) {
      decoder.score(batches, nudge, watch, found.logProbability, found.greedy);
    } else {
      Decoder.Outputs outputs = baseline.model.decoder().outputs(batches, nudge, watch);
      decoder.score(
          batches,
          nudge,
          watch,
          found.logProbability,
          found.greedy,
          outputs,
          found.kl,
          found.agrees);
    }
    for (Batch batch : batches.batches()) {
      rows.add(batch.tokens().length);
      scoredRows.add(batch.scoredRows().length);
    }
    Score[] scores = new Score[sequences.size()];
    for (int s = 0; s < scores.length; s++) {
      scores[s] = found.sum(sequences.get(s), packed.slots()[s]);
    }
    return scores;
  }

  /** What is found of batches. */
  private static final class Found {
    final double[] logProbability;
    final boolean[] greedy;

    /** (scored rows), or null where nothing is compared. */
    final double[] kl;

    final boolean[] agrees;

    /** The scored row that has a target. */
    private final int[] rowOf;

    Found(Batches batches, boolean compared) {
      int targets = batches.targets().length;
      int scored = batches.firstTarget().length - 1;
      logProbability = new double[targets];
      greedy = new boolean[targets];
      kl = compared ? new double[scored] : null;
      agrees = compared ? new boolean[scored] : null;
      rowOf = new int[targets];
      for (int row = 0; row < scored; row++) {
        Arrays.fill(rowOf, batches.firstTarget()[row], batches.firstTarget()[row + 1], row);
      }
    }

    /** Over a sequence's tokens, in their order. */
    Score sum(TokenSequence sequence, int[] slots) {
      double sum = 0;
      boolean all = true;
      double divergence = 0;
      int agreed = 0;
      for (int slot : slots) {
        sum += logProbability[slot];
        all &= greedy[slot];
        if (kl != null) {
          divergence += kl[rowOf[slot]];
          agreed += agrees[rowOf[slot]] ? 1 : 0;
        }
      }
      return new Score(
          sum,
          all,
          slots.length,
          sequence.truncated(),
          sequence.straddled(),
          null,
          kl == null || Double.isNaN(divergence)
              ? Optional.empty()
              : Optional.of(new Divergence(divergence, agreed)));
    }
  }

  /** Over a request's windows, in their order. */
  static Score sum(Score[] parts, int from, int to) {
    double sum = 0;
    boolean greedy = true;
    int tokens = 0;
    boolean truncated = false;
    boolean straddled = false;
    boolean compared = true;
    double kl = 0;
    int agreed = 0;
    for (int i = from; i < to; i++) {
      sum += parts[i].logLikelihood();
      greedy &= parts[i].greedy();
      tokens += parts[i].tokens();
      truncated |= parts[i].truncated();
      straddled |= parts[i].straddled();
      compared &= parts[i].divergence().isPresent();
      kl += parts[i].divergence().map(Divergence::kl).orElse(0.0);
      agreed += parts[i].divergence().map(Divergence::top1Agreed).orElse(0);
    }
    if (!Double.isFinite(sum)) {
      String found = Double.isNaN(sum) ? "not a number" : Double.toString(sum);
      return Score.refused("the log-likelihood is " + found + ": a value has overflowed its type");
    }
    return new Score(
        sum,
        greedy,
        tokens,
        truncated,
        straddled,
        null,
        compared ? Optional.of(new Divergence(kl, agreed)) : Optional.empty());
  }

  /** What keeps {@link #logits} from taking these tokens, if anything does. */
  public Optional<String> invalid(int[] tokens) {
    int learned = model.decoder().architecture().learnedPositions();
    if (tokens.length == 0 || (learned > 0 && tokens.length > learned)) {
      return Optional.of(
          "found "
              + tokens.length
              + " tokens, expected at least 1"
              + (learned > 0 ? " and at most " + learned : ""));
    }
    for (int token : tokens) {
      if (token < 0 || token >= vocabulary()) {
        return Optional.of("token id " + token + " is not below the vocabulary of " + vocabulary());
      }
    }
    return model.decoder().refusesLogits(tokens.length);
  }

  /**
   * The logits after every token, (tokens, vocabulary) float32.
   *
   * @throws InvalidInputException if the tokens are {@link #invalid}, or a file of the checkpoint
   *     has changed since it was opened
   * @throws IllegalStateException if this is closed
   */
  public float[] logits(int[] tokens) {
    requireOpen();
    invalid(tokens)
        .ifPresent(
            problem -> {
              throw new InvalidInputException(problem);
            });
    return model.checkpoint().consistently(() -> model.decoder().logits(tokens));
  }

  /** Ids below this are the model's. */
  public int vocabulary() {
    return model.decoder().architecture().vocabulary();
  }

  /** The kernel identity that scores depend on. */
  public String kernel() {
    return model.kernel();
  }

  /**
   * Bytes of packed weights, native and on the heap.
   *
   * @throws IllegalStateException if this is closed
   */
  public long bytes() {
    requireOpen();
    return model.decoder().bytes();
  }

  /** Tokens the model takes: lm-evaluation-harness's {@code max_length}. */
  public int window() {
    return window;
  }

  /** What the time of all calls so far went to, nanoseconds of thread time. */
  public Map<Stage, Long> nanos() {
    Map<Stage, Long> sums = new EnumMap<>(Stage.class);
    nanos.forEach((stage, sum) -> sums.put(stage, sum.sum()));
    return sums;
  }

  /** Token positions that went through the decoder's layers so far: a shared prefix's once. */
  public long rows() {
    return rows.sum();
  }

  /** Those among {@link #rows} that went through the vocabulary projection. */
  public long scoredRows() {
    return scoredRows.sum();
  }

  private void requireOpen() {
    if (closed.get()) {
      throw new IllegalStateException("the scorer is closed");
    }
  }

  /**
   * Frees the packed weights, unless others share them; no call may be running. Harmless a second
   * time.
   */
  @Override
  public void close() {
    if (closed.compareAndSet(false, true) && owner) {
      model.close();
    }
  }
}
