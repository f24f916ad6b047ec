package org.cliffwatch.tasks.definition;

import java.util.List;
import org.cliffwatch.tasks.prompt.Template;

/**
 * A definition's prompt for one layout and one prompt version, ready to be filled in.
 *
 * @param description what stands before every context; null for nothing
 * @param docToText the context; the index of the right choice where the choices are contexts
 * @param docToChoice the choices; a single template may stand for a list of them
 * @param docToTarget the right choice or its index; the continuation where the choices are contexts
 *     or there are none
 * @param countedText for a rolling task, the text whose words and bytes its metrics divide by
 * @param rightAnswers a list of 1 and 0, one a choice; null where one choice is right
 */
public record Prompt(
    Template description,
    Template docToText,
    List<Template> docToChoice,
    Template docToTarget,
    Template countedText,
    Template rightAnswers) {

  static Prompt of(PromptKeys keys) {
    return new Prompt(
        parse(keys.description()),
        parse(keys.docToText()),
        keys.docToChoice() == null
            ? List.of()
            : keys.docToChoice().stream().map(Template::parse).toList(),
        parse(keys.docToTarget()),
        parse(keys.countedText()),
        parse(keys.rightAnswers()));
  }

  private static Template parse(String source) {
    return source == null ? null : Template.parse(source);
  }
}
