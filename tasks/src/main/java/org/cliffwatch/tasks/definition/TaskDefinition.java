package org.cliffwatch.tasks.definition;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.cliffwatch.tasks.format.FileForm;
import org.cliffwatch.tasks.metric.Metric;
import org.cliffwatch.tasks.metric.OutputType;

/**
 * A task as data: what is asked, of which files, and how answers are counted. Read from {@code
 * definitions/<task>/task.yaml} by {@link Tasks}.
 *
 * @param name lm-evaluation-harness's name where it has the task
 * @param version raised by every change of prompt, items or metric
 * @param lmEvalVersion {@code metadata.version} of lm-evaluation-harness's task whose requests
 *     these are; null where it has none
 * @param multipleInput whether the choices are contexts and the continuation is shared, as in
 *     WinoGrande
 * @param groups what it is a part of: names that stand for several tasks
 * @param files names of the item file in a folder, the preferred first; {@code *} and {@code ?}
 *     stand for anything but a slash, and all matches of one pattern are read in name order
 * @param formats how files are read whose names do not tell it, by a pattern of their names
 * @param labels the file of answers beside the item file; null where items hold their own
 * @param numFewshot shots before each question unless other are asked for; null where the
 *     definition does not say; 0: none, whatever is asked for
 * @param fewshot what shots are drawn from
 * @param hash sha256 of what can change a number: what a model is asked, how answers are counted
 * @param harness what is asked, of a definition in lm-evaluation-harness's own YAML; else null
 */
public record TaskDefinition(
    String name,
    int version,
    String lmEvalVersion,
    String description,
    Dataset dataset,
    OutputType outputType,
    boolean multipleInput,
    List<Metric> metrics,
    List<String> groups,
    List<String> files,
    Map<String, FileForm> formats,
    Labels labels,
    Integer numFewshot,
    FewShot fewshot,
    List<Layout> layouts,
    String hash,
    PromptKeys promptKeys,
    PromptKeys promptV0Keys,
    HarnessPrompt harness) {

  /**
   * Answers in a file of their own, one a line.
   *
   * @param file its name beside the item file; {@code {stem}} is the item file's name before its
   *     first dot
   * @param field the field the answer becomes
   */
  public record Labels(String file, String field) {}

  /** The prompt for a layout: the layout's keys over the version's over the task's. */
  public Prompt prompt(Layout layout, PromptVersion version) {
    PromptKeys own =
        version == PromptVersion.V0 ? layout.promptV0().over(layout.prompt()) : layout.prompt();
    PromptKeys task = version == PromptVersion.V0 ? promptV0Keys.over(promptKeys) : promptKeys;
    return Prompt.of(own.over(task));
  }

  /** The layout of a name that {@code scores} or a log mentions. */
  public Optional<Layout> layout(String layoutName) {
    return layouts.stream().filter(layout -> layout.name().equals(layoutName)).findFirst();
  }
}
