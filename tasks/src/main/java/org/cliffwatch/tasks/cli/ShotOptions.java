package org.cliffwatch.tasks.cli;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalInt;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.item.ItemSet;
import org.cliffwatch.tasks.item.PromptSettings;
import picocli.CommandLine.Option;

/** What stands before each question. */
final class ShotOptions {
  @Option(
      names = {"--num-fewshot", "--num_fewshot"},
      paramLabel = "N",
      description = "Shots before each question; else as many as the definition says.")
  private Integer numFewshot;

  @Option(
      names = {"--fewshot-data", "--fewshot_data"},
      paramLabel = "PATH",
      description = {
        "The file or folder that shots are drawn from; else the split that the",
        "definition names, in the folder of the task's files."
      })
  private String fewshotData;

  PromptSettings settings(PromptVersion version) {
    return new PromptSettings(
        version,
        numFewshot == null ? OptionalInt.empty() : OptionalInt.of(numFewshot),
        fewshotData);
  }

  /** What is told of an item set's shots, by label; nothing where there are none. */
  static Map<String, String> rows(ItemSet.Shots shots) {
    Map<String, String> rows = new LinkedHashMap<>();
    if (shots.count() > 0) {
      rows.put(
          "shots",
          shots.count()
              + (shots.split() == null ? "" : " of split " + shots.split())
              + ", sampler "
              + shots.sampler()
              + (shots.seed() == null ? "" : " with seed " + shots.seed()));
      shots
          .files()
          .forEach(
              file ->
                  rows.merge(
                      "shots' file",
                      file.path() + " sha256 " + file.sha256(),
                      (a, b) -> a + ", " + b));
    }
    return rows;
  }
}
