package org.cliffwatch.tasks.item;

import java.util.List;
import org.cliffwatch.tasks.jinja.ChatMessage;

/**
 * A document asked and answered, as it stands before a question: lm-evaluation-harness's {@code
 * build_qa_turn}, which leaves out the delimiters, too, where the answer is empty.
 *
 * @param delimiter between question and answer
 * @param end after the answer
 */
record Shot(String question, String delimiter, String answer, String end) {
  String text() {
    return answer.isEmpty() ? question : question + delimiter + answer + end;
  }

  /** Adds it as a turn of each. */
  void addTo(List<ChatMessage> messages) {
    messages.add(ChatMessage.user(question));
    if (!answer.isEmpty()) {
      messages.add(ChatMessage.assistant(answer));
    }
  }
}
