package org.cliffwatch.jobs.run;

import java.io.Serializable;
import java.util.HashMap;
import java.util.Map;
import org.apache.spark.SparkContext;
import org.apache.spark.scheduler.AccumulableInfo;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerExecutorMetricsUpdate;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.util.DoubleAccumulator;
import org.apache.spark.util.LongAccumulator;
import scala.jdk.javaapi.CollectionConverters;

/**
 * What Spark tasks have done. Of those that have not ended executors tell with their heartbeats,
 * every ten seconds unless {@code spark.executor.heartbeatInterval} is set: on a cluster a unit may
 * be all that a slot does in a run.
 */
final class Underway extends SparkListener implements AutoCloseable {
  /** What a task counts. */
  static final class Counters implements Serializable {
    private static final long serialVersionUID = 1L;

    private final LongAccumulator cells;
    private final LongAccumulator tokens;
    private final DoubleAccumulator work;

    private Counters(SparkContext spark) {
      cells = spark.longAccumulator("cells");
      tokens = spark.longAccumulator("tokens");
      work = spark.doubleAccumulator("work");
    }

    /** Some items of a cell are scored. */
    void scored(long tokensScored, double workDone) {
      tokens.add(tokensScored);
      work.add(workDone);
    }

    /** A cell is whole, or has failed. */
    void cell() {
      cells.add(1L);
    }

    /** Work done, for who counts nothing else. */
    DoubleAccumulator work() {
      return work;
    }
  }

  private record Done(long cells, long tokens, double work) {
    static final Done NOTHING = new Done(0, 0, 0);

    Done plus(Done other) {
      return new Done(cells + other.cells, tokens + other.tokens, work + other.work);
    }

    Done minus(Done other) {
      return new Done(cells - other.cells, tokens - other.tokens, work - other.work);
    }
  }

  private final SparkContext spark;
  private final Progress progress;
  private final Counters counters;

  /** By tasks that have not ended. */
  private final Map<Long, Done> underway = new HashMap<>();

  /** By tasks that have, whose last heartbeat may come after that. */
  private final Map<Long, Done> ended = new HashMap<>();

  /** Of all that have. */
  private Done sum = Done.NOTHING;

  Underway(SparkContext spark, Progress progress) {
    this.spark = spark;
    this.progress = progress;
    this.counters = new Counters(spark);
    spark.addSparkListener(this);
  }

  Counters counters() {
    return counters;
  }

  @Override
  public synchronized void onExecutorMetricsUpdate(SparkListenerExecutorMetricsUpdate heartbeat) {
    for (var task : CollectionConverters.asJava(heartbeat.accumUpdates())) {
      if (!ended.containsKey((Long) task._1())) {
        underway.put((Long) task._1(), done(task._4()));
      }
    }
    tell();
  }

  /** What a task that has failed has done, another one will do again. */
  @Override
  public synchronized void onTaskEnd(SparkListenerTaskEnd end) {
    long task = end.taskInfo().taskId();
    if (!ended.containsKey(task)) {
      boolean counts = end.taskInfo().successful();
      ended(task, counts ? done(end.taskInfo().accumulables()) : Done.NOTHING);
    }
  }

  /** What a task has done in all, for who may hear of its end before Spark's listeners do. */
  synchronized void ended(long task, int cells, long tokens, double work) {
    ended(task, new Done(cells, tokens, work));
  }

  private void ended(long task, Done done) {
    underway.remove(task);
    Done before = ended.put(task, done);
    sum = sum.plus(done).minus(before == null ? Done.NOTHING : before);
    tell();
  }

  private Done done(scala.collection.Iterable<AccumulableInfo> updates) {
    Map<Long, Number> values = new HashMap<>();
    for (AccumulableInfo info : CollectionConverters.asJava(updates)) {
      if (info.update().isDefined() && info.update().get() instanceof Number value) {
        values.put(info.id(), value);
      }
    }
    return new Done(
        values.getOrDefault(counters.cells.id(), 0).longValue(),
        values.getOrDefault(counters.tokens.id(), 0).longValue(),
        values.getOrDefault(counters.work.id(), 0).doubleValue());
  }

  private void tell() {
    Done all = underway.values().stream().reduce(sum, Done::plus);
    progress.done((int) all.cells(), all.tokens(), all.work());
  }

  @Override
  public void close() {
    spark.removeSparkListener(this);
  }
}
