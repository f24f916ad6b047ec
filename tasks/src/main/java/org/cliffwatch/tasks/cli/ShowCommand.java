package org.cliffwatch.tasks.cli;

import com.fasterxml.jackson.databind.node.TextNode;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.ServiceLoader;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.cli.TokenMarks.Marked;
import org.cliffwatch.tasks.definition.Dataset;
import org.cliffwatch.tasks.definition.FewShot;
import org.cliffwatch.tasks.definition.Layout;
import org.cliffwatch.tasks.definition.Prompt;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.item.Item;
import org.cliffwatch.tasks.item.ItemRequest;
import org.cliffwatch.tasks.item.ItemSet;
import org.cliffwatch.tasks.item.LocalFiles;
import org.cliffwatch.tasks.metric.OutputType;
import org.cliffwatch.tasks.prompt.PythonJson;
import org.cliffwatch.tasks.prompt.Template;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** {@code tasks.sh show}: the definition and, where data is given, items as the model sees them. */
@Command(
    name = "show",
    description = {
      "Shows a task's definition; with --data also its first items as the model sees them:",
      "the context between « and », each continuation between ‹ and ›, the right one marked *."
    })
final class ShowCommand implements Callable<Integer> {
  @ParentCommand private TasksCommand parent;
  @Mixin private ShotOptions shots;
  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "TASK", description = "The task's name.")
  private String name;

  @Option(
      names = "--data",
      paramLabel = "PATH",
      description = "The folder of the task's files, or the file itself.")
  private String data;

  @Option(
      names = "--checkpoint",
      paramLabel = "PATH",
      description = "Also mark the tokens of this checkpoint's tokenizer, with '|' between them.")
  private Path checkpoint;

  @Option(names = "--limit", paramLabel = "N", description = "How many items; 3 if not given.")
  private int limit = 3;

  @Option(
      names = "--prompt-version",
      paramLabel = "VERSION",
      description = "v1: as lm-evaluation-harness 0.4 asks (default); v0: as its version 0.3 did.")
  private String promptVersion = PromptVersion.V1.toString();

  @Override
  public Integer call() {
    TaskDefinition task = parent.tasks().task(name);
    PromptVersion version = PromptVersion.named(promptVersion);
    definition(task);
    if (data == null) {
      prompt(task, task.layouts().get(0), version);
      return TasksCommand.DONE;
    }
    ItemSet items = ItemSet.read(task, data, new LocalFiles(), shots.settings(version), limit);
    PrintWriter out = spec.commandLine().getOut();
    out.println();
    row("layout read", items.layout());
    prompt(task, task.layout(items.layout()).orElseThrow(), version);
    items.files().forEach(file -> row("file", file.path() + " sha256 " + file.sha256()));
    ShotOptions.rows(items.shots()).forEach(this::row);
    TokenMarks.Cutter tokens = tokens();
    items.items().forEach(item -> item(item, task.outputType(), tokens));
    items.rejected().forEach(item -> spec.commandLine().getErr().println(item.message()));
    return items.rejected().isEmpty() ? TasksCommand.DONE : TasksCommand.BAD_INPUT;
  }

  private void definition(TaskDefinition task) {
    Dataset dataset = task.dataset();
    row("task", task.name());
    row("version", task.version());
    row("description", task.description());
    row(
        "dataset",
        Stream.of(dataset.name(), dataset.config(), dataset.split())
            .filter(Objects::nonNull)
            .collect(Collectors.joining(" ")));
    row("items", dataset.items() == null ? "unknown" : dataset.items());
    row("licence", dataset.licence());
    row("output_type", task.outputType());
    row(
        "metrics",
        task.metrics().stream()
            .map(
                metric ->
                    metric + (metric.higherIsBetter() ? " (higher" : " (lower") + " is better)")
            .collect(Collectors.joining(", ")));
    row(
        "lm-evaluation-harness",
        task.lmEvalVersion() == null ? "has no such task" : "version " + task.lmEvalVersion());
    row("files", String.join(", ", task.files()));
    row("num_fewshot", task.numFewshot() == null ? "0 unless asked" : task.numFewshot());
    row("shots from", shotsFrom(task));
    row("layouts", task.layouts().stream().map(Layout::name).collect(Collectors.joining(", ")));
    row("task_hash", task.hash());
  }

  private static String shotsFrom(TaskDefinition task) {
    FewShot from = task.fewshot();
    if (from.split() == null) {
      return "what fewshot_data names";
    }
    return "split "
        + from.split()
        + ", sampler "
        + from.sampler()
        + (from.files().isEmpty() ? "" : ": " + String.join(", ", from.files()));
  }

  private void prompt(TaskDefinition task, Layout layout, PromptVersion version) {
    if (task.harness() != null) {
      for (String key : List.of("description", "doc_to_text", "doc_to_choice", "doc_to_target")) {
        String source = task.harness().source(key);
        if (source != null) {
          row(key, PythonJson.line(TextNode.valueOf(source)));
        }
      }
      return;
    }
    Prompt prompt = task.prompt(layout, version);
    if (prompt.docToText() != null) {
      row("doc_to_text", quoted(prompt.docToText()));
    }
    if (!prompt.docToChoice().isEmpty()) {
      row(
          "doc_to_choice",
          prompt.docToChoice().stream().map(ShowCommand::quoted).collect(Collectors.joining(", ")));
    }
    row("doc_to_target", quoted(prompt.docToTarget()));
  }

  private static String quoted(Template template) {
    return PythonJson.line(TextNode.valueOf(template.toString()));
  }

  private void item(Item item, OutputType type, TokenMarks.Cutter tokens) {
    PrintWriter out = spec.commandLine().getOut();
    out.println();
    out.println("item " + item.index());
    String shown = null;
    for (int i = 0; i < item.requests().size(); i++) {
      ItemRequest request = item.requests().get(i);
      Marked marked = tokens.cut(request.context(), request.continuation());
      String context = String.join("|", marked.context());
      if (type != OutputType.LOGLIKELIHOOD_ROLLING && !context.equals(shown)) {
        out.println("  «" + context + "»");
        shown = context;
      }
      boolean right = item.gold() == null || item.gold() == i;
      out.println(
          "  "
              + (right ? "*" : " ")
              + " ‹"
              + String.join("|", marked.continuation())
              + "›"
              + (marked.straddled() ? " (a token spans the end of the context)" : ""));
    }
  }

  /** Without a checkpoint each text is a single piece. */
  private TokenMarks.Cutter tokens() {
    if (checkpoint == null) {
      return (context, continuation) -> new Marked(List.of(context), List.of(continuation), false);
    }
    return ServiceLoader.load(TokenMarks.class)
        .findFirst()
        .orElseThrow(
            () ->
                new InvalidInputException(
                    "--checkpoint: found no tokenizers on the class path, expected the"
                        + " application jar"))
        .open(checkpoint);
  }

  private void row(String label, Object value) {
    spec.commandLine().getOut().printf("%-22s %s%n", label, value);
  }
}
