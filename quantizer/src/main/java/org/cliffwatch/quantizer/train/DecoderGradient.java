package org.cliffwatch.quantizer.train;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import org.cliffwatch.quantizer.scheme.RowQuantizer;

/**
 * Loss and gradients of a decoder, or of a {@link Component}, on one slice of a batch. Every
 * operation's result, forward and backward, is {@linkplain Rounding rounded}, as where a whole
 * model runs in a half type; inside an operation (products, LayerNorm, softmax) it is float32.
 *
 * <p>Inputs of the blocks' linear layers may be quantized beside that, a token at a time. The
 * gradient goes straight through (Bengio et al. 2013): at the input it is what it is at the
 * quantized input, and the weight's is made with the latter.
 *
 * <p>Not for two threads at once: each slice has its own.
 */
final class DecoderGradient {
  /** What a block's forward keeps for its backward. Rows are (sequences · length). */
  private final class Kept {
    final float[] in = new float[rows * hidden];
    final float[] inMean = new float[rows];
    final float[] inInverse = new float[rows];
    final float[] normed = new float[rows * hidden];
    final float[] qkv = new float[rows * 3 * hidden];
    final float[] probabilities = new float[sequences * shape.heads() * length * length];
    final float[] attended = new float[rows * hidden];
    final float[] middle = new float[rows * hidden];
    final float[] middleMean = new float[rows];
    final float[] middleInverse = new float[rows];
    final float[] middleNormed = new float[rows * hidden];
    final float[] inner = new float[rows * shape.feedForward()];
    final float[] activated = new float[rows * shape.feedForward()];
  }

  /** What a block's operations give, forward and backward; of the end, those that it has. */
  enum Result {
    ATTENTION_NORM,
    QUERY_KEY_VALUE,
    ROTATED,
    PROBABILITIES,
    ATTENDED,
    ATTENTION_OUT,
    ATTENTION_DROPPED,
    MIDDLE,
    FEED_FORWARD_NORM,
    INNER,
    ACTIVATED,
    FEED_FORWARD_OUT,
    FEED_FORWARD_DROPPED,
    OUT,
    FINAL_NORM,
    LOGITS,
    D_LOGITS,
    D_FINAL_NORM,
    D_OUT,
    D_FEED_FORWARD_DROPPED,
    D_ACTIVATED,
    D_INNER,
    D_FEED_FORWARD_NORM,
    D_MIDDLE,
    D_ATTENTION_DROPPED,
    D_ATTENDED,
    D_PROBABILITIES,
    D_SCORES,
    D_ROTATED,
    D_QUERY_KEY_VALUE,
    D_ATTENTION_NORM
  }

  private static final int RESULTS = Result.values().length;
  private static final int ATTENTION = 0;
  private static final int FEED_FORWARD = 1;

  private final ModelShape shape;
  private final Component component;
  private final Rounding rounding;
  private final RowQuantizer inputs;
  private final float dropout;
  private final int sequences;
  private final int length;
  private final int rows;
  private final int hidden;
  private final CausalAttention attention;
  private final List<Kept> kept = new ArrayList<>();
  private final Parameters gradients;

  private final float[] residual;
  private final float[] mean;
  private final float[] inverse;
  private final float[] normed;
  private final float[] logits;
  private final float[] dOutput;
  private final float[] dResidual;
  private final float[] dHidden;
  private final float[] dHidden2;
  private final float[] dInner;
  private final float[] dQkv;

  /**
   * @param component what of the decoder
   * @param rounding of every result
   * @param inputs how the blocks' linear layers' inputs are quantized; null: not
   * @param sequences of the slice
   * @param length tokens predicted in a sequence
   */
  DecoderGradient(
      ModelShape shape,
      Component component,
      Rounding rounding,
      RowQuantizer inputs,
      float dropout,
      int sequences,
      int length) {
    this.shape = shape;
    this.component = component;
    this.rounding = rounding;
    this.inputs = inputs;
    this.dropout = dropout;
    this.sequences = sequences;
    this.length = length;
    this.rows = sequences * length;
    this.hidden = shape.hidden();
    attention = new CausalAttention(shape, rounding, length);
    for (int layer = component.firstLayer(); layer < component.endLayer(); layer++) {
      kept.add(new Kept());
    }
    gradients = new Parameters(shape, component);
    residual = new float[rows * hidden];
    mean = new float[rows];
    inverse = new float[rows];
    normed = new float[rows * hidden];
    logits = new float[component.hasLoss() ? rows * shape.vocabulary() : 0];
    dOutput = new float[rows * hidden];
    dResidual = new float[rows * hidden];
    dHidden = new float[rows * hidden];
    dHidden2 = new float[rows * hidden];
    dInner = new float[rows * shape.feedForward()];
    dQkv = new float[rows * 3 * hidden];
  }

  /** How many results {@link Rounding} tells apart: the blocks', the end's, the gradients. */
  static int uses(ModelShape shape, int tensors) {
    return (shape.layers() + 1) * RESULTS + tensors;
  }

  /**
   * A result's index.
   *
   * @param layer the number of layers for the end
   */
  static int use(int layer, Result result) {
    return layer * RESULTS + result.ordinal();
  }

  /** Gradients of the last {@link #run}, or backward: of loss · scale, rounded. */
  Parameters gradients() {
    return gradients;
  }

  /**
   * Runs a whole decoder forward and backward.
   *
   * @param weights already rounded
   * @param tokens (sequences, length + 1): each sequence's inputs and, one further, its targets
   * @param scale factor on the loss's gradients: loss scale over the tokens of the whole batch
   * @param dropoutKey different for every step and slice
   * @return summed loss over the slice's tokens, nats
   */
  double run(Parameters weights, int[] tokens, float scale, long dropoutKey) {
    forward(weights, tokens, null, dropoutKey);
    double loss = loss(weights, tokens, scale);
    backward(weights, tokens, lossGradient(), true, dropoutKey);
    return loss;
  }

  /**
   * Runs the component's blocks forward.
   *
   * @param weights already rounded
   * @param tokens as {@link #run}
   * @param input (rows, hidden) the component's before it; null for the first, which embeds
   * @return (rows, hidden) the residual stream after the blocks; overwritten by the next call
   */
  float[] forward(Parameters weights, int[] tokens, float[] input, long dropoutKey) {
    Products.onOneThread();
    if (component.isFirst()) {
      embed(weights, tokens);
    } else {
      System.arraycopy(input, 0, residual, 0, residual.length);
    }
    for (int layer = component.firstLayer(); layer < component.endLayer(); layer++) {
      forward(weights.blocks.get(layer), kept(layer), layer, dropoutKey);
    }
    return residual;
  }

  private Kept kept(int layer) {
    return kept.get(layer - component.firstLayer());
  }

  /**
   * The component's own loss on what {@link #forward} left, and its head's gradients.
   *
   * @param scale as {@link #run}
   * @return summed loss over the slice's tokens, nats
   */
  double loss(Parameters weights, int[] tokens, float scale) {
    Parameters.Head head = weights.heads.get(component.index());
    Parameters.Head gradient = gradients.heads.get(component.index());
    LayerNorm.forward(
        residual,
        rows,
        head.normWeight().values(),
        head.normBias().values(),
        ModelShape.EPSILON,
        mean,
        inverse,
        normed);
    int end = shape.layers();
    round(end, Result.FINAL_NORM, normed);
    int vocabulary = shape.vocabulary();
    float[] projection = head.projection().values();
    Products.timesTransposed(1, normed, projection, rows, vocabulary, hidden, logits);
    round(end, Result.LOGITS, logits);
    double loss = Softmax.crossEntropy(logits, rows, vocabulary, targets(tokens), scale);
    round(end, Result.D_LOGITS, logits);

    Products.transposedTimes(
        1, logits, normed, vocabulary, hidden, rows, gradient.projection().values());
    Products.times(1, logits, projection, rows, hidden, vocabulary, dHidden);
    round(end, Result.D_FINAL_NORM, dHidden);
    Arrays.fill(dOutput, 0);
    LayerNorm.backward(
        residual,
        rows,
        head.normWeight().values(),
        mean,
        inverse,
        dHidden,
        dOutput,
        gradient.normWeight().values(),
        gradient.normBias().values());
    round(end, Result.D_OUT, dOutput);
    return loss;
  }

  /** (rows, hidden) gradient of the own loss at the component's output. */
  float[] lossGradient() {
    return dOutput;
  }

  /**
   * Takes a loss's gradient back through the blocks; as often as there are losses, after one {@link
   * #forward}.
   *
   * @param dOutput (rows, hidden) gradient at the component's output
   * @param ofWeights whether it is the loss that the weights learn from
   * @return (rows, hidden) gradient at the component's input; overwritten by the next call
   */
  float[] backward(
      Parameters weights, int[] tokens, float[] dOutput, boolean ofWeights, long dropoutKey) {
    System.arraycopy(dOutput, 0, dResidual, 0, dResidual.length);
    for (int layer = component.endLayer() - 1; layer >= component.firstLayer(); layer--) {
      backward(weights.blocks.get(layer), layer, ofWeights, dropoutKey);
    }
    if (ofWeights) {
      if (component.isFirst()) {
        embedBackward(tokens);
      }
      int use = use(shape.layers() + 1, Result.values()[0]);
      for (Parameters.Tensor gradient : gradients.tensors()) {
        rounding.round(use++, gradient.values(), gradient.values().length);
      }
    }
    return dResidual;
  }

  private void round(int layer, Result result, float[] x) {
    rounding.round(use(layer, result), x, x.length);
  }

  /** What a linear layer reads, (rows, width). */
  private void quantize(float[] x, int width) {
    if (inputs != null) {
      for (int row = 0; row < rows; row++) {
        inputs.apply(x, row * width, width, x, row * width);
      }
    }
  }

  private int[] targets(int[] tokens) {
    int[] targets = new int[rows];
    for (int s = 0; s < sequences; s++) {
      System.arraycopy(tokens, s * (length + 1) + 1, targets, s * length, length);
    }
    return targets;
  }

  private void embed(Parameters weights, int[] tokens) {
    for (int row = 0; row < rows; row++) {
      int token = tokens[row + row / length];
      System.arraycopy(weights.embedding.values(), token * hidden, residual, row * hidden, hidden);
    }
  }

  private void embedBackward(int[] tokens) {
    float[] gradient = gradients.embedding.values();
    Arrays.fill(gradient, 0);
    for (int row = 0; row < rows; row++) {
      int token = tokens[row + row / length];
      for (int i = 0; i < hidden; i += Lanes.WIDTH) {
        FloatVector.fromArray(Lanes.SPECIES, gradient, token * hidden + i)
            .add(FloatVector.fromArray(Lanes.SPECIES, dResidual, row * hidden + i))
            .intoArray(gradient, token * hidden + i);
      }
    }
  }

  private void forward(Parameters.Block w, Kept k, int layer, long dropoutKey) {
    System.arraycopy(residual, 0, k.in, 0, residual.length);
    LayerNorm.forward(
        residual,
        rows,
        w.attentionNormWeight().values(),
        w.attentionNormBias().values(),
        ModelShape.EPSILON,
        k.inMean,
        k.inInverse,
        k.normed);
    round(layer, Result.ATTENTION_NORM, k.normed);
    quantize(k.normed, hidden);
    linear(k.normed, w.attentionIn(), w.attentionInBias(), k.qkv);
    round(layer, Result.QUERY_KEY_VALUE, k.qkv);
    attention.forward(layer, k.qkv, sequences, k.probabilities, k.attended);
    quantize(k.attended, hidden);
    linear(k.attended, w.attentionOut(), w.attentionOutBias(), dHidden);
    round(layer, Result.ATTENTION_OUT, dHidden);
    drop(dHidden, layer, ATTENTION, dropoutKey, Result.ATTENTION_DROPPED);
    add(residual, dHidden);
    round(layer, Result.MIDDLE, residual);

    System.arraycopy(residual, 0, k.middle, 0, residual.length);
    LayerNorm.forward(
        residual,
        rows,
        w.feedForwardNormWeight().values(),
        w.feedForwardNormBias().values(),
        ModelShape.EPSILON,
        k.middleMean,
        k.middleInverse,
        k.middleNormed);
    round(layer, Result.FEED_FORWARD_NORM, k.middleNormed);
    quantize(k.middleNormed, hidden);
    linear(k.middleNormed, w.feedForwardIn(), w.feedForwardInBias(), k.inner);
    round(layer, Result.INNER, k.inner);
    Gelu.forward(k.inner, k.inner.length, k.activated);
    round(layer, Result.ACTIVATED, k.activated);
    quantize(k.activated, shape.feedForward());
    linear(k.activated, w.feedForwardOut(), w.feedForwardOutBias(), dHidden);
    round(layer, Result.FEED_FORWARD_OUT, dHidden);
    drop(dHidden, layer, FEED_FORWARD, dropoutKey, Result.FEED_FORWARD_DROPPED);
    add(residual, dHidden);
    round(layer, Result.OUT, residual);
  }

  /** Gradients of norms are cheap, and a later pass that is of the weights overwrites them. */
  private void backward(Parameters.Block w, int layer, boolean ofWeights, long dropoutKey) {
    Kept k = kept(layer);
    Parameters.Block g = gradients.blocks.get(layer);
    System.arraycopy(dResidual, 0, dHidden, 0, dResidual.length);
    drop(dHidden, layer, FEED_FORWARD, dropoutKey, Result.D_FEED_FORWARD_DROPPED);
    linearBackward(
        k.activated,
        dHidden,
        w.feedForwardOut(),
        g.feedForwardOut(),
        g.feedForwardOutBias(),
        ofWeights,
        dInner);
    round(layer, Result.D_ACTIVATED, dInner);
    Gelu.backward(k.inner, k.inner.length, dInner);
    round(layer, Result.D_INNER, dInner);
    linearBackward(
        k.middleNormed,
        dInner,
        w.feedForwardIn(),
        g.feedForwardIn(),
        g.feedForwardInBias(),
        ofWeights,
        dHidden2);
    round(layer, Result.D_FEED_FORWARD_NORM, dHidden2);
    LayerNorm.backward(
        k.middle,
        rows,
        w.feedForwardNormWeight().values(),
        k.middleMean,
        k.middleInverse,
        dHidden2,
        dResidual,
        g.feedForwardNormWeight().values(),
        g.feedForwardNormBias().values());
    round(layer, Result.D_MIDDLE, dResidual);

    System.arraycopy(dResidual, 0, dHidden, 0, dResidual.length);
    drop(dHidden, layer, ATTENTION, dropoutKey, Result.D_ATTENTION_DROPPED);
    linearBackward(
        k.attended,
        dHidden,
        w.attentionOut(),
        g.attentionOut(),
        g.attentionOutBias(),
        ofWeights,
        dHidden2);
    round(layer, Result.D_ATTENDED, dHidden2);
    attention.backward(layer, k.qkv, sequences, k.probabilities, dHidden2, dQkv);
    linearBackward(
        k.normed, dQkv, w.attentionIn(), g.attentionIn(), g.attentionInBias(), ofWeights, dHidden2);
    round(layer, Result.D_ATTENTION_NORM, dHidden2);
    LayerNorm.backward(
        k.in,
        rows,
        w.attentionNormWeight().values(),
        k.inMean,
        k.inInverse,
        dHidden2,
        dResidual,
        g.attentionNormWeight().values(),
        g.attentionNormBias().values());
    round(layer, Result.D_OUT, dResidual);
  }

  private void drop(float[] x, int layer, int place, long dropoutKey, Result result) {
    if (dropout > 0) {
      Dropout.apply(x, 0, x.length, dropout, Dropout.key(dropoutKey, layer, place));
      round(layer, result, x);
    }
  }

  /** y = x Wᵀ + b. */
  private void linear(float[] x, Parameters.Tensor weight, Parameters.Tensor bias, float[] y) {
    int outputs = weight.shape()[0];
    int columns = weight.shape()[1];
    Products.timesTransposed(1, x, weight.values(), rows, outputs, columns, y);
    for (int row = 0; row < rows; row++) {
      int at = row * outputs;
      for (int i = 0; i < outputs; i += Lanes.WIDTH) {
        FloatVector.fromArray(Lanes.SPECIES, y, at + i)
            .add(FloatVector.fromArray(Lanes.SPECIES, bias.values(), i))
            .intoArray(y, at + i);
      }
    }
  }

  private void linearBackward(
      float[] x,
      float[] dy,
      Parameters.Tensor weight,
      Parameters.Tensor dWeight,
      Parameters.Tensor dBias,
      boolean ofWeights,
      float[] dx) {
    int outputs = weight.shape()[0];
    int columns = weight.shape()[1];
    if (ofWeights) {
      Products.transposedTimes(1, dy, x, outputs, columns, rows, dWeight.values());
      float[] bias = dBias.values();
      Arrays.fill(bias, 0);
      for (int row = 0; row < rows; row++) {
        int at = row * outputs;
        for (int i = 0; i < outputs; i += Lanes.WIDTH) {
          FloatVector.fromArray(Lanes.SPECIES, bias, i)
              .add(FloatVector.fromArray(Lanes.SPECIES, dy, at + i))
              .intoArray(bias, i);
        }
      }
    }
    Products.times(1, dy, weight.values(), rows, columns, outputs, dx);
  }

  private static void add(float[] x, float[] y) {
    for (int i = 0; i < x.length; i += Lanes.WIDTH) {
      FloatVector.fromArray(Lanes.SPECIES, x, i)
          .add(FloatVector.fromArray(Lanes.SPECIES, y, i))
          .intoArray(x, i);
    }
  }
}
