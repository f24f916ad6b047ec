package org.cliffwatch.tasks.item;

import java.io.Serializable;

/**
 * How a chat model is asked: lm-evaluation-harness's {@code --apply_chat_template}, {@code
 * --system_instruction} and {@code --fewshot_as_multiturn}. Rolling tasks stay as they are.
 *
 * @param template the name of the checkpoint's chat template; null for none
 * @param systemInstruction what the model is told before the task's description, or null
 * @param multiturn whether shots are turns of their own, and not text of the user's message
 */
public record ChatPrompt(String template, String systemInstruction, boolean multiturn)
    implements Serializable {
  private static final long serialVersionUID = 1L;
}
