package org.cliffwatch.tasks.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.item.Item;
import org.cliffwatch.tasks.item.ItemRecord;
import org.cliffwatch.tasks.item.ItemRequest;
import org.cliffwatch.tasks.item.ItemSet;
import org.cliffwatch.tasks.item.LocalFiles;
import org.cliffwatch.tasks.item.RejectedItem;
import org.cliffwatch.tasks.metric.OutputType;
import org.cliffwatch.tasks.prompt.PythonJson;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** {@code tasks.sh requests}: a JSON object an item, as contract.md prints it. */
@Command(
    name = "requests",
    description = {
      "Prints the requests a task makes of its items, a JSON object a line.",
      "An item that cannot be read has an 'error' in its line, and the exit code is 3."
    })
final class RequestsCommand implements Callable<Integer> {
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

  @Option(names = "--limit", paramLabel = "N", description = "The first N items only.")
  private int limit = ItemSet.ALL;

  @Option(
      names = "--prompt-version",
      paramLabel = "VERSION",
      description = "v1: as lm-evaluation-harness 0.4 asks (default); v0: as its version 0.3 did.")
  private String promptVersion = PromptVersion.V1.toString();

  @Override
  public Integer call() {
    ItemSet items =
        ItemSet.read(
            parent.tasks().task(task),
            data,
            new LocalFiles(),
            shots.settings(PromptVersion.named(promptVersion)),
            limit);
    PrintWriter out = spec.commandLine().getOut();
    for (ItemRecord record : items.records()) {
      out.println(oneLine(json(record, items.task().outputType())));
    }
    items.rejected().forEach(item -> spec.commandLine().getErr().println(item.message()));
    return items.rejected().isEmpty() ? TasksCommand.DONE : TasksCommand.BAD_INPUT;
  }

  /** Some readers take Unicode's own line separators for an end of line, too: those are escaped. */
  private static String oneLine(ObjectNode object) {
    return PythonJson.line(object)
        .replace("\u0085", "\\u0085")
        .replace("\u2028", "\\u2028")
        .replace("\u2029", "\\u2029");
  }

  private static ObjectNode json(ItemRecord record, OutputType type) {
    ObjectNode object = JsonNodeFactory.instance.objectNode();
    object.put("item", record.index());
    if (record instanceof RejectedItem rejected) {
      return object.put("error", rejected.message());
    }
    Item item = (Item) record;
    object.put("gold", item.gold());
    ArrayNode requests = object.putArray("requests");
    for (ItemRequest request : item.requests()) {
      ArrayNode pair = requests.addArray();
      if (type != OutputType.LOGLIKELIHOOD_ROLLING) {
        pair.add(request.context());
      }
      pair.add(request.continuation());
    }
    object.put("doc_hash", item.docHash());
    object.put("prompt_hash", item.promptHash());
    return object.put("target_hash", item.targetHash());
  }
}
