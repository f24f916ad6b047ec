package org.cliffwatch.quantizer.model;

import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.DoubleConsumer;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.Nudge;
import org.cliffwatch.quantizer.kernel.Projection;
import org.cliffwatch.quantizer.kernel.Rows;
import org.cliffwatch.quantizer.kernel.Session;
import org.cliffwatch.quantizer.kernel.Stopwatch;
import org.cliffwatch.quantizer.kernel.TokenRuns;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.scheme.CalibratedWeight;
import org.cliffwatch.quantizer.scheme.CalibrationBlock;
import org.cliffwatch.quantizer.scheme.Findings;
import org.cliffwatch.quantizer.scheme.InputStatistics;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.QuantizedBefore;
import org.cliffwatch.quantizer.scheme.Scheme;
import org.cliffwatch.quantizer.scheme.Schemes;
import org.cliffwatch.quantizer.scheme.Statistic;

/**
 * Runs calibration text through a decoder, a block after the other, and has schemes find what they
 * need of each. All is float32, whatever a precision's compute type.
 *
 * <p>Precisions that look at the checkpoint's own activations share one pass; one that follows
 * quantized blocks takes two of its own, one that follows quantized layers five. One block's
 * weights are in memory at a time, beside the residual stream of all samples, 4 · samples · length
 * · hidden bytes, and what is asked of the block's inputs. What is found depends on checkpoint,
 * precision, samples and backend, bit for bit, and not on the number of threads.
 */
public final class Calibrator implements AutoCloseable {
  private final Inventory inventory;
  private final Architecture architecture;
  private final Backend backend;
  private final List<int[]> samples;
  private final int threadCount;
  private final ExecutorService threads;
  private final DoubleConsumer progress;
  private final Map<Rotary, RotaryTables> rotary = new HashMap<>();
  private final List<Worker> workers = new ArrayList<>();

  /**
   * @param samples token ids, all of one length that the model can take
   * @param threads that share the samples
   * @param progress receives shares of a call of {@link #find} as they are done; they sum to 1
   */
  public Calibrator(
      Inventory inventory,
      Backend backend,
      List<int[]> samples,
      int threads,
      DoubleConsumer progress) {
    this.inventory = inventory;
    this.architecture = inventory.architecture();
    this.backend = backend;
    this.samples = samples;
    this.threadCount = threads;
    this.threads = Executors.newFixedThreadPool(threads);
    this.progress = progress;
    int length = samples.get(0).length;
    for (Rotary each : architecture.rotaries()) {
      rotary.put(each, RotaryTables.of(each, length, length, FloatType.FLOAT32, backend));
    }
    for (int t = 0; t < Math.min(threads, samples.size()); t++) {
      workers.add(new Worker());
    }
  }

  /**
   * Calibrates precisions.
   *
   * @throws InvalidInputException when weights or activations cannot be used, naming them
   */
  public Map<Precision, Findings> find(List<Precision> precisions) {
    Map<Precision, Findings> findings = new LinkedHashMap<>();
    Map<Precision, Findings> together = new LinkedHashMap<>();
    for (Precision precision : precisions) {
      Findings found = new Findings();
      findings.put(precision, found);
      if (Schemes.sharesPass(precision)) {
        together.put(precision, found);
      } else {
        follow(precision, found, 1.0 / precisions.size());
      }
    }
    if (!together.isEmpty()) {
      walk(together, (double) together.size() / precisions.size());
    }
    return findings;
  }

  /**
   * What the samples give the layers of all blocks, by the first of layers that share an input:
   * {@link Statistic#LARGEST}. Those of several parts of a text can be {@linkplain
   * InputStatistics#join joined}.
   *
   * @throws InvalidInputException when weights or activations cannot be used, naming them
   */
  public SortedMap<String, InputStatistics> largest() {
    SortedMap<String, InputStatistics> all = new TreeMap<>();
    embed();
    eachBlock(
        Set.of(Statistic.LARGEST),
        1,
        block -> {
          block.observe(true, null);
          all.putAll(block.inputs());
        });
    return all;
  }

  /**
   * Calibrates precisions that ask for no more than {@link #largest} has found.
   *
   * @throws InvalidInputException when weights cannot be used, naming them
   */
  public Map<Precision, Findings> find(
      List<Precision> precisions, Map<String, InputStatistics> largest) {
    Map<Precision, Findings> findings = new LinkedHashMap<>();
    precisions.forEach(precision -> findings.put(precision, new Findings()));
    eachBlock(
        Set.of(Statistic.LARGEST),
        1,
        block -> {
          block.take(largest);
          calibrate(block, findings);
        });
    return findings;
  }

  /** Is shown the checkpoint's own blocks, one after another, on the thread that asked. */
  public interface Observer {
    /**
     * Before a block's inputs.
     *
     * @param number of the block, from 0
     * @param gains what norms of whole rows before its halves multiply channels by, by their names
     */
    void begin(int number, Map<String, float[]> gains);

    /**
     * What a sample gives linear layers that share an input. Samples come in their order.
     *
     * @param first name of the first of the layers
     * @param x (rows, columns); no rows for an expert that none chose
     */
    void inputs(String first, float[] x, int columns);

    /** After a block's inputs. */
    void end(CalibrationBlock block);
  }

  /**
   * Shows the blocks in float32, and what the samples give their layers: one pass.
   *
   * @throws InvalidInputException when weights or activations cannot be used, naming them
   */
  public void observe(Observer observer) {
    embed();
    for (int i = 0; i < architecture.layers(); i++) {
      try (ObservedBlock block = new ObservedBlock(this, i, inMemory(i), Set.of())) {
        observer.begin(i, block.gains());
        block.observe(true, observer);
        observer.end(block);
      }
      progress.accept(1.0 / architecture.layers());
    }
  }

  /**
   * The checkpoint's own blocks, for all precisions at once.
   *
   * @param share of the whole work
   */
  private void walk(Map<Precision, Findings> findings, double share) {
    Set<Statistic> wanted = EnumSet.noneOf(Statistic.class);
    findings.keySet().forEach(each -> wanted.addAll(Schemes.of(each).statistics(each)));
    embed();
    eachBlock(
        wanted,
        share,
        block -> {
          block.observe(true, null);
          calibrate(block, findings);
        });
  }

  private void eachBlock(Set<Statistic> wanted, double share, Consumer<ObservedBlock> work) {
    for (int i = 0; i < architecture.layers(); i++) {
      try (ObservedBlock block = new ObservedBlock(this, i, inMemory(i), wanted)) {
        work.accept(block);
      }
      progress.accept(share / architecture.layers());
    }
  }

  private static void calibrate(ObservedBlock block, Map<Precision, Findings> findings) {
    findings.forEach(
        (precision, found) -> Schemes.of(precision).calibrate(block, precision, found));
  }

  /**
   * Blocks behind those that one precision has quantized.
   *
   * @param share of the whole work
   */
  private void follow(Precision precision, Findings found, double share) {
    Scheme scheme = Schemes.of(precision);
    boolean byLayers = scheme.quantizedBefore(precision) == QuantizedBefore.LAYERS;
    Set<ObservedBlock.Part> all = EnumSet.allOf(ObservedBlock.Part.class);
    embed();
    for (int i = 0; i < architecture.layers(); i++) {
      Weights.Layer layer = inMemory(i);
      Set<String> done = new HashSet<>();
      for (Set<ObservedBlock.Part> parts :
          byLayers ? all.stream().map(Set::of).toList() : List.of(all)) {
        Weights.Layer sofar = quantized(i, layer, done, precision, found);
        try (ObservedBlock block =
            new ObservedBlock(this, i, sofar, scheme.statistics(precision), parts)) {
          block.observe(false, null);
          scheme.calibrate(block, precision, found);
          done.addAll(block.quantizable());
        }
      }
      advance(i, layer.calibrated(i, found), precision);
      progress.accept(share / architecture.layers());
    }
  }

  /** With some weights as they are once they are quantized. */
  private static Weights.Layer quantized(
      int number, Weights.Layer layer, Set<String> names, Precision precision, Findings found) {
    Scheme scheme = Schemes.of(precision);
    return layer.map(
        number,
        (name, norm) -> norm,
        (name, linear) -> {
          if (!names.contains(name)) {
            return linear;
          }
          WeightRows weight = new CalibratedWeight(linear.weight(), name, found);
          return new Projection(
              scheme.prepare(weight, inFloat32(precision)).weights(), linear.bias());
        });
  }

  private Weights.Layer inMemory(int number) {
    Weights.Layer layer = inventory.weights().layers().get(number);
    return layer.map(number, (name, norm) -> norm, (name, projection) -> inMemory(projection));
  }

  private static Projection inMemory(Projection projection) {
    return new Projection(
        Packer.inMemory(projection.weight(), FloatType.FLOAT32), projection.bias());
  }

  private void embed() {
    try (Packer packer = new Packer(backend, floating())) {
      PackedWeights.Embedding embedding = packer.embedding(architecture, inventory.weights());
      forEachSample(
          (worker, sample) -> {
            worker.begin(sample);
            worker.pass(false).embed(embedding, new Nudge(0, 0));
            worker.keep(sample);
            return null;
          },
          (sample, nothing) -> {});
    }
  }

  /** The residual stream after a quantized block. */
  private void advance(int number, Weights.Layer layer, Precision precision) {
    try (Packer packer = new Packer(backend, inFloat32(precision))) {
      PackedWeights.Block block = packer.block(architecture, number, layer);
      forEachSample(
          (worker, sample) -> {
            worker.begin(sample);
            worker.pass(precision.quantizesKeyValues()).apply(block, worker.all(sample));
            worker.keep(sample);
            return null;
          },
          (sample, nothing) -> {});
    }
  }

  /** No quantization. */
  static Precision floating() {
    return new Precision(
        "calibration", "float", Float.SIZE, Float.SIZE, FloatType.FLOAT32, Map.of());
  }

  /** The same weights, with everything else in float32. */
  private static Precision inFloat32(Precision precision) {
    return new Precision(
        precision.name(),
        precision.scheme(),
        precision.weightBits(),
        precision.keepsInputs() ? Float.SIZE : precision.activationBits(),
        FloatType.FLOAT32,
        precision.options());
  }

  Architecture architecture() {
    return architecture;
  }

  Backend backend() {
    return backend;
  }

  /** What is done with a sample, on the thread of its worker. */
  interface Work<T> {
    T of(Worker worker, int sample);
  }

  /** What is done with the results, in the samples' order, on the calling thread. */
  interface InOrder<T> {
    void accept(int sample, T result);
  }

  /** As many samples at once as there are workers; a sample has always the same worker. */
  <T> void forEachSample(Work<T> work, InOrder<T> inOrder) {
    forEachSampleWhile(() -> true, work, inOrder);
  }

  /** The same until a condition fails, which may be noticed some samples later. */
  <T> void forEachSampleWhile(BooleanSupplier condition, Work<T> work, InOrder<T> inOrder) {
    for (int first = 0;
        first < samples.size() && condition.getAsBoolean();
        first += workers.size()) {
      List<Callable<T>> round = new ArrayList<>();
      for (int w = 0; w < workers.size() && first + w < samples.size(); w++) {
        Worker worker = workers.get(w);
        int sample = first + w;
        round.add(() -> work.of(worker, sample));
      }
      List<T> results = together(round);
      for (int w = 0; w < results.size(); w++) {
        inOrder.accept(first + w, results.get(w));
      }
    }
  }

  /** Does work 0, 1, … n − 1 on all threads. */
  void inParallel(int n, IntConsumer work) {
    AtomicInteger next = new AtomicInteger();
    Callable<Void> some =
        () -> {
          for (int i = next.getAndIncrement(); i < n; i = next.getAndIncrement()) {
            work.accept(i);
          }
          return null;
        };
    together(Collections.nCopies(threadCount, some));
  }

  /** Results once all is done: nobody uses any more what is closed after a failure. */
  private <T> List<T> together(List<Callable<T>> work) {
    try {
      List<T> results = new ArrayList<>();
      for (Future<T> future : threads.invokeAll(work)) {
        results.add(result(future));
      }
      return results;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  private static <T> T result(Future<T> future) throws InterruptedException {
    try {
      return future.get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw new IllegalStateException(e.getCause());
    }
  }

  /** A thread's room, and the residual stream of its samples. */
  final class Worker {
    private final Workspace w = new Workspace(backend.session(FloatType.FLOAT32), architecture);
    private final Map<Integer, Rows> states = new HashMap<>();

    Workspace workspace() {
      return w;
    }

    ForwardPass pass(boolean quantizesKeyValues) {
      return new ForwardPass(architecture, quantizesKeyValues, rotary, w);
    }

    int[] all(int sample) {
      return IntStream.range(0, samples.get(sample).length).toArray();
    }

    /** Begins a sample's batch with its residual stream in {@code x}. */
    void begin(int sample) {
      int[] tokens = samples.get(sample);
      w.reserve(tokens.length, tokens.length);
      TokenRuns run = new TokenRuns(new int[] {0, tokens.length}, new int[] {-1}, new int[] {0});
      w.session().begin(tokens, run, new Stopwatch());
      Rows state = states.get(sample);
      if (state != null) {
        w.session().append(state, w.x, 0);
      }
    }

    /** Keeps {@code x} as a sample's residual stream. */
    void keep(int sample) {
      Session session = w.session();
      Rows state =
          states.computeIfAbsent(
              sample, s -> session.rows(samples.get(s).length, architecture.hidden()));
      session.append(w.x, state, 0);
    }

    private void close() {
      states.values().forEach(Rows::close);
      w.close();
    }
  }

  @Override
  public void close() {
    threads.shutdownNow();
    workers.forEach(Worker::close);
    rotary.values().forEach(RotaryTables::close);
  }
}
