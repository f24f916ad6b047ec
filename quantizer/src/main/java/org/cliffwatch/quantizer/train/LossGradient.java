package org.cliffwatch.quantizer.train;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.FloatType;

/**
 * The gradient of a checkpoint's loss on text, in float32, with respect to the matrices of the
 * linear layers inside its blocks; of the decoders that {@link Training} makes and of no others.
 *
 * <p>Costs three passes of scoring in float32, on one thread; what a pass keeps of {@value #ROWS}
 * tokens, or of one sample, is in memory, and three times the weights. Not for two threads at once.
 */
public final class LossGradient {
  /** Of samples that go through the decoder together: fewer have its gradients written as often. */
  private static final int ROWS = 1024;

  private final Parameters weights;
  private final List<float[]> matrices;
  private final List<float[]> gradients;
  private final DecoderGradient decoder;
  private final List<int[]> samples;

  /** How many samples at once. */
  private final int together;

  private LossGradient(ModelShape shape, Parameters weights, List<int[]> samples) {
    this.weights = weights;
    this.samples = samples;
    matrices = inBlocks(weights);
    int length = samples.get(0).length - 1;
    together =
        IntStream.rangeClosed(1, samples.size())
            .filter(n -> samples.size() % n == 0 && (n == 1 || n * length <= ROWS))
            .max()
            .orElseThrow();
    decoder =
        new DecoderGradient(
            shape,
            Component.whole(shape),
            Rounding.to(FloatType.FLOAT32),
            null,
            0,
            together,
            length);
    gradients = inBlocks(decoder.gradients());
  }

  private static List<float[]> inBlocks(Parameters parameters) {
    return parameters.matrices().stream().map(Parameters.Tensor::values).toList();
  }

  /**
   * Reads a checkpoint's weights.
   *
   * @param samples token ids, all of one length from 2 on
   * @return nothing where the configuration or the tensors are not those of {@link
   *     CheckpointFolder}: another family, or GPT-NeoX with parallel halves, erf, other rotations
   */
  public static Optional<LossGradient> of(Checkpoint checkpoint, List<int[]> samples) {
    return CheckpointFolder.read(checkpoint)
        .map(read -> new LossGradient(read.shape(), read.weights(), samples));
  }

  /** The matrices' elements, one after another: query, key and value as one, and so on a block. */
  public float[] weights() {
    return joined(matrices);
  }

  private static float[] joined(List<float[]> parts) {
    float[] all = new float[parts.stream().mapToInt(part -> part.length).sum()];
    int at = 0;
    for (float[] part : parts) {
      System.arraycopy(part, 0, all, at, part.length);
      at += part.length;
    }
    return all;
  }

  /**
   * A loss and its gradient.
   *
   * @param loss mean over predicted tokens, nats
   * @param gradient in the order of {@link #weights}
   */
  public record Slope(double loss, float[] gradient) {}

  /**
   * @param at as {@link #weights}
   */
  public Slope at(float[] at) {
    int from = 0;
    for (float[] matrix : matrices) {
      System.arraycopy(at, from, matrix, 0, matrix.length);
      from += matrix.length;
    }
    int predicted = samples.size() * (samples.get(0).length - 1);
    float[] sum = new float[at.length];
    double loss = 0;
    for (int first = 0; first < samples.size(); first += together) {
      int[] tokens =
          samples.subList(first, first + together).stream().flatMapToInt(Arrays::stream).toArray();
      loss += decoder.run(weights, tokens, 1f / predicted, 0);
      int to = 0;
      for (float[] gradient : gradients) {
        for (float each : gradient) {
          sum[to++] += each;
        }
      }
    }
    return new Slope(loss / predicted, sum);
  }
}
