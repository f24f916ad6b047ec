package org.cliffwatch.jobs.plan;

import java.io.Serializable;
import java.util.List;
import java.util.stream.Stream;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.metric.Metric;
import org.cliffwatch.tasks.metric.OutputType;

/**
 * What scores and metrics are made by, of a task's definition.
 *
 * @param metrics of every precision, each compared with the baseline's
 * @param group the name that stands for it and others in the suite; null where it stands alone
 */
public record AskedTask(
    String name,
    int version,
    String hash,
    OutputType outputType,
    List<Metric> metrics,
    String group)
    implements Serializable {
  private static final long serialVersionUID = 1L;

  /**
   * The metrics of a cell.
   *
   * @param compared whether its scores hold their divergence from the baseline's
   */
  public List<Metric> metrics(boolean compared) {
    return compared
        ? Stream.concat(metrics.stream(), Stream.of(Metric.KL, Metric.TOP1_AGREEMENT)).toList()
        : metrics;
  }

  public static AskedTask of(TaskDefinition definition) {
    return of(definition, null);
  }

  /** As part of a group of the suite, or of none. */
  public static AskedTask of(TaskDefinition definition, String group) {
    return new AskedTask(
        definition.name(),
        definition.version(),
        definition.hash(),
        definition.outputType(),
        List.copyOf(definition.metrics()),
        group);
  }
}
