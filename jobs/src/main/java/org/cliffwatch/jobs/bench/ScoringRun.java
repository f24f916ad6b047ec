package org.cliffwatch.jobs.bench;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.Stage;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.score.BosRule;
import org.cliffwatch.quantizer.score.Request;
import org.cliffwatch.quantizer.score.Score;
import org.cliffwatch.quantizer.score.Scorer;
import org.cliffwatch.tasks.item.Item;

/**
 * One precision's model, ready to score items as a Spark task would: shards of items, a thread a
 * shard at a time.
 */
final class ScoringRun implements AutoCloseable {
  private static final int LARGEST_SHARD = 64;
  // So many shards a thread that none waits long for another's last one.
  private static final int SHARDS_PER_THREAD = 8;
  private static final int WARM_UP_ITEMS = 8;

  private final Checkpoint checkpoint;
  private final Scorer scorer;
  private final Precision precision;

  /**
   * @param seconds of scoring alone, on the wall
   * @param stages seconds of thread time
   * @param rows token positions that went through the layers
   * @param scoredRows those that went through the vocabulary projection
   * @param logLikelihoods an array an item
   */
  record Timing(
      double seconds,
      Map<Stage, Double> stages,
      long rows,
      long scoredRows,
      List<double[]> logLikelihoods) {
    double threadSeconds() {
      return stages.values().stream().mapToDouble(Double::doubleValue).sum();
    }

    /** Seconds of thread time inside the library's products. */
    double products() {
      return stages.get(Stage.PRODUCTS) + stages.get(Stage.VOCABULARY);
    }
  }

  ScoringRun(Path path, Precision precision, Backend backend) {
    this.precision = precision;
    this.checkpoint = Checkpoint.open(path);
    this.scorer = Scorer.open(checkpoint, precision, backend, BosRule.AUTO, 1);
  }

  String precision() {
    return precision.name();
  }

  long bytes() {
    return scorer.bytes();
  }

  /** Compiles and fills caches; what it scores is not timed. */
  void warmUp(List<Item> items, int threads) throws InterruptedException {
    time(items.subList(0, Math.min(WARM_UP_ITEMS * threads, items.size())), threads);
  }

  Timing time(List<Item> items, int threads) throws InterruptedException {
    int size = Math.min(LARGEST_SHARD, -Math.floorDiv(-items.size(), SHARDS_PER_THREAD * threads));
    List<List<Item>> shards =
        IntStream.range(0, -Math.floorDiv(-items.size(), size))
            .mapToObj(s -> items.subList(s * size, Math.min((s + 1) * size, items.size())))
            .toList();
    Map<Stage, Long> before = scorer.nanos();
    long rows = scorer.rows();
    long scoredRows = scorer.scoredRows();
    ExecutorService workers = Executors.newFixedThreadPool(threads);
    try {
      long start = System.nanoTime();
      List<Future<List<double[]>>> results =
          shards.stream().map(shard -> workers.submit(() -> score(shard))).toList();
      List<double[]> all = new ArrayList<>();
      for (Future<List<double[]>> result : results) {
        all.addAll(result.get());
      }
      double seconds = (System.nanoTime() - start) / 1e9;
      Map<Stage, Double> stages = new EnumMap<>(Stage.class);
      scorer
          .nanos()
          .forEach((stage, nanos) -> stages.put(stage, (nanos - before.get(stage)) / 1e9));
      return new Timing(
          seconds, stages, scorer.rows() - rows, scorer.scoredRows() - scoredRows, all);
    } catch (ExecutionException e) {
      throw new IllegalStateException(e.getCause());
    } finally {
      workers.shutdownNow();
    }
  }

  private List<double[]> score(List<Item> items) {
    List<Request> requests =
        items.stream()
            .flatMap(item -> item.requests().stream())
            .<Request>map(r -> new Request.Text(r.context(), r.continuation()))
            .toList();
    List<Score> scores = scorer.score(requests, 0);
    List<double[]> byItem = new ArrayList<>();
    int next = 0;
    for (Item item : items) {
      int first = next;
      next += item.requests().size();
      byItem.add(
          IntStream.range(first, next).mapToDouble(i -> scores.get(i).logLikelihood()).toArray());
    }
    return byItem;
  }

  @Override
  public void close() {
    scorer.close();
    checkpoint.close();
  }
}
