package org.cliffwatch.quantizer.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntConsumer;
import org.cliffwatch.quantizer.kernel.Activation;
import org.cliffwatch.quantizer.kernel.Linear;
import org.cliffwatch.quantizer.kernel.Projection;
import org.cliffwatch.quantizer.kernel.Stopwatch;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.scheme.CalibrationBlock;
import org.cliffwatch.quantizer.scheme.InputStatistics;
import org.cliffwatch.quantizer.scheme.Statistic;

/** A block in float32 through which calibration text goes, under observation. */
final class ObservedBlock implements CalibrationBlock, AutoCloseable {
  /** Its layers by the order in which rows go through them. */
  enum Part {
    QUERY_KEY_VALUE,
    ATTENTION_OUTPUT,
    UP,
    DOWN
  }

  private final Calibrator calibrator;
  private final Architecture architecture;
  private final Weights.Layer layer;
  private final LayerNames names;
  private final Set<Statistic> wanted;
  private final Set<Part> parts;
  private final Packer packer;

  /** Null until {@link #observe}. */
  private PackedWeights.Block packed;

  /** By the name of the first layer that reads them. */
  private final Map<String, InputStatistics> inputs = new LinkedHashMap<>();

  private final Map<String, Projection> projections = new LinkedHashMap<>();

  /** Inputs of the pass that a thread is in; nothing: they are not observed. */
  private final ThreadLocal<Map<String, float[]>> seen = new ThreadLocal<>();

  /** Of which all layers are observed. */
  ObservedBlock(Calibrator calibrator, int number, Weights.Layer layer, Set<Statistic> wanted) {
    this(calibrator, number, layer, wanted, EnumSet.allOf(Part.class));
  }

  /**
   * @param parts that are observed: {@link #groups} are theirs
   */
  ObservedBlock(
      Calibrator calibrator,
      int number,
      Weights.Layer layer,
      Set<Statistic> wanted,
      Set<Part> parts) {
    this.calibrator = calibrator;
    this.architecture = calibrator.architecture();
    this.layer = layer;
    this.names = new LayerNames(number);
    this.wanted = wanted;
    this.parts = parts;
    layer.map(
        number,
        (name, norm) -> norm,
        (name, projection) -> {
          projections.put(name, projection);
          return projection;
        });
    packer = new Packer(calibrator.backend(), Calibrator.floating(), this::observed);
  }

  private Linear observed(String name, Linear linear) {
    if (!parts.contains(part(name))) {
      return linear;
    }
    inputs.put(name, new InputStatistics(name, linear.inputs(), wanted));
    return new ObservedLinear(name, linear, seen);
  }

  /** A linear layer that keeps a copy of what it is given. */
  private record ObservedLinear(String name, Linear linear, ThreadLocal<Map<String, float[]>> seen)
      implements Linear {
    @Override
    public int inputs() {
      return linear.inputs();
    }

    @Override
    public int[] outputs() {
      return linear.outputs();
    }

    @Override
    public void apply(float[] x, int rows, Stopwatch watch, float[]... y) {
      if (seen.get() != null) {
        seen.get().put(name, Arrays.copyOf(x, rows * inputs()));
      }
      linear.apply(x, rows, watch, y);
    }

    @Override
    public long bytes() {
      return linear.bytes();
    }

    @Override
    public void close() {
      linear.close();
    }
  }

  /**
   * Runs all samples through it.
   *
   * @param advances whether the residual stream becomes what it gives
   * @param observer is shown every sample's inputs, or null
   */
  void observe(boolean advances, Calibrator.Observer observer) {
    packed = packer.block(architecture, names.number(), layer);
    calibrator.forEachSample(
        (worker, sample) -> {
          Map<String, float[]> found = new HashMap<>();
          seen.set(found);
          worker.begin(sample);
          worker.pass(false).apply(packed, worker.all(sample));
          seen.remove();
          if (advances) {
            worker.keep(sample);
          }
          return found;
        },
        (sample, found) ->
            inputs.forEach(
                (name, statistics) -> {
                  float[] x = found.getOrDefault(name, new float[0]);
                  statistics.add(x, x.length / statistics.columns());
                  if (observer != null) {
                    observer.inputs(name, x, statistics.columns());
                  }
                }));
  }

  /** What has been observed, by the first of layers that share an input. */
  Map<String, InputStatistics> inputs() {
    return Collections.unmodifiableMap(inputs);
  }

  /** Takes what others have observed for its own, of which nothing needs to be packed. */
  void take(Map<String, InputStatistics> observed) {
    inputs.putAll(observed);
  }

  /** Of layers that share an input, by the first of them; a router's is that of its experts. */
  private Part part(String first) {
    if (first.equals(names.query())) {
      return Part.QUERY_KEY_VALUE;
    }
    if (first.equals(names.attentionOutput())) {
      return Part.ATTENTION_OUTPUT;
    }
    return LayerNames.isDown(first) ? Part.DOWN : Part.UP;
  }

  @Override
  public List<Group> groups() {
    List<String[]> groups = new ArrayList<>();
    groups.add(new String[] {names.query(), names.key(), names.value()});
    groups.add(new String[] {names.attentionOutput()});
    for (int e = 0; e < layer.feedForward().experts().size(); e++) {
      LayerNames.Expert expert = expert(e);
      groups.add(
          architecture.gated()
              ? new String[] {expert.gate(), expert.up()}
              : new String[] {expert.up()});
      groups.add(new String[] {expert.down()});
    }
    return groups.stream()
        .filter(members -> parts.contains(part(members[0])))
        .map(this::group)
        .toList();
  }

  /** What norms of whole rows before its halves multiply channels by, by their names. */
  Map<String, float[]> gains() {
    Map<String, float[]> gains = new LinkedHashMap<>();
    layer.map(
        names.number(),
        (name, norm) -> {
          float[] gain = norm.weight().clone();
          for (int i = 0; i < gain.length; i++) {
            gain[i] += norm.offset();
          }
          gains.put(name, gain);
          return norm;
        },
        (name, projection) -> projection);
    return gains;
  }

  private LayerNames.Expert expert(int number) {
    return names.expert(layer.feedForward().router() == null ? -1 : number);
  }

  private Group group(String... members) {
    return new Group(Arrays.stream(members).map(this::layer).toList(), inputs.get(members[0]));
  }

  private Layer layer(String name) {
    return new Layer(name, projections.get(name).weight());
  }

  @Override
  public List<Foldable> foldables() {
    Map<Weights.Norm, String> normNames = new IdentityHashMap<>();
    normNames.put(layer.norms().attention(), names.attentionNorm());
    normNames.put(layer.norms().feedForward(), names.feedForwardNorm());
    Map<Projection, String> layerNames = new IdentityHashMap<>();
    projections.forEach((name, projection) -> layerNames.put(projection, name));
    List<Foldable> norms = new ArrayList<>();
    for (Weights.FoldableNorm foldable : layer.foldableNorms(architecture.residual())) {
      List<Layer> consumers =
          foldable.consumers().stream().map(layerNames::get).map(this::layer).toList();
      norms.add(
          new Foldable(
              normNames.get(foldable.norm()),
              true,
              consumers,
              inputs.get(consumers.get(0).name())));
    }
    List<Foldable> all = new ArrayList<>(norms);
    // After the norm before attention, if that is one of them.
    boolean isFirst = !all.isEmpty() && all.get(0).producer().equals(names.attentionNorm());
    if (architecture.clip() == 0
        && layer.value().weight().rows() == layer.attentionOutput().weight().columns()) {
      all.add(isFirst ? 1 : 0, linear(names.value(), names.attentionOutput()));
    }
    if (architecture.gated() || architecture.activation() == Activation.RELU) {
      for (int e = 0; e < layer.feedForward().experts().size(); e++) {
        all.add(linear(expert(e).up(), expert(e).down()));
      }
    }
    return all;
  }

  private Foldable linear(String producer, String consumer) {
    return new Foldable(producer, false, List.of(layer(consumer)), inputs.get(consumer));
  }

  @Override
  public int leastChanging(Foldable foldable, List<Map<String, WeightRows>> candidates) {
    List<float[]> own = new ArrayList<>();
    try (Packer replaced = packer()) {
      calibrator.forEachSample(inspected(foldable, Map.of(), replaced), (sample, y) -> own.add(y));
    }
    int best = -1;
    double least = Double.POSITIVE_INFINITY;
    int middle = candidates.size() / 2;
    for (int i = 0; i < candidates.size(); i++) {
      // The middle, the one before, the one after, …
      int candidate = middle + (i % 2 == 0 ? i / 2 : -(i + 1) / 2);
      double change = change(foldable, candidates.get(candidate), own, least);
      if (change < least || (change == least && candidate < best)) {
        best = candidate;
        least = change;
      }
    }
    return best;
  }

  private Packer packer() {
    return new Packer(calibrator.backend(), Calibrator.floating());
  }

  /**
   * Σ (y' − y)² over all samples.
   *
   * @param own y
   * @param least what makes going on useless: the sum of fewer samples may be given once it is more
   */
  private double change(
      Foldable foldable, Map<String, WeightRows> weights, List<float[]> own, double least) {
    double[] sum = new double[1];
    try (Packer replaced = packer()) {
      Calibrator.Work<float[]> changed = inspected(foldable, weights, replaced);
      calibrator.forEachSampleWhile(
          () -> !(sum[0] > least),
          (worker, sample) -> distance(changed.of(worker, sample), own.get(sample)),
          (sample, distance) -> sum[0] += distance);
    }
    return sum[0];
  }

  /** Σ (y' − y)², in float64. */
  private static double distance(float[] changed, float[] y) {
    double[] sums = new double[64]; // which do not wait for each other
    for (int first = 0; first < y.length; first += sums.length) {
      int n = Math.min(sums.length, y.length - first);
      for (int i = 0; i < n; i++) {
        double d = changed[first + i] - y[first + i];
        sums[i] += d * d;
      }
    }
    return Arrays.stream(sums).sum();
  }

  /** What becomes of a sample's rows that the consumers read, with other weights. */
  private Calibrator.Work<float[]> inspected(
      Foldable foldable, Map<String, WeightRows> weights, Packer replaced) {
    List<String> consumers = foldable.consumers().stream().map(Layer::name).toList();
    boolean isAttention = consumers.contains(names.query());
    boolean isFeedForward = consumers.contains(expert(0).up());
    if (!isAttention && !isFeedForward) {
      String name = consumers.get(0);
      Linear linear = replaced.linear(name, projection(name, weights));
      return (worker, sample) -> {
        float[] x = foldable.inputs().samples().get(sample);
        int rows = x.length / linear.inputs();
        float[] y = new float[rows * linear.outputs()[0]];
        if (rows > 0) {
          linear.apply(x, rows, y);
        }
        return y;
      };
    }
    PackedWeights.Block block =
        new PackedWeights.Block(
            packed.shape(),
            packed.alibi(),
            packed.rotary(),
            packed.attentionNorm(),
            isAttention
                ? linear(replaced, weights, names.query(), names.key(), names.value())
                : packed.queryKeyValue(),
            packed.queryNorm(),
            packed.keyNorm(),
            packed.attentionOut(),
            packed.attentionOutNorm(),
            packed.feedForwardNorm(),
            isFeedForward ? feedForward(replaced, weights) : packed.feedForward(),
            packed.feedForwardOutNorm());
    return (worker, sample) -> {
      Workspace w = worker.workspace();
      float[] x = foldable.inputs().samples().get(sample);
      worker.begin(sample);
      int rows = x.length / w.normalized.width();
      w.session().write(x, 0, rows, w.normalized);
      ForwardPass pass = worker.pass(false);
      float[] y = new float[rows * w.x.width()];
      if (isAttention) {
        pass.attention(block, w.normalized, rows, w.x);
        w.session().read(w.x, rows, y, 0);
      }
      if (isFeedForward) {
        pass.feedForward(block, w.normalized, rows, w.x);
        float[] given = isAttention ? new float[y.length] : y;
        w.session().read(w.x, rows, given, 0);
        for (int i = 0; isAttention && i < y.length; i++) {
          y[i] += given[i];
        }
      }
      return y;
    };
  }

  /** With other weights of what reads its inputs. */
  private PackedWeights.FeedForward feedForward(Packer replaced, Map<String, WeightRows> weights) {
    List<PackedWeights.Expert> experts = new ArrayList<>();
    for (int e = 0; e < packed.feedForward().experts().size(); e++) {
      LayerNames.Expert own = expert(e);
      Linear in =
          architecture.gated()
              ? linear(replaced, weights, own.gate(), own.up())
              : linear(replaced, weights, own.up());
      experts.add(new PackedWeights.Expert(in, packed.feedForward().experts().get(e).out()));
    }
    return new PackedWeights.FeedForward(packed.feedForward().router(), experts);
  }

  private Linear linear(Packer replaced, Map<String, WeightRows> weights, String... members) {
    return replaced.linear(
        members[0],
        Arrays.stream(members).map(name -> projection(name, weights)).toArray(Projection[]::new));
  }

  private Projection projection(String name, Map<String, WeightRows> weights) {
    Projection own = projections.get(name);
    WeightRows weight = weights.get(name);
    return weight == null ? own : new Projection(weight, own.bias());
  }

  @Override
  public void inParallel(int n, IntConsumer work) {
    calibrator.inParallel(n, work);
  }

  @Override
  public void close() {
    packer.close();
  }
}
