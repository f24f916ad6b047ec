package org.cliffwatch.quantizer.analysis;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.Nudge;
import org.cliffwatch.quantizer.kernel.Stopwatch;
import org.cliffwatch.quantizer.kernel.TokenRuns;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.model.Batch;
import org.cliffwatch.quantizer.model.Batches;
import org.cliffwatch.quantizer.model.Decoder;
import org.cliffwatch.quantizer.model.Inventory;
import org.cliffwatch.quantizer.scheme.Precision;

/**
 * The loss of a decoder on samples in float32, mean over predicted tokens, nats, as a function of
 * the weights inside its blocks. A call packs the whole model and costs a pass of scoring; its bits
 * do not depend on the number of threads.
 */
final class SampleLoss implements ToDoubleFunction<Map<String, WeightRows>>, AutoCloseable {
  private static final Precision FLOATING =
      new Precision("landscape", "float", Float.SIZE, Float.SIZE, FloatType.FLOAT32, Map.of());

  private final Inventory inventory;
  private final Backend backend;
  private final List<Batches> samples;
  private final ExecutorService threads;

  /**
   * @param samples token ids, from 2 on a sample
   */
  SampleLoss(Inventory inventory, List<int[]> samples, Backend backend, int threads) {
    this.inventory = inventory;
    this.backend = backend;
    this.samples = samples.stream().map(SampleLoss::batches).toList();
    this.threads = Executors.newFixedThreadPool(threads);
  }

  private static Batches batches(int[] sample) {
    int predicted = sample.length - 1;
    int[] tokens = Arrays.copyOf(sample, predicted);
    TokenRuns run = new TokenRuns(new int[] {0, predicted}, new int[] {-1}, new int[] {0});
    return new Batches(
        List.of(new Batch(tokens, run, IntStream.range(0, predicted).toArray())),
        IntStream.rangeClosed(0, predicted).toArray(),
        Arrays.copyOfRange(sample, 1, sample.length));
  }

  /**
   * @param weights of {@link Inventory#weightsInBlocks}, all or some
   * @return infinity where a value has overflowed
   */
  @Override
  public double applyAsDouble(Map<String, WeightRows> weights) {
    try (Decoder decoder = new Decoder(inventory.with(weights), FLOATING, backend)) {
      List<Callable<Double>> parts = new ArrayList<>();
      samples.forEach(sample -> parts.add(() -> sum(decoder, sample)));
      double sum = 0;
      for (Future<Double> part : threads.invokeAll(parts)) {
        sum += part.get();
      }
      int predicted = samples.stream().mapToInt(sample -> sample.targets().length).sum();
      return Double.isFinite(sum) ? sum / predicted : Double.POSITIVE_INFINITY;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw new IllegalStateException(e.getCause());
    }
  }

  private static double sum(Decoder decoder, Batches sample) {
    double[] logProbability = new double[sample.targets().length];
    boolean[] greedy = new boolean[logProbability.length];
    decoder.score(sample, new Nudge(0, 0), new Stopwatch(), logProbability, greedy);
    double sum = 0;
    for (double each : logProbability) {
      sum -= each;
    }
    return sum;
  }

  @Override
  public void close() {
    threads.shutdownNow();
  }
}
