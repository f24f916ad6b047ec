package org.cliffwatch.quantizer.analysis;

import java.util.SplittableRandom;
import java.util.function.UnaryOperator;

/**
 * The trace of a loss's Hessian H at w, by Hutchinson's estimate: the mean of vᵀHv over seeded
 * vectors v of ±1 (Hutchinson 1990, "A stochastic estimator of the trace of the influence matrix").
 * Hv is a central difference of gradients, (g(w + εv) − g(w − εv)) / 2ε, ε a share {@value #STEP}
 * of w's root mean square. Exact, but for rounding, for a quadratic loss whose Hessian is diagonal.
 *
 * @param value the estimate
 * @param error its standard error over the vectors
 */
record HessianTrace(double value, double error) {
  /** Third derivatives count by its square; the gradients' rounding, about 1e-7, by its inverse. */
  private static final double STEP = 1e-3;

  /**
   * @param gradient of weights, as many floats
   * @param w all weights; not zero
   * @param vectors at least 2; each costs two gradients
   */
  static HessianTrace of(UnaryOperator<float[]> gradient, float[] w, int vectors, long seed) {
    double squares = 0;
    for (float each : w) {
      squares += (double) each * each;
    }
    float step = (float) (STEP * Math.sqrt(squares / w.length));
    double[] found = new double[vectors];
    SplittableRandom random = new SplittableRandom(seed);
    for (int i = 0; i < vectors; i++) {
      boolean[] signs = new boolean[w.length];
      for (int k = 0; k < signs.length; k++) {
        signs[k] = random.nextBoolean();
      }
      float[] up = moved(w, signs, step);
      float[] down = moved(w, signs, -step);
      float[] above = gradient.apply(up);
      float[] below = gradient.apply(down);
      double product = 0;
      double length = 0;
      for (int k = 0; k < signs.length; k++) {
        // What was moved in float32 is not quite the step.
        double v = signs[k] ? 1 : -1;
        product += v * ((double) above[k] - below[k]);
        length += v * ((double) up[k] - down[k]);
      }
      found[i] = product / (length / w.length);
    }
    double mean = 0;
    for (double each : found) {
      mean += each / vectors;
    }
    double variance = 0;
    for (double each : found) {
      variance += (each - mean) * (each - mean) / (vectors - 1);
    }
    return new HessianTrace(mean, Math.sqrt(variance / vectors));
  }

  private static float[] moved(float[] w, boolean[] signs, float by) {
    float[] moved = new float[w.length];
    for (int k = 0; k < moved.length; k++) {
      moved[k] = w[k] + (signs[k] ? by : -by);
    }
    return moved;
  }
}
