package org.cliffwatch.jobs.table;

import java.util.List;
import org.cliffwatch.tasks.metric.ChoiceScore;
import org.cliffwatch.tasks.metric.Divergence;
import org.cliffwatch.tasks.metric.ItemResult;
import org.cliffwatch.tasks.metric.OutputType;

/**
 * A row of {@code scores}: one item under one replica. Partitioned by model, precision, step, task.
 *
 * @param replica 0 first
 * @param item position in the task's file, 0 first
 * @param gold index of the right choice, of several the first; null where the task has none
 * @param chosen the choice of the largest log-likelihood, the first of equals
 * @param chosenNorm of the largest log-likelihood per code point
 * @param chosenBytes of the largest log-likelihood per UTF-8 byte
 * @param correct whether {@code chosen} is right; for a single continuation: greedily predicted
 * @param status {@code ok} or {@code error}
 * @param error why it could not be read or scored, else null
 */
public record ScoreRow(
    String cellId,
    int replica,
    int item,
    String docHash,
    Integer gold,
    Integer chosen,
    Integer chosenNorm,
    Integer chosenBytes,
    Boolean correct,
    Boolean correctNorm,
    List<Choice> choices,
    String status,
    String error) {
  public static final String OK = "ok";
  public static final String ERROR = "error";

  /**
   * One scored continuation.
   *
   * @param loglikelihood nats, the sum over its tokens
   * @param tokens tokens scored
   * @param characters code points, without the delimiter
   * @param words words of the original text where the task is rolling, else 0
   * @param bytes UTF-8 bytes, without the delimiter
   * @param greedy whether every token was the most probable one
   * @param truncated whether the context lost its left end to fit the model's window
   * @param straddled whether a token spans the end of the context
   * @param kl Σ over its tokens of KL(baseline ‖ precision), nats; null where not compared
   * @param top1Agreed at how many of its tokens the baseline's most probable token is the same;
   *     null where not compared
   * @param rightAnswer whether it is one of several right answers; null where {@code gold} is the
   *     only one
   */
  public record Choice(
      double loglikelihood,
      int tokens,
      int characters,
      int words,
      int bytes,
      boolean greedy,
      boolean truncated,
      boolean straddled,
      Double kl,
      Integer top1Agreed,
      Boolean rightAnswer) {

    private ChoiceScore score() {
      Divergence divergence = kl == null ? null : new Divergence(kl, top1Agreed);
      return new ChoiceScore(
          loglikelihood, tokens, characters, words, bytes, greedy, rightAnswer, divergence);
    }
  }

  public boolean isOk() {
    return status.equals(OK);
  }

  /** What metrics are made of. */
  public ItemResult result(OutputType type) {
    return new ItemResult(type, item, gold, choices.stream().map(Choice::score).toList());
  }
}
