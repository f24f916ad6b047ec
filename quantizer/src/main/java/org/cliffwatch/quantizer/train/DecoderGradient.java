package org.cliffwatch.quantizer.train;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import org.cliffwatch.quantizer.kernel.FloatType;

/**
 * Loss and gradients of a decoder on one slice of a batch. Every operation's result, forward and
 * backward, is rounded to the half type, as where a whole model runs in it; inside an operation
 * (products, LayerNorm, softmax) it is float32.
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

  private static final int ATTENTION = 0;
  private static final int FEED_FORWARD = 1;

  private final ModelShape shape;
  private final FloatType type;
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
   * @param sequences of the slice
   * @param length tokens predicted in a sequence
   */
  DecoderGradient(ModelShape shape, FloatType type, float dropout, int sequences, int length) {
    this.shape = shape;
    this.type = type;
    this.dropout = dropout;
    this.sequences = sequences;
    this.length = length;
    this.rows = sequences * length;
    this.hidden = shape.hidden();
    attention = new CausalAttention(shape, type, length);
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

  /** Gradients of the last {@link #run}: of loss · scale, rounded to the half type. */
  Parameters gradients() {
    return gradients;
  }

  /**
   * Runs forward and backward.
   *
   * @param weights already rounded to the half type
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
    round(normed);
    int vocabulary = shape.vocabulary();
    Products.timesTransposed(1, normed, weights.head.values(), rows, vocabulary, hidden, logits);
    round(logits);
    double loss = Softmax.crossEntropy(logits, rows, vocabulary, targets(tokens), scale);
    round(logits);

    Products.transposedTimes(1, logits, normed, vocabulary, hidden, rows, gradients.head.values());
    Products.times(1, logits, weights.head.values(), rows, hidden, vocabulary, dHidden);
    round(dHidden);
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
    round(dResidual);
    for (int layer = shape.layers() - 1; layer >= 0; layer--) {
      backward(
          weights.blocks.get(layer),
          gradients.blocks.get(layer),
          kept.get(layer),
          layer,
          dropoutKey);
    }
    embedBackward(tokens);
    for (Parameters.Tensor gradient : gradients.tensors()) {
      round(gradient.values());
    }
    return loss;
  }

  private void round(float[] x) {
    Lanes.round(type, x, x.length);
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
    round(k.normed);
    linear(k.normed, w.attentionIn(), w.attentionInBias(), k.qkv);
    attention.forward(k.qkv, sequences, k.probabilities, k.attended);
    linear(k.attended, w.attentionOut(), w.attentionOutBias(), dHidden);
    drop(dHidden, layer, ATTENTION, dropoutKey);
    add(residual, dHidden);

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
    round(k.middleNormed);
    linear(k.middleNormed, w.feedForwardIn(), w.feedForwardInBias(), k.inner);
    Gelu.forward(k.inner, k.inner.length, k.activated);
    round(k.activated);
    linear(k.activated, w.feedForwardOut(), w.feedForwardOutBias(), dHidden);
    drop(dHidden, layer, FEED_FORWARD, dropoutKey);
    add(residual, dHidden);
  }

  private void backward(
      Parameters.Block w, Parameters.Block g, Kept k, int layer, long dropoutKey) {
    System.arraycopy(dResidual, 0, dHidden, 0, dResidual.length);
    drop(dHidden, layer, FEED_FORWARD, dropoutKey);
    linearBackward(
        k.activated,
        dHidden,
        w.feedForwardOut(),
        g.feedForwardOut(),
        g.feedForwardOutBias(),
        dInner);
    Gelu.backward(k.inner, k.inner.length, dInner);
    round(dInner);
    linearBackward(
        k.middleNormed,
        dInner,
        w.feedForwardIn(),
        g.feedForwardIn(),
        g.feedForwardInBias(),
        dHidden2);
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
    round(dResidual);

    System.arraycopy(dResidual, 0, dHidden, 0, dResidual.length);
    drop(dHidden, layer, ATTENTION, dropoutKey);
    linearBackward(
        k.attended, dHidden, w.attentionOut(), g.attentionOut(), g.attentionOutBias(), dHidden2);
    attention.backward(k.qkv, sequences, k.probabilities, dHidden2, dQkv);
    linearBackward(k.normed, dQkv, w.attentionIn(), g.attentionIn(), g.attentionInBias(), dHidden2);
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
    round(dResidual);
  }

  private void drop(float[] x, int layer, int place, long dropoutKey) {
    if (dropout > 0) {
      Dropout.apply(x, 0, x.length, dropout, Dropout.key(dropoutKey, layer, place));
      round(x);
    }
  }

  /** y = x Wᵀ + b, rounded once. */
  private void linear(float[] x, Parameters.Tensor weight, Parameters.Tensor bias, float[] y) {
    int outputs = weight.shape()[0];
    int inputs = weight.shape()[1];
    Products.timesTransposed(1, x, weight.values(), rows, outputs, inputs, y);
    for (int row = 0; row < rows; row++) {
      int at = row * outputs;
      for (int i = 0; i < outputs; i += Lanes.WIDTH) {
        FloatVector sum =
            FloatVector.fromArray(Lanes.SPECIES, y, at + i)
                .add(FloatVector.fromArray(Lanes.SPECIES, bias.values(), i));
        Lanes.round(type, sum).intoArray(y, at + i);
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
    int inputs = weight.shape()[1];
    Products.transposedTimes(1, dy, x, outputs, inputs, rows, dWeight.values());
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
    Products.times(1, dy, weight.values(), rows, inputs, outputs, dx);
    round(dx);
  }

  private void add(float[] x, float[] y) {
    for (int i = 0; i < x.length; i += Lanes.WIDTH) {
      FloatVector sum =
          FloatVector.fromArray(Lanes.SPECIES, x, i)
              .add(FloatVector.fromArray(Lanes.SPECIES, y, i));
      Lanes.round(type, sum).intoArray(x, i);
    }
  }
}
