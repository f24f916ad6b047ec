package org.cliffwatch.tasks.metric;

import java.io.Serializable;

/**
 * One request's score and the lengths that metrics divide it by.
 *
 * @param logLikelihood sum of the continuation's token log-probabilities, in nats; not NaN
 * @param tokens tokens scored
 * @param characters Unicode code points of the choice, without lm-evaluation-harness's delimiter
 * @param words words of the original text for a rolling task, else 0
 * @param bytes UTF-8 bytes of the choice without the delimiter; of the original text for a rolling
 *     task
 * @param greedy whether every token was the most likely one
 * @param rightAnswer whether it is one of several right answers; null where the item's gold tells
 *     the only one
 * @param divergence from a baseline, or null where it was not compared
 */
public record ChoiceScore(
    double logLikelihood,
    int tokens,
    int characters,
    int words,
    int bytes,
    boolean greedy,
    Boolean rightAnswer,
    Divergence divergence)
    implements Serializable {

  public ChoiceScore {
    if (Double.isNaN(logLikelihood)) {
      throw new IllegalArgumentException("log-likelihood is NaN");
    }
  }

  public ChoiceScore(
      double logLikelihood, int tokens, int characters, int words, int bytes, boolean greedy) {
    this(logLikelihood, tokens, characters, words, bytes, greedy, null, null);
  }
}
