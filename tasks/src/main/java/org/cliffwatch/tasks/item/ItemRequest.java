package org.cliffwatch.tasks.item;

import java.io.Serializable;
import java.util.List;
import org.cliffwatch.tasks.jinja.ChatMessage;
import org.cliffwatch.tasks.metric.ChoiceScore;

/**
 * One question to a model: how likely is the continuation after the context?
 *
 * @param context what is given; empty for a rolling task
 * @param continuation what is scored, with the space before it where lm-evaluation-harness puts
 *     one; the whole text for a rolling task
 * @param characters Unicode code points of the choice without that space, for {@code acc_norm}
 * @param words words of the original text for a rolling task, else 0
 * @param bytes UTF-8 bytes of the choice without that space; of the original text for a rolling
 *     task
 * @param rightAnswer whether it is one of several right answers; null where the item's gold tells
 *     the only one
 * @param messages what a chat template makes the context of, which is then what the user says in
 *     one message; null where none is applied
 */
public record ItemRequest(
    String context,
    String continuation,
    int characters,
    int words,
    int bytes,
    Boolean rightAnswer,
    List<ChatMessage> messages)
    implements Serializable {

  public ItemRequest(String context, String continuation, int characters, int words, int bytes) {
    this(context, continuation, characters, words, bytes, null, null);
  }

  /**
   * What a model says to it.
   *
   * @param logLikelihood nats, the sum over the continuation's tokens
   */
  public ChoiceScore scored(double logLikelihood, int tokens, boolean greedy) {
    return new ChoiceScore(
        logLikelihood, tokens, characters, words, bytes, greedy, rightAnswer, null);
  }
}
