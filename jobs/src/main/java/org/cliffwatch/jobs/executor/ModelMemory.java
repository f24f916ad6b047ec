package org.cliffwatch.jobs.executor;

import org.apache.spark.SparkConf;
import org.apache.spark.SparkEnv;
import org.apache.spark.network.util.JavaUtils;
import org.cliffwatch.quantizer.score.ScorerCache;

/**
 * Bounds the models that an executor keeps, where its container is bounded: weights are native
 * memory, and a container that grows beyond {@code spark.executor.memoryOverhead} is killed.
 */
public final class ModelMemory {
  private static final String OVERHEAD = "spark.executor.memoryOverhead";

  private ModelMemory() {}

  /**
   * Before the first model is built: idle ones go when the overhead, less what else needs it, is
   * full. Nothing where it is not set, or the cache has a bound already.
   *
   * @param beside native bytes of an executor that are not models
   */
  public static void bound(long beside) {
    SparkConf conf = SparkEnv.get().conf();
    if (System.getProperty(ScorerCache.BUDGET_PROPERTY) == null
        && conf.contains(OVERHEAD)
        && !SparkEnv.get().executorId().equals("driver")) {
      System.setProperty(
          ScorerCache.BUDGET_PROPERTY, Long.toString(budget(conf.get(OVERHEAD), beside)));
    }
  }

  /** At least 1: then a model goes as soon as nobody uses it. */
  static long budget(String overhead, long beside) {
    return Math.max(1, (JavaUtils.byteStringAsMb(overhead) << 20) - beside);
  }
}
