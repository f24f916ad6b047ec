package org.cliffwatch.quantizer.score;

import java.util.Optional;

/**
 * A request's score.
 *
 * @param logLikelihood sum of the scored tokens' log-probabilities, nats, in float64
 * @param greedy whether every scored token is the most probable one
 * @param tokens how many tokens are scored
 * @param truncated whether the context was longer than the window has room for and lost its left
 *     end
 * @param straddled whether a token spans the end of the context, so that the tokens scored are not
 *     those of the continuation alone
 * @param error null when scored; else why not, where lm-evaluation-harness stops: nothing to score,
 *     nothing to score it after, or more than the window holds; or the activations do not fit this
 *     process's memory, or the score is not finite
 * @param divergence from the baseline, where it was compared with one that could score it
 */
public record Score(
    double logLikelihood,
    boolean greedy,
    int tokens,
    boolean truncated,
    boolean straddled,
    String error,
    Optional<Divergence> divergence) {

  /**
   * How a precision's next-token distributions differ from the baseline's over a request's scored
   * tokens (Dutta et al. 2024, "Accuracy is Not All You Need").
   *
   * @param kl Σ over the tokens of KL(baseline ‖ precision) over the whole vocabulary, nats, at
   *     least 0
   * @param top1Agreed at how many of the tokens both find the same token most probable
   */
  public record Divergence(double kl, int top1Agreed) {}

  static Score refused(String error) {
    return new Score(Double.NaN, false, 0, false, false, error, Optional.empty());
  }
}
