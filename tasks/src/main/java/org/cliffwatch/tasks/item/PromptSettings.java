package org.cliffwatch.tasks.item;

import java.util.OptionalInt;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.definition.PromptVersion;
import org.cliffwatch.tasks.definition.TaskDefinition;

/**
 * How a task's items are asked.
 *
 * @param numFewshot shots before each question; where empty, as many as the definition says
 * @param fewshotData file or folder of the documents that shots are drawn from; null for the folder
 *     of the items
 * @param chat how a chat model is asked; null for one that completes text
 */
public record PromptSettings(
    PromptVersion version, OptionalInt numFewshot, String fewshotData, ChatPrompt chat) {

  /** Nothing before the questions, whatever the definition says. */
  public static final PromptSettings ZERO_SHOT =
      new PromptSettings(PromptVersion.V1, OptionalInt.of(0), null);

  public PromptSettings {
    if (numFewshot.isPresent() && numFewshot.getAsInt() < 0) {
      throw new InvalidInputException(
          "num_fewshot: found " + numFewshot.getAsInt() + ", expected 0 or more");
    }
  }

  /** As a model is asked that completes text. */
  public PromptSettings(PromptVersion version, OptionalInt numFewshot, String fewshotData) {
    this(version, numFewshot, fewshotData, null);
  }

  /** As the definition says. */
  public static PromptSettings of(PromptVersion version) {
    return new PromptSettings(version, OptionalInt.empty(), null);
  }

  /**
   * Shots before each question of a task. A definition's 0 stands, as in lm-evaluation-harness:
   * such a task has its examples in the question, or is none that shots could help.
   */
  int shots(TaskDefinition task) {
    Integer own = task.numFewshot();
    return own == null ? numFewshot.orElse(0) : own == 0 ? 0 : numFewshot.orElse(own);
  }
}
