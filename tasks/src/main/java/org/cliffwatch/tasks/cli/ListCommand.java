package org.cliffwatch.tasks.cli;

import java.io.PrintWriter;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.cliffwatch.tasks.definition.TaskDefinition;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** {@code tasks.sh list}: one line a task. */
@Command(name = "list", description = "Lists the tasks: version, output type, metrics, source.")
final class ListCommand implements Callable<Integer> {
  private static final String ROW = "%-18s %7s  %-21s %-49s %6s  %s%n";

  @ParentCommand private TasksCommand parent;
  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    out.printf(ROW, "task", "version", "output_type", "metrics", "items", "dataset");
    Map<String, String> refused = new TreeMap<>();
    for (TaskDefinition task : parent.tasks().all(refused)) {
      out.printf(
          ROW,
          task.name(),
          task.version(),
          task.outputType(),
          task.metrics().stream()
              .map(metric -> metric + (metric.higherIsBetter() ? "↑" : "↓"))
              .collect(Collectors.joining(" ")),
          task.dataset().items() == null ? "?" : task.dataset().items(),
          String.join(" ", dataset(task)));
    }
    refused.values().forEach(why -> spec.commandLine().getErr().println("not read: " + why));
    return TasksCommand.DONE;
  }

  private static List<String> dataset(TaskDefinition task) {
    return Stream.of(task.dataset().name(), task.dataset().config(), task.dataset().split())
        .filter(Objects::nonNull)
        .toList();
  }
}
