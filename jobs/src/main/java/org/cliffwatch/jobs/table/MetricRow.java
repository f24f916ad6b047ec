package org.cliffwatch.jobs.table;

import java.io.Serializable;
import org.cliffwatch.jobs.table.Tables.Slice;

/**
 * A row of {@code metrics}: one metric of one cell. Partitioned by model.
 *
 * @param value mean over replicas; null where the cell failed
 * @param stderr standard error over items, as lm-evaluation-harness computes it; null where it has
 *     none
 * @param ciLow lower end of the 95 % interval (Wilson for accuracies, bootstrap otherwise)
 * @param roundingSd standard deviation over replicas, (n − 1); null with one replica
 * @param items items the value is made of
 * @param failed items rejected
 * @param itemsPerSecond summed over the shards' own clocks, per thread; null where not measured
 * @param comparableKey equal exactly where two values may be compared
 * @param comparableParts what {@code comparableKey} is a hash of, and the tokenizer: {@code name
 *     value} with commas; null where it is not known
 * @param error why the cell failed, else null
 */
public record MetricRow(
    String precision,
    long step,
    String cellId,
    String task,
    String metric,
    boolean higherIsBetter,
    Double value,
    Double stderr,
    Double ciLow,
    Double ciHigh,
    int replicas,
    Double roundingSd,
    long items,
    long failed,
    Double itemsPerSecond,
    Double tokensPerSecond,
    String kernel,
    String taskVersion,
    String taskHash,
    String comparableKey,
    String comparableParts,
    String error)
    implements Serializable {
  private static final long serialVersionUID = 1L;

  /** Whose value it is, of a model's rows. */
  public Slice slice(String model) {
    return new Slice(model, precision, step);
  }
}
