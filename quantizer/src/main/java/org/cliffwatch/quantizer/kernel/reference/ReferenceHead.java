package org.cliffwatch.quantizer.kernel.reference;

import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.Stage;
import org.cliffwatch.quantizer.kernel.Stopwatch;
import org.cliffwatch.quantizer.kernel.VocabularyHead;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.scheme.LinearForm;

/** The vocabulary projection, a tile of rows at a time; the log-softmax in float64. */
final class ReferenceHead implements VocabularyHead {
  /** Rows whose logits are held at once. */
  private static final int ROWS = 16;

  private final ReferenceProduct product;
  private final float[] bias;
  private final FloatType compute;
  private final int vocabulary;
  private final int hidden;
  private volatile boolean closed;

  ReferenceHead(WeightRows weight, float[] bias, FloatType compute) {
    this.product = ReferenceProduct.of(new LinearForm.Floating(weight, compute));
    this.bias = bias;
    this.compute = compute;
    this.vocabulary = weight.rows();
    this.hidden = weight.columns();
  }

  @Override
  public int vocabulary() {
    return vocabulary;
  }

  @Override
  public void score(
      float[] x,
      int rows,
      int[] firstTarget,
      int[] targets,
      Stopwatch watch,
      double[] logProbability,
      boolean[] greedy) {
    float[] tile = new float[ROWS * hidden];
    float[] logits = new float[ROWS * vocabulary];
    for (int first = 0; first < rows; first += ROWS) {
      int real = Math.min(ROWS, rows - first);
      System.arraycopy(x, first * hidden, tile, 0, real * hidden);
      logits(tile, real, logits);
      watch.lap(Stage.VOCABULARY);
      for (int t = 0; t < real; t++) {
        int from = firstTarget[first + t];
        int to = firstTarget[first + t + 1];
        score(logits, t * vocabulary, targets, from, to, logProbability, greedy);
      }
      watch.lap(Stage.LOG_SUM_EXP);
    }
  }

  private void score(
      float[] logits,
      int at,
      int[] targets,
      int from,
      int to,
      double[] logProbability,
      boolean[] greedy) {
    int best = 0;
    for (int token = 1; token < vocabulary; token++) {
      if (logits[at + token] > logits[at + best]) {
        best = token;
      }
    }
    double sum = 0;
    for (int token = 0; token < vocabulary; token++) {
      float logit = logits[at + token];
      sum += Float.isFinite(logit) ? Math.exp((double) logit - logits[at + best]) : Double.NaN;
    }
    double logSumExp = logits[at + best] + Math.log(sum);
    for (int i = from; i < to; i++) {
      logProbability[i] = logits[at + targets[i]] - logSumExp;
      greedy[i] = targets[i] == best;
    }
  }

  @Override
  public void logits(float[] x, int rows, float[] out) {
    if (closed) {
      throw new IllegalStateException("vocabulary projection used after it was closed");
    }
    product.multiply(x, rows, out);
    for (int i = 0; i < rows * vocabulary; i++) {
      out[i] = compute.round(bias == null ? out[i] : out[i] + bias[i % vocabulary]);
    }
  }

  @Override
  public long bytes() {
    return product.bytes();
  }

  @Override
  public void close() {
    closed = true;
    product.close();
  }
}
