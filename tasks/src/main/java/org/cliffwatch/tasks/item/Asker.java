package org.cliffwatch.tasks.item;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
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
   * @param shots what stands before its question, in this order
   * @throws PromptException where the document does not give what the prompt needs
   */
  Item item(int index, Scope document, List<Shot> shots);

  /**
   * A document asked and answered.
   *
   * @throws PromptException where the document does not give what the prompt needs
   */
  Shot shot(Scope document);
}
