package org.cliffwatch.tasks.metric;

import java.io.Serializable;
import java.util.List;
import java.util.function.ToDoubleFunction;

/**
 * One item's scores and what they decide, by lm-evaluation-harness's rules: the first of several
 * equal maxima wins.
 *
 * @param item position in the task's file, from 0
 * @param gold index of the right choice; null unless the output type is multiple choice
 * @param choices a score for each request, in the item's order
 */
public record ItemResult(OutputType outputType, int item, Integer gold, List<ChoiceScore> choices)
    implements Serializable {

  public ItemResult {
    choices = List.copyOf(choices);
    if (choices.isEmpty()) {
      throw new IllegalArgumentException("item " + item + " has no scores");
    }
    if (outputType == OutputType.MULTIPLE_CHOICE
        && (gold == null || gold < 0 || gold >= choices.size())) {
      throw new IllegalArgumentException(
          "item " + item + " has gold " + gold + " among " + choices.size() + " choices");
    }
  }

  /** The choice of the largest log-likelihood; null unless multiple choice. */
  public Integer chosen() {
    return first(ChoiceScore::logLikelihood);
  }

  /** The choice of the largest log-likelihood a code point; null unless multiple choice. */
  public Integer chosenNorm() {
    return first(choice -> choice.logLikelihood() / choice.characters());
  }

  /** The choice of the largest log-likelihood a byte; null unless multiple choice. */
  public Integer chosenBytes() {
    return first(choice -> choice.logLikelihood() / choice.bytes());
  }

  /**
   * The share of the choices' probability that the right answers have, in [0, 1].
   *
   * @throws IllegalArgumentException where the choices do not say which are right
   */
  public double rightMass() {
    double best = choices.stream().mapToDouble(ChoiceScore::logLikelihood).max().orElseThrow();
    double right = 0;
    double all = 0;
    for (ChoiceScore choice : choices) {
      if (choice.rightAnswer() == null) {
        throw new IllegalArgumentException(
            "item " + item + " does not say which answers are right");
      }
      // Relative to the likeliest, so that long answers do not all vanish.
      double mass = Math.exp(choice.logLikelihood() - best);
      all += mass;
      right += choice.rightAnswer() ? mass : 0;
    }
    return right / all;
  }

  /**
   * Whether the chosen one is right; for {@code loglikelihood}, whether greedy; null if rolling.
   */
  public Boolean correct() {
    return switch (outputType) {
      case MULTIPLE_CHOICE -> isRight(chosen());
      case LOGLIKELIHOOD -> choices.get(0).greedy();
      case LOGLIKELIHOOD_ROLLING -> null;
    };
  }

  /** {@link #correct} with {@link #chosenNorm}; null unless multiple choice. */
  public Boolean correctNorm() {
    return gold == null ? null : isRight(chosenNorm());
  }

  /** {@link #correct} with {@link #chosenBytes}; null unless multiple choice. */
  public Boolean correctBytes() {
    return gold == null ? null : isRight(chosenBytes());
  }

  /** Whether a choice is gold, or of several right ones is one. */
  private Boolean isRight(int choice) {
    Boolean right = choices.get(choice).rightAnswer();
    return right == null ? (Boolean) (gold == choice) : right;
  }

  /** Whether every choice was compared with a baseline's. */
  public boolean isCompared() {
    return choices.stream().allMatch(choice -> choice.divergence() != null);
  }

  /** The likeliest choice's lead over the next, in nats; infinite where there is only one. */
  public double margin() {
    double best = Double.NEGATIVE_INFINITY;
    double next = Double.NEGATIVE_INFINITY;
    for (ChoiceScore choice : choices) {
      double score = choice.logLikelihood();
      next = Math.max(next, Math.min(best, score));
      best = Math.max(best, score);
    }
    return best == next ? 0 : best - next;
  }

  /** numpy's argmax: the first largest; NaN, from a division 0/0, counts as the largest. */
  private Integer first(ToDoubleFunction<ChoiceScore> score) {
    if (outputType != OutputType.MULTIPLE_CHOICE) {
      return null;
    }
    int best = 0;
    double largest = score.applyAsDouble(choices.get(0));
    for (int i = 1; i < choices.size() && !Double.isNaN(largest); i++) {
      double value = score.applyAsDouble(choices.get(i));
      if (value > largest || Double.isNaN(value)) {
        best = i;
        largest = value;
      }
    }
    return best;
  }
}
