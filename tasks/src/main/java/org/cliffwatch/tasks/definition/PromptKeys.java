package org.cliffwatch.tasks.definition;

import com.fasterxml.jackson.annotation.JsonFormat;
import java.util.List;

/**
 * The prompt of a definition, in lm-evaluation-harness's keys; those absent are null and come from
 * the level below (layout over {@code v0} over the task).
 *
 * @param description what stands before the first question, as it is: not the task's, which is for
 *     people
 * @param docToChoice templates, or one template that names a list
 * @param countedText for a rolling task, the text whose words and bytes its metrics divide by
 * @param rightAnswers where several choices are right: a list of 1 and 0, one a choice
 */
record PromptKeys(
    String description,
    String docToText,
    @JsonFormat(with = JsonFormat.Feature.ACCEPT_SINGLE_VALUE_AS_ARRAY) List<String> docToChoice,
    String docToTarget,
    String countedText,
    String rightAnswers) {

  static final PromptKeys NONE = new PromptKeys(null, null, null, null, null, null);

  /** These keys, and where they are absent the ones below. */
  PromptKeys over(PromptKeys below) {
    return new PromptKeys(
        description == null ? below.description : description,
        docToText == null ? below.docToText : docToText,
        docToChoice == null ? below.docToChoice : docToChoice,
        docToTarget == null ? below.docToTarget : docToTarget,
        countedText == null ? below.countedText : countedText,
        rightAnswers == null ? below.rightAnswers : rightAnswers);
  }
}
