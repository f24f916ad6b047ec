package org.cliffwatch.jobs.run;

import java.io.Serializable;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.apache.spark.SparkContext;
import org.apache.spark.scheduler.AccumulableInfo;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerExecutorMetricsUpdate;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.util.DoubleAccumulator;
import org.apache.spark.util.LongAccumulator;
import scala.jdk.javaapi.CollectionConverters;

/**
 * What Spark tasks that have not ended have done: executors tell with their heartbeats, every ten
 * seconds unless {@code spark.executor.heartbeatInterval} is set. On a cluster a unit may be all
 * that a slot does in a run.
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

  private record Done(long cells, long tokens, double work) {}

  private final SparkContext spark;
  private final Progress progress;
  private final Counters counters;
  private final boolean reported;
  private final Map<Long, Done> byTask = new HashMap<>();

  /** Whose last heartbeat may come after their end. */
  private final Set<Long> ended = new HashSet<>();

  /**
   * @param reported whether what a task has done comes to the progress when it ends; else it counts
   *     on
   */
  Underway(SparkContext spark, Progress progress, boolean reported) {
    this.spark = spark;
    this.progress = progress;
    this.reported = reported;
    this.counters = new Counters(spark);
    spark.addSparkListener(this);
  }

  Counters counters() {
    return counters;
  }

  @Override
  public synchronized void onExecutorMetricsUpdate(SparkListenerExecutorMetricsUpdate heartbeat) {
    for (var task : CollectionConverters.asJava(heartbeat.accumUpdates())) {
      if (!ended.contains((Long) task._1())) {
        done((Long) task._1(), task._4());
      }
    }
    tell();
  }

  @Override
  public synchronized void onTaskEnd(SparkListenerTaskEnd task) {
    ended.add(task.taskInfo().taskId());
    byTask.remove(task.taskInfo().taskId());
    if (!reported) {
      done(task.taskInfo().taskId(), task.taskInfo().accumulables());
      tell();
    }
  }

  private void done(long task, scala.collection.Iterable<AccumulableInfo> updates) {
    Map<Long, Number> values = new HashMap<>();
    for (AccumulableInfo info : CollectionConverters.asJava(updates)) {
      if (info.update().isDefined() && info.update().get() instanceof Number value) {
        values.put(info.id(), value);
      }
    }
    if (values.containsKey(counters.work.id())) {
      byTask.put(
          task,
          new Done(
              values.getOrDefault(counters.cells.id(), 0).longValue(),
              values.getOrDefault(counters.tokens.id(), 0).longValue(),
              values.get(counters.work.id()).doubleValue()));
    }
  }

  private void tell() {
    long cells = 0;
    long tokens = 0;
    double work = 0;
    for (Done done : byTask.values()) {
      cells += done.cells();
      tokens += done.tokens();
      work += done.work();
    }
    progress.underway((int) cells, tokens, work);
  }

  @Override
  public void close() {
    spark.removeSparkListener(this);
  }
}
