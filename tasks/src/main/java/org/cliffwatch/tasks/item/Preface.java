package org.cliffwatch.tasks.item;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.cliffwatch.tasks.jinja.ChatMessage;
import org.cliffwatch.tasks.prompt.PythonText;

/**
 * What stands before an item's question, and how a model is given both: lm-evaluation-harness's
 * {@code fewshot_context}.
 */
final class Preface {
  private final ChatPrompt chat;
  private final String system;
  private final List<Shot> shots;
  private final String text;

  /**
   * @param chat how a chat model is asked; null: as one that completes text
   * @param description of the task, or empty
   * @param delimiter between an instruction and the description: its {@code fewshot_delimiter}
   */
  Preface(ChatPrompt chat, String description, String delimiter, List<Shot> shots) {
    this.chat = chat;
    this.system = delimited(chat == null ? null : chat.systemInstruction(), description, delimiter);
    this.shots = shots;
    this.text = shots.stream().map(Shot::text).collect(Collectors.joining());
  }

  /** Its {@code maybe_delimit}: a delimiter only where neither side has white space. */
  private static String delimited(String before, String after, String delimiter) {
    if (before == null || before.isEmpty() || after.isEmpty()) {
      return before == null || before.isEmpty() ? after : before;
    }
    boolean apart =
        PythonText.isWhitespace(before.codePointBefore(before.length()))
            || PythonText.isWhitespace(after.codePointAt(0));
    return before + (apart ? "" : delimiter) + after;
  }

  /**
   * A question as a model is given it.
   *
   * @param context all of it as one text; with a chat template all but what the system says
   * @param messages what a chat template makes the prompt of; null without one
   */
  record Asked(String context, List<ChatMessage> messages) {}

  Asked ask(String question) {
    if (!isTemplated()) {
      return new Asked(system + text + question, null);
    }
    List<ChatMessage> messages = new ArrayList<>();
    if (!system.isEmpty()) {
      messages.add(ChatMessage.system(system));
    }
    String context = text + question;
    if (chat.multiturn()) {
      shots.forEach(shot -> shot.addTo(messages));
      messages.add(ChatMessage.user(question));
    } else {
      messages.add(ChatMessage.user(context));
    }
    return new Asked(context, List.copyOf(messages));
  }

  /**
   * What stands between a question and a choice: nothing where a template begins the answer.
   *
   * @param own the task's
   */
  String choiceDelimiter(String own) {
    return isTemplated() ? "" : own;
  }

  private boolean isTemplated() {
    return chat != null && chat.template() != null;
  }
}
