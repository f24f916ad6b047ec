package org.cliffwatch.quantizer.kernel;

/**
 * The vocabulary projection, reduced as it is made: the logits of a batch are never stored whole.
 * Safe for concurrent calls; a row's results depend on that row alone.
 */
public interface VocabularyHead extends AutoCloseable {
  int vocabulary();

  /**
   * Scores wanted tokens against the log-softmax over the vocabulary.
   *
   * @param x (rows, hidden) float32, the final norm's output
   * @param rows number of rows
   * @param firstTarget (rows + 1) offsets into {@code targets}: row r wants {@code
   *     targets[firstTarget[r] .. firstTarget[r + 1])}
   * @param targets token ids in [0, vocabulary)
   * @param watch products are {@link Stage#VOCABULARY}, the rest is {@link Stage#LOG_SUM_EXP}
   * @param logProbability nats, one a target; log-sum-exp in float32 or wider; NaN for a row of
   *     which any logit is NaN or infinite
   * @param greedy one a target: whether no other token has a larger logit, the lowest id winning
   *     ties
   */
  void score(
      float[] x,
      int rows,
      int[] firstTarget,
      int[] targets,
      Stopwatch watch,
      double[] logProbability,
      boolean[] greedy);

  /**
   * Compares the next token's distribution with that of another precision of the same checkpoint.
   *
   * @param x (rows, hidden) float32, the final norm's output
   * @param rows number of rows
   * @param baseline a head of the same backend and vocabulary
   * @param baselineX the baseline's outputs for the same tokens, (…, hidden) float32
   * @param at row of {@code baselineX} that belongs to the first of {@code x}, and of what is
   *     written
   * @param divergence the Kullback–Leibler divergence KL(baseline ‖ this) over the whole
   *     vocabulary, nats, at least 0; NaN for a row of which any logit of either is NaN or infinite
   * @param agrees whether the same token is the most probable one, the lowest id winning ties
   * @throws UnsupportedOperationException if the backend has no such kernel
   */
  void compare(
      float[] x,
      int rows,
      VocabularyHead baseline,
      float[] baselineX,
      int at,
      Stopwatch watch,
      double[] divergence,
      boolean[] agrees);

  /**
   * Writes all logits, (rows, vocabulary) float32. For small inputs: tests and {@code --logits}.
   */
  void logits(float[] x, int rows, float[] out);

  long bytes();

  /**
   * Frees the weights, once however often it is called; no call may be running. Everything else
   * throws IllegalStateException from then on.
   */
  @Override
  void close();
}
