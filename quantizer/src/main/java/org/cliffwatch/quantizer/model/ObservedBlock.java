package org.cliffwatch.quantizer.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.cliffwatch.quantizer.kernel.Activation;
import org.cliffwatch.quantizer.kernel.Linear;
import org.cliffwatch.quantizer.kernel.Projection;
import org.cliffwatch.quantizer.kernel.Rows;
import org.cliffwatch.quantizer.kernel.Stopwatch;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.scheme.CalibrationBlock;
import org.cliffwatch.quantizer.scheme.InputStatistics;
import org.cliffwatch.quantizer.scheme.Statistic;

/** A block in float32 through which calibration text goes, under observation. */
final class ObservedBlock implements CalibrationBlock, AutoCloseable {
  private final Calibrator calibrator;
  private final Architecture architecture;
  private final Weights.Layer layer;
  private final LayerNames names;
  private final Set<Statistic> wanted;
  private final Packer packer;
  private final PackedWeights.Block packed;

  /** By the name of the first layer that reads them. */
  private final Map<String, InputStatistics> inputs = new LinkedHashMap<>();

  private final Map<String, Projection> projections = new LinkedHashMap<>();

  /** Inputs of the pass that a thread is in. */
  private final ThreadLocal<Map<String, float[]>> seen = ThreadLocal.withInitial(HashMap::new);

  ObservedBlock(Calibrator calibrator, int number, Weights.Layer layer, Set<Statistic> wanted) {
    this.calibrator = calibrator;
    this.architecture = calibrator.architecture();
    this.layer = layer;
    this.names = new LayerNames(number);
    this.wanted = wanted;
    layer.map(
        number,
        (name, norm) -> norm,
        (name, projection) -> {
          projections.put(name, projection);
          return projection;
        });
    packer = new Packer(calibrator.backend(), Calibrator.floating(), this::observed);
    try {
      packed = packer.block(architecture, number, layer);
    } catch (RuntimeException | Error e) {
      packer.close();
      throw e;
    }
  }

  private Linear observed(String name, Linear linear) {
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
      seen.get().put(name, Arrays.copyOf(x, rows * inputs()));
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
   */
  void observe(boolean advances) {
    calibrator.forEachSample(
        (worker, sample) -> {
          seen.get().clear();
          worker.begin(sample);
          worker.pass(false).apply(packed, worker.all(sample));
          if (advances) {
            worker.keep(sample);
          }
          return new HashMap<>(seen.get());
        },
        (sample, found) ->
            inputs.forEach(
                (name, statistics) -> {
                  float[] x = found.getOrDefault(name, new float[0]);
                  statistics.add(x, x.length / statistics.columns());
                }));
  }

  @Override
  public List<Group> groups() {
    List<Group> groups = new ArrayList<>();
    groups.add(group(names.query(), names.key(), names.value()));
    groups.add(group(names.attentionOutput()));
    for (int e = 0; e < layer.feedForward().experts().size(); e++) {
      LayerNames.Expert expert = expert(e);
      groups.add(architecture.gated() ? group(expert.gate(), expert.up()) : group(expert.up()));
      groups.add(group(expert.down()));
    }
    return groups;
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
  public List<float[]> outputs(Group group, Map<String, WeightRows> weights) {
    try (Packer replaced = new Packer(calibrator.backend(), Calibrator.floating())) {
      Projection[] own =
          group.layers().stream()
              .map(each -> projections.get(each.name()))
              .toArray(Projection[]::new);
      for (int i = 0; i < own.length; i++) {
        WeightRows weight = weights.get(group.layers().get(i).name());
        own[i] = weight == null ? own[i] : new Projection(weight, own[i].bias());
      }
      String name = group.layers().get(0).name();
      Linear linear = replaced.linear(name, own);
      List<float[]> all = new ArrayList<>();
      calibrator.forEachSample(
          (worker, sample) -> output(worker, sample, group, linear), (sample, y) -> all.add(y));
      return all;
    }
  }

  private float[] output(Calibrator.Worker worker, int sample, Group group, Linear linear) {
    float[] x = group.inputs().samples().get(sample);
    int rows = x.length / linear.inputs();
    if (rows == 0) {
      return new float[0];
    }
    String name = group.layers().get(0).name();
    Workspace w = worker.workspace();
    if (name.equals(names.query())) {
      worker.begin(sample);
      w.session().write(x, 0, rows, w.normalized);
      worker.pass(false).attention(withQueryKeyValue(linear), w.normalized, rows, w.x);
      return read(w, w.x, rows);
    }
    for (int e = 0; e < layer.feedForward().experts().size(); e++) {
      String first = architecture.gated() ? expert(e).gate() : expert(e).up();
      if (name.equals(first)) {
        worker.beginRows(new int[rows]);
        w.session().write(x, 0, rows, w.normalized);
        Linear down = packed.feedForward().experts().get(e).out();
        PackedWeights.Expert expert = new PackedWeights.Expert(linear, down);
        boolean isRouted = layer.feedForward().router() != null;
        worker.pass(false).expert(expert, isRouted, w.normalized, w.x);
        return read(w, w.x, rows);
      }
    }
    float[] y = new float[rows * linear.outputs()[0]];
    linear.apply(x, rows, y);
    return y;
  }

  private static float[] read(Workspace w, Rows x, int rows) {
    float[] y = new float[rows * x.width()];
    w.session().read(x, rows, y, 0);
    return y;
  }

  private PackedWeights.Block withQueryKeyValue(Linear queryKeyValue) {
    return new PackedWeights.Block(
        packed.shape(),
        packed.alibi(),
        packed.rotary(),
        packed.attentionNorm(),
        queryKeyValue,
        packed.queryNorm(),
        packed.keyNorm(),
        packed.attentionOut(),
        packed.attentionOutNorm(),
        packed.feedForwardNorm(),
        packed.feedForward(),
        packed.feedForwardOutNorm());
  }

  @Override
  public void close() {
    packer.close();
  }
}
