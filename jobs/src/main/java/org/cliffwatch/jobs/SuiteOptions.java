package org.cliffwatch.jobs;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.cliffwatch.jobs.suite.SuiteReader;
import picocli.CommandLine.Option;

/** What commands that evaluate a suite take beside it. */
final class SuiteOptions {
  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      description = "Sets a key of the suite: --set seed=2 --set tasks.0.limit=100.")
  private List<String> sets = List.of();

  @Option(
      names = "--precisions",
      paramLabel = "FILE",
      description = "More precisions: a YAML file like conf/precisions.yaml.")
  private Path precisions;

  @Option(
      names = "--calibration",
      paramLabel = "FILE",
      description = "Text for precisions that look at some; sets the suite's key calibration.")
  private String calibration;

  @Option(
      names = "--tasks",
      paramLabel = "DIR",
      description =
          "Task definitions of one's own, ours or lm-evaluation-harness's; sets the suite's key"
              + " tasks_path.")
  private String tasks;

  @Option(
      names = {"--num-fewshot", "--num_fewshot"},
      paramLabel = "N",
      description = "Shots before each question; sets the suite's key num_fewshot.")
  private Integer numFewshot;

  @Option(
      names = {"--fewshot-data", "--fewshot_data"},
      paramLabel = "PATH",
      description = "What shots are drawn from; sets the suite's key fewshot_data.")
  private String fewshotData;

  @Option(
      names = {"--apply_chat_template", "--apply-chat-template"},
      arity = "0..1",
      fallbackValue = "true",
      paramLabel = "NAME",
      description =
          "Asks by the checkpoints' chat template, or by that of several; sets the suite's key"
              + " apply_chat_template.")
  private String chatTemplate;

  @Option(
      names = {"--system_instruction", "--system-instruction"},
      paramLabel = "TEXT",
      description = "What models are told before; sets the suite's key system_instruction.")
  private String systemInstruction;

  @Option(
      names = {"--fewshot_as_multiturn", "--fewshot-as-multiturn"},
      arity = "0..1",
      fallbackValue = "true",
      paramLabel = "BOOLEAN",
      description =
          "Whether shots are turns of their own (default) or text of the question, with"
              + " --apply_chat_template; sets the suite's key fewshot_as_multiturn.")
  private String multiturn;

  Path precisions() {
    return precisions;
  }

  /** Settings of the suite, those of other options the last. */
  List<String> sets() {
    List<String> all = new ArrayList<>(sets);
    file("calibration", calibration).ifPresent(all::add);
    file("tasks_path", tasks).ifPresent(all::add);
    file("fewshot_data", fewshotData).ifPresent(all::add);
    if (numFewshot != null) {
      all.add("num_fewshot=" + numFewshot);
    }
    setting("apply_chat_template", chatTemplate).ifPresent(all::add);
    setting("system_instruction", systemInstruction).ifPresent(all::add);
    setting("fewshot_as_multiturn", multiturn).ifPresent(all::add);
    return all;
  }

  /** A path is relative to where the command is typed, not to the suite. */
  private static Optional<String> file(String key, String path) {
    if (path == null) {
      return Optional.empty();
    }
    return setting(
        key,
        SuiteReader.hasScheme(path) ? path : Path.of(path).toAbsolutePath().normalize().toString());
  }

  private static Optional<String> setting(String key, String value) {
    return Optional.ofNullable(value).map(text -> key + "='" + text.replace("'", "''") + "'");
  }
}
