package org.cliffwatch.quantizer.model;

/** Logits against log-probabilities that another program has computed. */
public final class LogProbabilities {
  private LogProbabilities() {}

  /** What is expected of a token at a position. */
  public interface Expected {
    double at(int position, int token);
  }

  /**
   * The largest difference.
   *
   * @param logits (positions, vocabulary)
   */
  public static double worst(float[] logits, int vocabulary, Expected expected) {
    double worst = 0;
    for (int p = 0; p < logits.length / vocabulary; p++) {
      double sum = 0;
      for (int v = 0; v < vocabulary; v++) {
        sum += Math.exp(logits[p * vocabulary + v]);
      }
      for (int v = 0; v < vocabulary; v++) {
        double ours = logits[p * vocabulary + v] - Math.log(sum);
        worst = Math.max(worst, Math.abs(ours - expected.at(p, v)));
      }
    }
    return worst;
  }
}
