package org.cliffwatch.jobs.plan;

import java.io.Serializable;
import java.util.List;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.metric.Metric;
import org.cliffwatch.tasks.metric.OutputType;

/** What scores and metrics are made by, of a task's definition. */
public record AskedTask(
    String name, int version, String hash, OutputType outputType, List<Metric> metrics)
    implements Serializable {
  private static final long serialVersionUID = 1L;

  public static AskedTask of(TaskDefinition definition) {
    return new AskedTask(
        definition.name(),
        definition.version(),
        definition.hash(),
        definition.outputType(),
        List.copyOf(definition.metrics()));
  }
}
