package org.cliffwatch.quantizer.kernel.reference;

import java.util.Arrays;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.LogitTransform;
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
  private final LogitTransform transform;
  private final int vocabulary;
  private final int hidden;
  private volatile boolean closed;

  ReferenceHead(WeightRows weight, float[] bias, FloatType compute, LogitTransform transform) {
    this.product = ReferenceProduct.of(new LinearForm.Floating(weight, compute));
    this.bias = bias;
    this.compute = compute;
    this.transform = transform;
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
    int best = best(logits, at);
    double logSumExp = logSumExp(logits, at);
    for (int i = from; i < to; i++) {
      logProbability[i] = logits[at + targets[i]] - logSumExp;
      greedy[i] = targets[i] == best;
    }
  }

  private int best(float[] logits, int at) {
    int best = 0;
    for (int token = 1; token < vocabulary; token++) {
      if (logits[at + token] > logits[at + best]) {
        best = token;
      }
    }
    return best;
  }

  private double logSumExp(float[] logits, int at) {
    float largest = logits[at + best(logits, at)];
    double sum = 0;
    for (int token = 0; token < vocabulary; token++) {
      float logit = logits[at + token];
      sum += Float.isFinite(logit) ? Math.exp((double) logit - largest) : Double.NaN;
    }
    return largest + Math.log(sum);
  }

  @Override
  public void compare(
      float[] x,
      int rows,
      VocabularyHead baseline,
      float[] baselineX,
      int at,
      Stopwatch watch,
      double[] divergence,
      boolean[] agrees) {
    float[] logits = new float[vocabulary];
    float[] baselineLogits = new float[vocabulary];
    for (int row = 0; row < rows; row++) {
      logits(Arrays.copyOfRange(x, row * hidden, (row + 1) * hidden), 1, logits);
      int from = (at + row) * hidden;
      baseline.logits(Arrays.copyOfRange(baselineX, from, from + hidden), 1, baselineLogits);
      watch.lap(Stage.VOCABULARY);
      double logSumExp = logSumExp(logits, 0);
      double baselineLogSumExp = logSumExp(baselineLogits, 0);
      double sum = 0;
      for (int token = 0; token < vocabulary; token++) {
        double log = baselineLogits[token] - baselineLogSumExp;
        sum += Math.exp(log) * (log - (logits[token] - logSumExp));
      }
      divergence[at + row] = Math.max(0, sum);
      agrees[at + row] = best(logits, 0) == best(baselineLogits, 0);
      watch.lap(Stage.LOG_SUM_EXP);
    }
  }

  @Override
  public void logits(float[] x, int rows, float[] out) {
    if (closed) {
      throw new IllegalStateException("vocabulary projection used after it was closed");
    }
    product.multiply(x, rows, out);
    for (int i = 0; i < rows * vocabulary; i++) {
      float logit = compute.round(bias == null ? out[i] : out[i] + bias[i % vocabulary]);
      out[i] = transform.apply(logit, compute);
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
