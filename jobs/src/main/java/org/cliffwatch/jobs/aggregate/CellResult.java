package org.cliffwatch.jobs.aggregate;

import java.io.Serializable;
import java.util.List;
import org.cliffwatch.jobs.plan.AskedTask;
import org.cliffwatch.jobs.table.StoredCell;
import org.cliffwatch.tasks.metric.Metric;

/**
 * A cell of a run, scored or failed, whose scores are asked for metrics.
 *
 * @param compared whether its scores hold their divergence from the baseline's
 * @param comparableParts of a {@link org.cliffwatch.jobs.plan.ComparableKey}
 * @param kernel kernel identity of its scores
 * @param throughput how fast this run scored it; null where it did not
 * @param error why it has no scores, or null
 */
public record CellResult(
    StoredCell cell,
    AskedTask task,
    boolean compared,
    String comparableKey,
    String comparableParts,
    String kernel,
    Throughput throughput,
    String error)
    implements Serializable {
  private static final long serialVersionUID = 1L;

  /**
   * How fast a cell's items were scored, by the clocks of the threads that did: a thread's rate,
   * whatever ran beside it.
   *
   * @param items each once a replica
   * @param seconds summed over the threads
   */
  public record Throughput(long items, long tokens, double seconds) implements Serializable {
    private static final long serialVersionUID = 1L;
  }

  List<Metric> metrics() {
    return task.metrics(compared);
  }

  Double itemsPerSecond() {
    return rate(throughput == null ? 0 : throughput.items());
  }

  Double tokensPerSecond() {
    return rate(throughput == null ? 0 : throughput.tokens());
  }

  private Double rate(long of) {
    return throughput != null && throughput.seconds() > 0 && of > 0
        ? (Double) (of / throughput.seconds())
        : null;
  }
}
