package org.cliffwatch.tasks.item;

import com.fasterxml.jackson.databind.node.ObjectNode;
import org.cliffwatch.tasks.prompt.PromptException;
import org.cliffwatch.tasks.prompt.Scope;

/** Records of one form → documents → items, as a definition says. */
interface Asker {
  /**
   * The document of a record: what is hashed, and what questions are made from.
   *
   * @throws PromptException where the record is none
   */
  Scope document(ObjectNode record);

  /**
   * Makes an item of a document.
   *
   * @param shots what stands before its question
   * @throws PromptException where the document does not give what the prompt needs
   */
  Item item(int index, Scope document, String shots);

  /**
   * A document asked and answered, as it stands before a question: lm-evaluation-harness's {@code
   * build_qa_turn}, which leaves out the delimiters, too, where the answer is empty.
   *
   * @throws PromptException where the document does not give what the prompt needs
   */
  String shot(Scope document);
}
