package org.cliffwatch.quantizer.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.Projection;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Scheme;
import org.cliffwatch.quantizer.scheme.Schemes;
import org.cliffwatch.quantizer.scheme.StoredWeight;
import org.cliffwatch.quantizer.stored.StoredFormat;

/**
 * What a checkpoint is to a decoder, before its matrices are read: the architecture, every tensor
 * in its role with its shape checked, which matrices a precision quantizes and which it keeps, and
 * how much memory that takes.
 */
public final class Inventory {
  /**
   * A matrix (rows = outputs, columns = inputs) by its tensor's name.
   *
   * @param stored how the checkpoint has it quantized, or null
   */
  public record Matrix(String name, long rows, long columns, Quantized stored) {
    public long elements() {
      return rows * columns;
    }
  }

  /**
   * How a matrix is stored.
   *
   * @param bits of the file that a weight takes, scales and zero points included
   * @param computes what precision {@code stored} does with inputs, in words
   */
  public record Quantized(double bits, String computes) {}

  /**
   * A norm in a block whose output linear layers read and nothing else does: where a channel of the
   * norm is multiplied and the same input of each layer divided by a factor, the function stays.
   * Planting outliers does that; SmoothQuant and AWQ do it the other way.
   *
   * @param layer of the norm
   * @param gain tensor (hidden); what multiplies is it + {@code offset}
   * @param bias tensor (hidden), or null
   * @param consumers everything that reads the norm's output, each tensor once
   */
  public record FoldableNorm(
      int layer, String gain, float offset, String bias, List<Consumer> consumers) {}

  /**
   * @param tensor a matrix
   * @param inputAxis the axis of its inputs: 1 in (outputs, inputs)
   */
  public record Consumer(String tensor, int inputAxis) {}

  private final Architecture architecture;
  private final Weights weights;
  private final List<List<Matrix>> layers;
  private final List<Matrix> kept;
  private final List<String> ignoredFields;
  private final String quantization;

  private Inventory(
      Architecture architecture,
      Weights weights,
      List<List<Matrix>> layers,
      List<Matrix> kept,
      List<String> ignoredFields,
      String quantization) {
    this.quantization = quantization;
    this.architecture = architecture;
    this.weights = weights;
    this.layers = List.copyOf(layers);
    this.kept = List.copyOf(kept);
    this.ignoredFields = ignoredFields;
  }

  /**
   * Reads the configuration, the tensors' headers, and vectors.
   *
   * @throws InvalidInputException naming the field or the tensor that we cannot run, or a file that
   *     has changed since the checkpoint was opened
   */
  public static Inventory of(Checkpoint checkpoint) {
    return checkpoint.consistently(() -> read(checkpoint));
  }

  private static Inventory read(Checkpoint checkpoint) {
    ConfigFields config = checkpoint.config();
    Family family = Family.of(config);
    // Before the family asks for what nobody has read.
    StoredFormat format = StoredFormat.of(config).orElse(null);
    Architecture architecture = family.architecture(config);
    Weights weights = family.weights(checkpoint, architecture, format);
    String quantization = format == null ? null : format.describe();
    return of(architecture, weights, Family.ignored(config), quantization);
  }

  static Inventory of(Architecture architecture, Weights weights) {
    return of(architecture, weights, List.of(), null);
  }

  private static Inventory of(
      Architecture architecture, Weights weights, List<String> ignored, String quantization) {
    List<List<Matrix>> layers = new ArrayList<>();
    for (Weights.Layer layer : weights.layers()) {
      layers.add(matrices(layer.query(), layer.key(), layer.value()));
      layers.add(matrices(layer.attentionOutput()));
      for (Weights.Expert expert : layer.feedForward().experts()) {
        layers.add(matrices(expert.gate(), expert.up()));
        layers.add(matrices(expert.down()));
      }
    }
    List<Matrix> kept = new ArrayList<>();
    kept.add(matrix(weights.tokens()));
    if (weights.positions() != null) {
      kept.add(matrix(weights.positions()));
    }
    for (Weights.Layer layer : weights.layers()) {
      kept.addAll(matrices(layer.feedForward().router()));
    }
    kept.addAll(matrices(weights.projectIn(), weights.projectOut(), weights.head()));
    return new Inventory(architecture, weights, layers, kept, ignored, quantization);
  }

  /** What would be computed. */
  public Architecture architecture() {
    return architecture;
  }

  Weights weights() {
    return weights;
  }

  /**
   * Fields of the configuration that are in no family's arithmetic, in their alphabet's order: what
   * tools have left there, which transformers ignores too.
   */
  public List<String> ignoredFields() {
    return ignoredFields;
  }

  /**
   * The weights of the linear layers inside blocks, which precisions quantize, by the names that
   * calibration has for them: {@code layers.3.query}, {@code layers.3.experts.1.up}; in their
   * order.
   */
  public Map<String, WeightRows> weightsInBlocks() {
    Map<String, WeightRows> found = new LinkedHashMap<>();
    for (int i = 0; i < weights.layers().size(); i++) {
      String router = new LayerNames(i).router();
      weights
          .layers()
          .get(i)
          .map(
              i,
              (name, norm) -> norm,
              (name, projection) -> {
                if (!name.equals(router)) {
                  found.put(name, projection.weight());
                }
                return projection;
              });
    }
    return found;
  }

  /**
   * The same with other weights.
   *
   * @param changed some of {@link #weightsInBlocks}, of the same shapes
   */
  public Inventory with(Map<String, WeightRows> changed) {
    List<Weights.Layer> changedLayers = new ArrayList<>();
    for (int i = 0; i < weights.layers().size(); i++) {
      changedLayers.add(
          weights
              .layers()
              .get(i)
              .map(
                  i,
                  (name, norm) -> norm,
                  (name, projection) ->
                      new Projection(
                          changed.getOrDefault(name, projection.weight()), projection.bias())));
    }
    Weights all =
        new Weights(
            weights.tokens(),
            weights.positions(),
            weights.embeddingNorm(),
            weights.projectIn(),
            changedLayers,
            weights.finalNorm(),
            weights.projectOut(),
            weights.head());
    return of(architecture, all, ignoredFields, quantization);
  }

  /** What to tell whoever uses the checkpoint of {@link #ignoredFields}, if there are any. */
  public Optional<String> warning() {
    return ignoredFields.isEmpty()
        ? Optional.empty()
        : Optional.of(
            "fields of config.json that change no score in any family are ignored: "
                + String.join(", ", ignoredFields));
  }

  /**
   * How the checkpoint is quantized, in a few words; empty where it is not. Precisions other than
   * {@code stored} begin with its weights dequantized.
   */
  public Optional<String> quantization() {
    return Optional.ofNullable(quantization);
  }

  /**
   * Numbers that the checkpoint's tensors stand for: a packed weight counts as what it unpacks to.
   */
  public long parameters(Checkpoint checkpoint) {
    Set<String> packed = new HashSet<>();
    long parameters = 0;
    for (Matrix matrix : matrices()) {
      if (matrix.stored() != null) {
        packed.add(matrix.name().substring(0, matrix.name().lastIndexOf('.')));
        parameters += matrix.elements();
      }
    }
    for (String name : checkpoint.tensorNames()) {
      if (name.endsWith(".bias") || !isWithin(packed, name)) {
        parameters += checkpoint.tensor(name).elements();
      }
    }
    return parameters;
  }

  private static boolean isWithin(Set<String> modules, String tensor) {
    for (int dot = tensor.indexOf('.'); dot >= 0; dot = tensor.indexOf('.', dot + 1)) {
      if (modules.contains(tensor.substring(0, dot))) {
        return true;
      }
    }
    return false;
  }

  private List<Matrix> matrices() {
    return Stream.concat(quantized().stream(), kept.stream()).toList();
  }

  /**
   * By layer. Norms without tensors are none; nor is one whose output joins the residual stream.
   */
  public List<FoldableNorm> foldableNorms() {
    List<FoldableNorm> foldable = new ArrayList<>();
    for (int i = 0; i < architecture.layers(); i++) {
      for (Weights.FoldableNorm found :
          weights.layers().get(i).foldableNorms(architecture.residual())) {
        Weights.Norm norm = found.norm();
        if (norm.name() != null) {
          foldable.add(
              new FoldableNorm(
                  i,
                  norm.name() + ".weight",
                  norm.offset(),
                  norm.bias() == null ? null : norm.name() + ".bias",
                  found.consumers().stream()
                      .map(each -> new Consumer(each.weight().name(), each.weight().inputAxis()))
                      .distinct()
                      .toList()));
        }
      }
    }
    return foldable;
  }

  /** The linear layers inside blocks, together where they share an input and are packed as one. */
  public List<List<Matrix>> layers() {
    return layers;
  }

  /** The linear layers inside blocks, one by one. */
  public List<Matrix> quantized() {
    return layers.stream().flatMap(List::stream).toList();
  }

  /**
   * The other matrices: token embedding, learned positions, experts' routers, projections in and
   * out, and last the vocabulary projection, which is the embedding itself where they are tied.
   */
  public List<Matrix> kept() {
    return kept;
  }

  /** The vocabulary projection. */
  public Matrix head() {
    return kept.get(kept.size() - 1);
  }

  /** The token embedding. */
  public Matrix embedding() {
    return kept.get(0);
  }

  /**
   * Bytes of the packed weights in this precision, about: backends pad. The token embedding stays
   * in the checkpoint's file, but the vocabulary projection is held, tied or not.
   */
  public long bytes(Precision precision) {
    Scheme scheme = Schemes.of(precision);
    double bits = 0;
    for (Matrix matrix : quantized()) {
      boolean asStored = precision.isStored() && matrix.stored() != null;
      double each =
          asStored
              ? matrix.stored().bits()
              : scheme.packedBits((int) Math.min(Integer.MAX_VALUE, matrix.columns()), precision);
      bits += matrix.elements() * each;
    }
    long bytes = (long) Math.ceil(bits / Byte.SIZE);
    int width = precision.compute() == FloatType.FLOAT32 ? 4 : 2;
    for (Matrix matrix : kept.subList(1, kept.size())) {
      bytes += matrix.elements() * width;
    }
    return bytes;
  }

  /** Of the roles that the architecture has. */
  private static List<Matrix> matrices(Projection... projections) {
    return Arrays.stream(projections)
        .filter(Objects::nonNull)
        .map(projection -> matrix(projection.weight()))
        .toList();
  }

  private static Matrix matrix(WeightRows rows) {
    Quantized stored =
        rows instanceof StoredWeight weight
            ? new Quantized(weight.bits(), weight.computes())
            : null;
    return new Matrix(rows.name(), rows.rows(), rows.columns(), stored);
  }
}
