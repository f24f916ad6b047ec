package org.cliffwatch.quantizer.kernel;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Layers that share an input and nothing else, as one: a checkpoint may quantize the input of each
 * in another way.
 */
public record JoinedLinear(List<Linear> layers) implements Linear {
  @Override
  public int inputs() {
    return layers.get(0).inputs();
  }

  @Override
  public int[] outputs() {
    return layers.stream().flatMapToInt(layer -> IntStream.of(layer.outputs())).toArray();
  }

  @Override
  public void apply(float[] x, int rows, Stopwatch watch, float[]... y) {
    int done = 0;
    for (Linear layer : layers) {
      int count = layer.outputs().length;
      layer.apply(x, rows, watch, Arrays.copyOfRange(y, done, done + count));
      done += count;
    }
  }

  @Override
  public long bytes() {
    return layers.stream().mapToLong(Linear::bytes).sum();
  }

  @Override
  public void close() {
    layers.forEach(Linear::close);
  }
}
