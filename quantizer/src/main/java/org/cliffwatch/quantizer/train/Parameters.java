package org.cliffwatch.quantizer.train;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import org.cliffwatch.quantizer.kernel.FloatType;

/**
 * A decoder's tensors, or those of a {@link Component}, in a fixed order and under the names of a
 * Hugging Face gpt_neox checkpoint. One instance holds values, another of the same shape gradients
 * or moments.
 */
final class Parameters {
  static final double DEVIATION = 0.06;
  private static final String AUXILIARY = "auxiliary.";

  /**
   * @param shape (outputs, inputs) of a matrix, (width) of a vector
   */
  record Tensor(String name, int[] shape, float[] values) {
    boolean isMatrix() {
      return shape.length == 2;
    }
  }

  /** Tensors of one decoder block. */
  record Block(
      Tensor attentionNormWeight,
      Tensor attentionNormBias,
      Tensor attentionIn,
      Tensor attentionInBias,
      Tensor attentionOut,
      Tensor attentionOutBias,
      Tensor feedForwardNormWeight,
      Tensor feedForwardNormBias,
      Tensor feedForwardIn,
      Tensor feedForwardInBias,
      Tensor feedForwardOut,
      Tensor feedForwardOutBias) {
    /** The linear layers' weights. */
    List<Tensor> matrices() {
      return List.of(attentionIn, attentionOut, feedForwardIn, feedForwardOut);
    }

    private List<Tensor> tensors() {
      return List.of(
          attentionNormWeight,
          attentionNormBias,
          attentionIn,
          attentionInBias,
          attentionOut,
          attentionOutBias,
          feedForwardNormWeight,
          feedForwardNormBias,
          feedForwardIn,
          feedForwardInBias,
          feedForwardOut,
          feedForwardOutBias);
    }
  }

  /** What makes logits of a component's output. */
  record Head(Tensor normWeight, Tensor normBias, Tensor projection) {
    private List<Tensor> tensors() {
      return List.of(normWeight, normBias, projection);
    }
  }

  private final List<Tensor> tensors = new ArrayList<>();

  /** Null where another component holds it. */
  final Tensor embedding;

  /** By layer; null where another component holds it. */
  final List<Block> blocks = new ArrayList<>();

  /**
   * By component; the last is the model's, the others are auxiliary. Null as blocks are, and where
   * there is no loss.
   */
  final List<Head> heads = new ArrayList<>();

  /** All zero; of a decoder that is not cut. */
  Parameters(ModelShape shape) {
    this(shape, List.of(Component.whole(shape)));
  }

  /** All zero, with an auxiliary head for every component that has a loss, but the last. */
  Parameters(ModelShape shape, List<Component> components) {
    int hidden = shape.hidden();
    int inner = shape.feedForward();
    embedding = tensor("gpt_neox.embed_in.weight", shape.vocabulary(), hidden);
    for (int layer = 0; layer < shape.layers(); layer++) {
      String block = "gpt_neox.layers." + layer + ".";
      blocks.add(
          new Block(
              tensor(block + "input_layernorm.weight", hidden),
              tensor(block + "input_layernorm.bias", hidden),
              tensor(block + "attention.query_key_value.weight", 3 * hidden, hidden),
              tensor(block + "attention.query_key_value.bias", 3 * hidden),
              tensor(block + "attention.dense.weight", hidden, hidden),
              tensor(block + "attention.dense.bias", hidden),
              tensor(block + "post_attention_layernorm.weight", hidden),
              tensor(block + "post_attention_layernorm.bias", hidden),
              tensor(block + "mlp.dense_h_to_4h.weight", inner, hidden),
              tensor(block + "mlp.dense_h_to_4h.bias", inner),
              tensor(block + "mlp.dense_4h_to_h.weight", hidden, inner),
              tensor(block + "mlp.dense_4h_to_h.bias", hidden)));
    }
    Head head = head("", shape);
    for (Component component : components.subList(0, components.size() - 1)) {
      String prefix = AUXILIARY + component.index() + ".";
      heads.add(component.hasLoss() ? head(prefix, shape) : null);
    }
    heads.add(head);
  }

  private Head head(String prefix, ModelShape shape) {
    int hidden = shape.hidden();
    return new Head(
        tensor(prefix + "gpt_neox.final_layer_norm.weight", hidden),
        tensor(prefix + "gpt_neox.final_layer_norm.bias", hidden),
        tensor(prefix + "embed_out.weight", shape.vocabulary(), hidden));
  }

  /** All zero; a component's. */
  Parameters(ModelShape shape, Component component) {
    this(
        new Parameters(shape, Component.cut(shape, component.count(), component.nwise())),
        component);
  }

  /** A component's tensors, which both then share. */
  Parameters of(Component component) {
    return new Parameters(this, component);
  }

  private Parameters(Parameters whole, Component component) {
    embedding = component.isFirst() ? whole.embedding : null;
    if (embedding != null) {
      tensors.add(embedding);
    }
    for (int layer = 0; layer < whole.blocks.size(); layer++) {
      Block block = component.holdsLayer(layer) ? whole.blocks.get(layer) : null;
      blocks.add(block);
      if (block != null) {
        tensors.addAll(block.tensors());
      }
    }
    for (int k = 0; k < component.count(); k++) {
      heads.add(k == component.index() ? whole.heads.get(k) : null);
    }
    if (component.hasLoss()) {
      tensors.addAll(heads.get(component.index()).tensors());
    }
  }

  private Tensor tensor(String name, int... shape) {
    int size = 1;
    for (int dimension : shape) {
      size = Math.multiplyExact(size, dimension);
    }
    Tensor tensor = new Tensor(name, shape, new float[size]);
    tensors.add(tensor);
    return tensor;
  }

  /**
   * Draws start values as GPT-2's, with a deviation for small widths: matrices normal with {@value
   * #DEVIATION}, those that write to the residual stream smaller by √(2 · layers); norms one,
   * biases zero.
   */
  static Parameters initial(ModelShape shape, List<Component> components, long seed) {
    Parameters parameters = new Parameters(shape, components);
    Random random = new Random(seed);
    double residual = 1 / Math.sqrt(2.0 * shape.layers());
    for (Tensor tensor : parameters.tensors) {
      String name = tensor.name();
      boolean writesResidual =
          name.endsWith("attention.dense.weight") || name.endsWith("dense_4h_to_h.weight");
      for (int i = 0; i < tensor.values().length; i++) {
        if (tensor.isMatrix()) {
          double deviation = writesResidual ? DEVIATION * residual : DEVIATION;
          tensor.values()[i] = (float) (random.nextGaussian() * deviation);
        } else {
          tensor.values()[i] = name.endsWith("norm.weight") ? 1 : 0;
        }
      }
    }
    return parameters;
  }

  List<Tensor> tensors() {
    return tensors;
  }

  /** Those of the model itself, without auxiliary heads. */
  List<Tensor> model() {
    return tensors.stream().filter(tensor -> !tensor.name().startsWith(AUXILIARY)).toList();
  }

  /** The blocks' linear layers' weights, of those blocks that are held. */
  List<Tensor> matrices() {
    return blocks.stream()
        .filter(Objects::nonNull)
        .flatMap(block -> block.matrices().stream())
        .toList();
  }

  /** Overwrites these values with {@code source}'s, rounded to the type. */
  void setRounded(Parameters source, FloatType type) {
    for (int t = 0; t < tensors.size(); t++) {
      float[] to = tensors.get(t).values();
      System.arraycopy(source.tensors.get(t).values(), 0, to, 0, to.length);
      Lanes.round(type, to, to.length);
    }
  }

  long count() {
    long count = 0;
    for (Tensor tensor : tensors) {
      count += tensor.values().length;
    }
    return count;
  }
}
