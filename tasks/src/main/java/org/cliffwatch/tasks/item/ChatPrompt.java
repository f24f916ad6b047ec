package org.cliffwatch.tasks.item;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.Sha256;
import org.cliffwatch.tasks.definition.TaskDefinition;
import org.cliffwatch.tasks.metric.OutputType;

/**
 * How a chat model is asked: lm-evaluation-harness's {@code --apply_chat_template} and {@code
 * --system_instruction}.
 *
 * @param template the name of the checkpoint's chat template; null for none
 * @param systemInstruction what the model is told before, or null
 */
public record ChatPrompt(String template, String systemInstruction) implements Serializable {
  private static final long serialVersionUID = 1L;

  /**
   * A task's items asked so. With a template a context is the text of the user's message, which
   * becomes a prompt where the checkpoint is known, and a choice follows it without the delimiter;
   * without one the instruction stands before the context. Rolling tasks stay as they are.
   *
   * @throws InvalidInputException for a task whose description would be the system's message
   */
  public ItemSet of(ItemSet set) {
    TaskDefinition task = set.task();
    if (task.outputType() == OutputType.LOGLIKELIHOOD_ROLLING) {
      return set;
    }
    if (hasDescription(set)) {
      throw new InvalidInputException(
          "task "
              + task.name()
              + ": found a description, expected none with "
              + (template == null ? "system_instruction" : "apply_chat_template")
              + ": the system's message is not made of it yet");
    }
    if (template != null && set.shots().count() > 0) {
      throw new InvalidInputException(
          "task "
              + task.name()
              + ": found num_fewshot "
              + set.shots().count()
              + " with apply_chat_template, expected 0: shots are not turned into messages yet");
    }
    List<ItemRecord> records = new ArrayList<>();
    for (ItemRecord record : set.records()) {
      records.add(record instanceof Item item ? asked(task, item) : record);
    }
    return new ItemSet(
        task, set.promptVersion(), set.layout(), set.files(), set.shots(), List.copyOf(records));
  }

  private static boolean hasDescription(ItemSet set) {
    TaskDefinition task = set.task();
    if (task.harness() != null) {
      String description = task.harness().source("description");
      return description != null && !description.isEmpty();
    }
    return task.prompt(task.layout(set.layout()).orElseThrow(), set.promptVersion()).description()
        != null;
  }

  private Item asked(TaskDefinition task, Item item) {
    List<ItemRequest> requests = new ArrayList<>();
    for (ItemRequest request : item.requests()) {
      requests.add(
          new ItemRequest(
              template == null ? systemInstruction + request.context() : request.context(),
              template == null ? request.continuation() : continuation(task, request),
              request.characters(),
              request.words(),
              request.bytes(),
              request.rightAnswer()));
    }
    return new Item(
        item.index(),
        item.gold(),
        requests,
        item.target(),
        item.docHash(),
        Sha256.of(requests.get(0).context()),
        item.targetHash());
  }

  private static String continuation(TaskDefinition task, ItemRequest request) {
    if (task.outputType() != OutputType.MULTIPLE_CHOICE) {
      return request.continuation();
    }
    String delimiter =
        task.harness() == null ? ItemBuilder.DELIMITER : task.harness().targetDelimiter();
    return request.continuation().substring(delimiter.length());
  }
}
