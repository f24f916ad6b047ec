package org.cliffwatch.quantizer.kernel;

/**
 * The decoder's operations besides products, on float32 rows in Java arrays. Two implementations: a
 * readable scalar one and one on the Vector API; the second is tested against the first. Every
 * result row depends on its own inputs alone, bit for bit, compiled or interpreted.
 *
 * <p>What is not finite stays so: a row that holds NaN or an infinity, or whose sums overflow,
 * gives NaN or infinities and never a plausible number. The one exception is {@link
 * Activation#RELU} of −∞, which is 0, as it is of every value that can have overflowed to it.
 */
public interface HostOperations {
  /** y = x / sqrt(mean(x²) + epsilon) · weight, a row at a time. {@code y} may be {@code x}. */
  void rmsNorm(float[] x, int rows, int width, float[] weight, float epsilon, float[] y);

  /** y = (x − mean) / sqrt(variance + epsilon) · weight + bias; bias may be null. */
  void layerNorm(
      float[] x, int rows, int width, float[] weight, float[] bias, float epsilon, float[] y);

  /** x[i] = f(x[i]) for i < n. */
  void activate(Activation f, float[] x, int n);

  /** gate[i] = f(gate[i]) · up[i] for i < n. */
  void activateGated(Activation f, float[] gate, float[] up, int n);

  /** x[i] *= factor for i < n. */
  void scale(float[] x, float factor, int n);

  /** x[i] += y[i] for i < n. */
  void add(float[] x, float[] y, int n);

  /**
   * Rotates the first {@code rotated} of each head's values by its row's position.
   *
   * @param x (rows, heads · headSize), changed in place
   * @param positions (rows)
   * @param cos (positions, rotated / 2)
   * @param sin (positions, rotated / 2)
   * @param interleaved true: pairs (2i, 2i+1) as GPT-J; false: pairs (i, i + rotated/2) as Llama
   */
  void rotate(
      float[] x,
      int rows,
      int heads,
      int headSize,
      int rotated,
      int[] positions,
      float[] cos,
      float[] sin,
      boolean interleaved);

  /**
   * Causal attention over packed token runs.
   *
   * @param q (rows, heads · headSize)
   * @param k (rows, keyHeads · headSize)
   * @param v (rows, keyHeads · headSize)
   * @param y (rows, heads · headSize), overwritten
   */
  void attention(float[] q, float[] k, float[] v, TokenRuns runs, AttentionShape shape, float[] y);

  /** Rounds x[i], i < n, to the type, half to even, and widens it back. */
  void round(FloatType type, float[] x, int n);
}
