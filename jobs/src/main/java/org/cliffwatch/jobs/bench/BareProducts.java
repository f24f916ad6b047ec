package org.cliffwatch.jobs.bench;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.RandomRows;
import org.cliffwatch.quantizer.kernel.onednn.BareProduct;
import org.cliffwatch.quantizer.model.Inventory;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Precisions;

/**
 * What the products of a forward pass take where nothing is around them: the library's, many rows a
 * call, every thread its own, all threads at once.
 */
final class BareProducts {
  private static final int ROWS = 512;

  /** Tokens of the vocabulary that are measured for all. */
  private static final int TOKENS = 4096;

  private static final long NANOS = 60_000_000;

  /** Linear layers of a block after its attention: out, the feed-forward's in and out. */
  private static final int AFTER_ATTENTION = 3;

  private final List<Shape> layers;

  /** Those of the last block that come after its attention: only scored rows get there. */
  private final List<Shape> last;

  private final Shape head;
  private final double tokens;

  private record Shape(int outputs, int inputs) {}

  /** Those of a checkpoint, or null: how many rows an expert gets is known only afterwards. */
  static BareProducts of(Path checkpoint) {
    try (Checkpoint opened = Checkpoint.open(checkpoint)) {
      Inventory inventory = Inventory.of(opened);
      return inventory.architecture().experts() == null ? new BareProducts(inventory) : null;
    }
  }

  private BareProducts(Inventory inventory) {
    List<List<Inventory.Matrix>> all = inventory.layers();
    this.layers = shapes(all.subList(0, all.size() - AFTER_ATTENTION));
    this.last = shapes(all.subList(all.size() - AFTER_ATTENTION, all.size()));
    int vocabulary = inventory.architecture().vocabulary();
    int measured = Math.min(TOKENS, vocabulary);
    this.head = new Shape(measured, inventory.architecture().embeddingWidth());
    this.tokens = (double) vocabulary / measured;
  }

  private static List<Shape> shapes(List<List<Inventory.Matrix>> layers) {
    return layers.stream()
        .flatMap(List::stream)
        .map(m -> new Shape(Math.toIntExact(m.rows()), Math.toIntExact(m.columns())))
        .toList();
  }

  /**
   * Seconds of thread time.
   *
   * @param rows token positions
   * @param scoredRows positions whose next token is scored
   * @param threads that multiply at once
   */
  double seconds(Precision precision, long rows, long scoredRows, int threads)
      throws InterruptedException {
    Map<Shape, Double> measured = new HashMap<>();
    Set<Shape> shapes = new LinkedHashSet<>(layers);
    shapes.addAll(last);
    for (Shape shape : shapes) {
      measured.put(shape, secondsPerRow(shape, precision, threads));
    }
    double row = layers.stream().mapToDouble(measured::get).sum();
    double scored = last.stream().mapToDouble(measured::get).sum();
    scored += tokens * secondsPerRow(head, unquantized(precision.compute()), threads);
    return rows * row + scoredRows * scored;
  }

  private static Precision unquantized(FloatType compute) {
    return Precisions.packaged()
        .named(
            switch (compute) {
              case FLOAT32 -> "fp32";
              case BFLOAT16 -> "bf16";
              case FLOAT16 -> "fp16";
            });
  }

  private static double secondsPerRow(Shape shape, Precision precision, int threads)
      throws InterruptedException {
    ExecutorService workers = Executors.newFixedThreadPool(threads);
    try {
      Callable<Double> fastest =
          () -> {
            RandomRows weight = new RandomRows(shape.outputs(), shape.inputs());
            try (BareProduct product = new BareProduct(weight, precision, ROWS)) {
              double best = Double.MAX_VALUE;
              long end = System.nanoTime() + NANOS;
              do {
                long start = System.nanoTime();
                product.multiply();
                best = Math.min(best, (System.nanoTime() - start) / 1e9);
              } while (System.nanoTime() < end);
              return best / ROWS;
            }
          };
      List<Future<Double>> results = new ArrayList<>();
      for (int t = 0; t < threads; t++) {
        results.add(workers.submit(fastest));
      }
      double sum = 0;
      for (Future<Double> result : results) {
        sum += result.get();
      }
      return sum / threads;
    } catch (ExecutionException e) {
      throw new IllegalStateException(e.getCause());
    } finally {
      workers.shutdownNow();
    }
  }
}
