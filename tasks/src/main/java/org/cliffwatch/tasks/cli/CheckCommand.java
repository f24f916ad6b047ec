package org.cliffwatch.tasks.cli;

import java.io.PrintWriter;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.item.Finding;
import org.cliffwatch.tasks.item.Item;
import org.cliffwatch.tasks.item.ItemFindings;
import org.cliffwatch.tasks.item.ItemSet;
import org.cliffwatch.tasks.item.LocalFiles;
import org.cliffwatch.tasks.item.RejectedItem;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** {@code tasks.sh check}: are these files the task's, and can every item be asked? */
@Command(
    name = "check",
    description = {
      "Reads all of a task's items and says what was found in them.",
      "The exit code is 3 where an item cannot be read or their number is not the data set's."
    })
final class CheckCommand implements Callable<Integer> {
  private static final int SHOWN_ERRORS = 20;

  @ParentCommand private TasksCommand parent;
  @Mixin private ShotOptions shots;
  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "TASK", description = "The task's name.")
  private String task;

  @Option(
      names = "--data",
      required = true,
      paramLabel = "PATH",
      description = "The folder of the task's files, or the file itself.")
  private String data;

  @Override
  public Integer call() {
    ItemSet set =
        ItemSet.read(
            parent.tasks().task(task),
            data,
            new LocalFiles(),
            shots.settings(PromptVersion.V1),
            ItemSet.ALL);
    PrintWriter out = spec.commandLine().getOut();
    set.files().forEach(file -> row("file", file.path() + " sha256 " + file.sha256()));
    ShotOptions.rows(set.shots()).forEach(this::row);
    row("layout", set.layout());
    row("items", set.items().size() + ", " + set.rejected().size() + " rejected");
    row("answers", answers(set));
    row("items_hash", set.itemsHash());
    for (Finding finding : ItemFindings.of(set)) {
      out.println(
          "warning: "
              + finding.what()
              + " ("
              + finding.count()
              + " items, the first: item "
              + finding.firstItem()
              + ")");
    }
    return verdict(set);
  }

  private int verdict(ItemSet set) {
    PrintWriter err = spec.commandLine().getErr();
    set.rejected().stream().limit(SHOWN_ERRORS).map(RejectedItem::message).forEach(err::println);
    if (set.rejected().size() > SHOWN_ERRORS) {
      err.println("… and " + (set.rejected().size() - SHOWN_ERRORS) + " more");
    }
    Integer expected = set.task().dataset().items();
    boolean whole = expected == null || expected == set.records().size();
    if (!whole) {
      err.println(
          data
              + ": found "
              + set.records().size()
              + " items, expected the "
              + expected
              + " of "
              + set.task().name());
    }
    return whole && set.rejected().isEmpty() ? TasksCommand.DONE : TasksCommand.BAD_INPUT;
  }

  /** How often each choice is the right one: a file sorted by answer, or with one answer, shows. */
  private static String answers(ItemSet set) {
    Map<Integer, Long> counts =
        set.items().stream()
            .filter(item -> item.gold() != null)
            .collect(Collectors.groupingBy(Item::gold, TreeMap::new, Collectors.counting()));
    return counts.isEmpty()
        ? "none to choose from"
        : counts.entrySet().stream()
            .map(entry -> entry.getKey() + ": " + entry.getValue())
            .collect(Collectors.joining(", "));
  }

  private void row(String label, String value) {
    spec.commandLine().getOut().printf("%-11s %s%n", label, value);
  }
}
