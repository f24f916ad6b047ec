package org.cliffwatch.quantizer.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Random;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.assertj.core.data.Percentage;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Every operation's gradient against central differences, along random directions. */
class GradientTest {
  /**
   * Central differences of float32 functions: rounding is about 1e-7 / STEP, curvature about STEP².
   */
  private static final Percentage NEAR = Percentage.withPercentage(0.5);

  private static final float STEP = 5e-3f;

  private final Random random = new Random(11);

  private float[] normal(int n) {
    float[] x = new float[n];
    for (int i = 0; i < n; i++) {
      x[i] = (float) random.nextGaussian();
    }
    return x;
  }

  private static double dot(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += (double) a[i] * b[i];
    }
    return sum;
  }

  /** Compares gradient · direction with the change of {@code loss} as {@code x} moves along it. */
  private void check(float[] x, float[] gradient, Supplier<Double> loss) {
    // Mostly along the gradient, so that the slope is far from zero.
    float[] direction = normal(x.length);
    double size = Math.sqrt(dot(gradient, gradient));
    assertThat(size).isPositive();
    for (int i = 0; i < x.length; i++) {
      direction[i] = (float) (gradient[i] / size + 0.3 * direction[i] / Math.sqrt(x.length));
    }
    float[] origin = x.clone();
    double up = at(x, origin, direction, STEP, loss);
    double down = at(x, origin, direction, -STEP, loss);
    System.arraycopy(origin, 0, x, 0, x.length);
    assertThat((up - down) / (2 * STEP)).isCloseTo(dot(gradient, direction), NEAR);
  }

  private static double at(
      float[] x, float[] origin, float[] direction, float step, Supplier<Double> loss) {
    for (int i = 0; i < x.length; i++) {
      x[i] = origin[i] + step * direction[i];
    }
    return loss.get();
  }

  @Test
  void layerNorm() {
    int rows = 5;
    int width = 24;
    float[] x = normal(rows * width);
    float[] weight = normal(width);
    float[] bias = normal(width);
    float[] wanted = normal(rows * width);
    float[] mean = new float[rows];
    float[] inverse = new float[rows];
    float[] y = new float[rows * width];
    Supplier<Double> loss =
        () -> {
          LayerNorm.forward(x, rows, weight, bias, 1e-5f, mean, inverse, y);
          return dot(y, wanted);
        };
    assertThat(loss.get()).isFinite();
    float[] dx = new float[rows * width];
    float[] dWeight = new float[width];
    float[] dBias = new float[width];
    LayerNorm.backward(x, rows, weight, mean, inverse, wanted, dx, dWeight, dBias);
    check(x, dx, loss);
    check(weight, dWeight, loss);
    check(bias, dBias, loss);
  }

  @Test
  void gelu() {
    for (int n : new int[] {1, 7, 8, 17, 65}) {
      float[] x = normal(n);
      float[] wanted = normal(n);
      float[] y = new float[n];
      float[] dx = wanted.clone();
      Gelu.backward(x, n, dx);
      check(
          x,
          dx,
          () -> {
            Gelu.forward(x, n, y);
            return dot(y, wanted);
          });
    }
  }

  @Test
  void crossEntropy() {
    int rows = 3;
    for (int vocabulary : new int[] {7, 8, 43}) {
      float[] logits = normal(rows * vocabulary);
      int[] targets = {0, vocabulary - 1, 3};
      float[] gradient = logits.clone();
      Softmax.crossEntropy(gradient, rows, vocabulary, targets, 1);
      check(
          logits,
          gradient,
          () -> Softmax.crossEntropy(logits.clone(), rows, vocabulary, targets, 1));
    }
  }

  @Test
  void attentionWithRotaryPositions() {
    ModelShape shape = new ModelShape(10, 32, 1, 2, 32, 0.5f);
    int sequences = 2;
    for (int length : new int[] {1, 7, 16, 19}) {
      CausalAttention attention =
          new CausalAttention(shape, Rounding.to(FloatType.FLOAT32), length);
      int rows = sequences * length;
      float[] qkv = normal(rows * 3 * shape.hidden());
      float[] wanted = normal(rows * shape.hidden());
      float[] probabilities = new float[sequences * shape.heads() * length * length];
      float[] y = new float[rows * shape.hidden()];
      float[] rotated = qkv.clone();
      attention.forward(0, rotated, sequences, probabilities, y);
      float[] gradient = new float[qkv.length];
      attention.backward(0, rotated, sequences, probabilities, wanted, gradient);
      check(
          qkv,
          gradient,
          () -> {
            attention.forward(0, qkv.clone(), sequences, probabilities, y);
            return dot(y, wanted);
          });
    }
  }

  @Test
  void attentionSeesNoLaterToken() {
    ModelShape shape = new ModelShape(10, 32, 1, 2, 32, 0.5f);
    int length = 9;
    CausalAttention attention = new CausalAttention(shape, Rounding.to(FloatType.FLOAT32), length);
    float[] qkv = normal(length * 96);
    float[] probabilities = new float[2 * length * length];
    float[] before = new float[length * 32];
    attention.forward(0, qkv.clone(), 1, probabilities, before);
    for (int i = 8 * 96; i < 9 * 96; i++) {
      qkv[i] += 1;
    }
    float[] after = new float[length * 32];
    attention.forward(0, qkv, 1, probabilities, after);
    for (int i = 0; i < 8 * 32; i++) {
      assertThat(after[i]).isEqualTo(before[i]);
    }
  }

  @Test
  void dropoutKeepsItsMaskAndItsMean() {
    int n = 100_003;
    float[] x = new float[n];
    java.util.Arrays.fill(x, 1);
    float[] again = x.clone();
    Dropout.apply(x, 0, n, 0.4f, 77);
    Dropout.apply(again, 0, n, 0.4f, 77);
    assertThat(again).containsExactly(x);
    double sum = 0;
    for (float value : x) {
      assertThat(value == 0 || value == 1 / (1 - 0.4f)).isTrue();
      sum += value;
    }
    // Five standard deviations of the mean of n draws.
    assertThat(sum / n)
        .isCloseTo(1, org.assertj.core.data.Offset.offset(5 * Math.sqrt(0.4 / 0.6 / n)));
    float[] other = new float[n];
    java.util.Arrays.fill(other, 1);
    Dropout.apply(other, 0, n, 0.4f, 78);
    assertThat(other).isNotEqualTo(x);
  }

  /** Embedding, linear layers, residuals, dropout and how all hang together. */
  @TestFactory
  Stream<DynamicTest> decoder() {
    ModelShape shape = new ModelShape(19, 16, 2, 2, 24, 0.5f);
    int sequences = 2;
    int length = 6;
    Parameters weights = Parameters.initial(shape, List.of(Component.whole(shape)), 3);
    for (Parameters.Tensor tensor : weights.tensors()) {
      for (int i = 0; i < tensor.values().length; i++) {
        tensor.values()[i] += 0.3f * (float) random.nextGaussian();
      }
    }
    int[] tokens = new int[sequences * (length + 1)];
    for (int i = 0; i < tokens.length; i++) {
      tokens[i] = random.nextInt(19);
    }
    DecoderGradient decoder =
        new DecoderGradient(
            shape,
            Component.whole(shape),
            Rounding.to(FloatType.FLOAT32),
            null,
            0.2f,
            sequences,
            length);
    decoder.run(weights, tokens, 1, 5);
    Parameters gradients = new Parameters(shape);
    gradients.setRounded(decoder.gradients(), FloatType.FLOAT32);
    return java.util.stream.IntStream.range(0, weights.tensors().size())
        .mapToObj(
            t ->
                DynamicTest.dynamicTest(
                    weights.tensors().get(t).name(),
                    () ->
                        check(
                            weights.tensors().get(t).values(),
                            gradients.tensors().get(t).values(),
                            () -> decoder.run(weights, tokens, 1, 5))));
  }
}
