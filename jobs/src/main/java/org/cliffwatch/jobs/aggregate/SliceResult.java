package org.cliffwatch.jobs.aggregate;

import java.io.Serializable;
import java.util.List;
import java.util.Map;
import org.cliffwatch.jobs.table.DegradationRow;
import org.cliffwatch.jobs.table.Tables.Slice;

/**
 * What a run shows of one checkpoint at one precision; the rows it is made of are in the tables.
 *
 * @param metric the metric of the two values below: acc where a task has it, else the first that
 *     all tasks have; null where there is none
 * @param value mean over the tasks; null where one of them failed
 * @param mean the row {@code mean} of that metric; null for the baseline
 * @param worst the task that lost most; null for the baseline and where none can be told
 * @param turned answers that turned right or wrong, over the tasks with an accuracy
 * @param answers how many there were
 * @param items items a task's values are made of, by task, failed tasks left out
 * @param failures tasks that failed, and why, in the suite's order
 */
public record SliceResult(
    Slice slice,
    String metric,
    Double value,
    DegradationRow mean,
    DegradationRow worst,
    long turned,
    long answers,
    Map<String, Long> items,
    List<Failure> failures)
    implements Serializable {
  private static final long serialVersionUID = 1L;

  /** A cell without a value. */
  public record Failure(String task, String error) implements Serializable {
    private static final long serialVersionUID = 1L;
  }
}
