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
