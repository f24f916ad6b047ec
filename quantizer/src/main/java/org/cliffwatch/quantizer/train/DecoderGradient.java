package org.cliffwatch.quantizer.train;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import org.cliffwatch.quantizer.scheme.RowQuantizer;

/**
 * Loss and gradients of a decoder on one slice of a batch. Every operation's result, forward and
 * backward, is {@linkplain Rounding rounded}, as where a whole model runs in a half type; inside an
 * operation (products, LayerNorm, softmax) it is float32.
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
  private final float[] dResidual;
  private final float[] dHidden;
  private final float[] dHidden2;
  private final float[] dInner;
  private final float[] dQkv;

  /**
   * @param rounding of every result
   * @param inputs how the blocks' linear layers' inputs are quantized; null: not
   * @param sequences of the slice
   * @param length tokens predicted in a sequence
   */
  DecoderGradient(
      ModelShape shape,
      Rounding rounding,
      RowQuantizer inputs,
      float dropout,
      int sequences,
      int length) {
    this.shape = shape;
    this.rounding = rounding;
    this.inputs = inputs;
    this.dropout = dropout;
    this.sequences = sequences;
    this.length = length;
    this.rows = sequences * length;
    this.hidden = shape.hidden();
    attention = new CausalAttention(shape, rounding, length);
    for (int layer = 0; layer < shape.layers(); layer++) {
      kept.add(new Kept());
    }
    gradients = new Parameters(shape);
    residual = new float[rows * hidden];
    mean = new float[rows];
    inverse = new float[rows];
    normed = new float[rows * hidden];
    logits = new float[rows * shape.vocabulary()];
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

  /** Gradients of the last {@link #run}: of loss · scale, rounded. */
  Parameters gradients() {
    return gradients;
  }

  /**
   * Runs forward and backward.
   *
   * @param weights already rounded
   * @param tokens (sequences, length + 1): each sequence's inputs and, one further, its targets
   * @param scale factor on the loss's gradients: loss scale over the tokens of the whole batch
   * @param dropoutKey different for every step and slice
   * @return summed loss over the slice's tokens, nats
   */
  double run(Parameters weights, int[] tokens, float scale, long dropoutKey) {
    Products.onOneThread();
    embed(weights, tokens);
    for (int layer = 0; layer < shape.layers(); layer++) {
      forward(weights.blocks.get(layer), kept.get(layer), layer, dropoutKey);
    }
    LayerNorm.forward(
        residual,
        rows,
        weights.finalNormWeight.values(),
        weights.finalNormBias.values(),
        ModelShape.EPSILON,
        mean,
        inverse,
        normed);
    int end = shape.layers();
    round(end, Result.FINAL_NORM, normed);
    int vocabulary = shape.vocabulary();
    Products.timesTransposed(1, normed, weights.head.values(), rows, vocabulary, hidden, logits);
    round(end, Result.LOGITS, logits);
    double loss = Softmax.crossEntropy(logits, rows, vocabulary, targets(tokens), scale);
    round(end, Result.D_LOGITS, logits);

    Products.transposedTimes(1, logits, normed, vocabulary, hidden, rows, gradients.head.values());
    Products.times(1, logits, weights.head.values(), rows, hidden, vocabulary, dHidden);
    round(end, Result.D_FINAL_NORM, dHidden);
    Arrays.fill(dResidual, 0);
    LayerNorm.backward(
        residual,
        rows,
        weights.finalNormWeight.values(),
        mean,
        inverse,
        dHidden,
        dResidual,
        gradients.finalNormWeight.values(),
        gradients.finalNormBias.values());
    round(end, Result.D_OUT, dResidual);
    for (int layer = shape.layers() - 1; layer >= 0; layer--) {
      backward(
          weights.blocks.get(layer),
          gradients.blocks.get(layer),
          kept.get(layer),
          layer,
          dropoutKey);
    }
    embedBackward(tokens);
    int use = use(end + 1, Result.values()[0]);
    for (Parameters.Tensor gradient : gradients.tensors()) {
      rounding.round(use++, gradient.values(), gradient.values().length);
    }
    return loss;
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

  private void backward(
      Parameters.Block w, Parameters.Block g, Kept k, int layer, long dropoutKey) {
    System.arraycopy(dResidual, 0, dHidden, 0, dResidual.length);
    drop(dHidden, layer, FEED_FORWARD, dropoutKey, Result.D_FEED_FORWARD_DROPPED);
    linearBackward(
        k.activated,
        dHidden,
        w.feedForwardOut(),
        g.feedForwardOut(),
        g.feedForwardOutBias(),
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
        k.attended, dHidden, w.attentionOut(), g.attentionOut(), g.attentionOutBias(), dHidden2);
    round(layer, Result.D_ATTENDED, dHidden2);
    attention.backward(layer, k.qkv, sequences, k.probabilities, dHidden2, dQkv);
    linearBackward(k.normed, dQkv, w.attentionIn(), g.attentionIn(), g.attentionInBias(), dHidden2);
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
      float[] dx) {
    int outputs = weight.shape()[0];
    int columns = weight.shape()[1];
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
