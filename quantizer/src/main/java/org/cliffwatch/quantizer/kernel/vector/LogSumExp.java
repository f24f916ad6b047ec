package org.cliffwatch.quantizer.kernel.vector;

import static org.cliffwatch.quantizer.kernel.vector.VectorMath.INFINITY;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.LANES;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.MAGNITUDE;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.PARTS;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.constant;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.load;

import java.nio.ByteBuffer;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * The running log-sum-exp and largest logit of a batch's rows, over blocks of the vocabulary in
 * ascending order: (m, s) with s = Σ e^(logit − m), m the largest logit so far (Milakov and
 * Gimelshein 2018, "Online normalizer calculation for softmax"). Within a block sums are float32 in
 * a fixed order, across blocks float64. A row with a logit that is NaN or infinite has the sum NaN.
 */
public final class LogSumExp {
  private final float[] max;
  private final double[] sum;
  private final int[] best;
  private final float[] parts = new float[PARTS];

  public LogSumExp(int rows) {
    max = new float[rows];
    java.util.Arrays.fill(max, Float.NEGATIVE_INFINITY);
    sum = new double[rows];
    best = new int[rows];
  }

  /**
   * Turns a block of a row's products into logits, in place, and adds them.
   *
   * @param at byte of the first product
   * @param n products
   * @param firstToken the first product's token
   */
  public void add(int row, ByteBuffer logits, int at, int n, int firstToken, Logits as) {
    as.finish(logits, at, n, firstToken);
    float blockMax = max(logits, at, n);
    double blockSum = sum(logits, at, n, blockMax);
    if (Float.isNaN(blockMax)) {
      sum[row] = Double.NaN;
    } else if (blockMax > max[row]) {
      best[row] = firstToken + indexOf(logits, at, n, blockMax);
      sum[row] = sum[row] * StrictMath.exp((double) max[row] - blockMax) + blockSum;
      max[row] = blockMax;
    } else {
      sum[row] += blockSum * StrictMath.exp((double) blockMax - max[row]);
    }
  }

  /** NaN where a logit is not finite: it has overflowed its type, and nothing is known of it. */
  private static float max(ByteBuffer logits, int at, int n) {
    int whole = n - n % LANES;
    FloatVector maxima = constant(Float.NEGATIVE_INFINITY);
    IntVector magnitudes = IntVector.zero(VectorMath.INTS);
    for (int i = 0; i < whole; i += LANES) {
      FloatVector logit = load(logits, at + Float.BYTES * i);
      maxima = maxima.max(logit);
      magnitudes = magnitudes.max(logit.reinterpretAsInts().and(MAGNITUDE));
    }
    float max = maxima.reduceLanes(VectorOperators.MAX);
    boolean finite = magnitudes.reduceLanes(VectorOperators.MAX) < INFINITY;
    for (int i = whole; i < n; i++) {
      float logit = logits.getFloat(at + Float.BYTES * i);
      max = Math.max(max, logit);
      finite &= Float.isFinite(logit);
    }
    return finite ? max : Float.NaN;
  }

  private double sum(ByteBuffer logits, int at, int n, float max) {
    int whole = n - n % PARTS;
    for (int part = 0; part < PARTS; part += LANES) {
      FloatVector sum = constant(0);
      for (int i = part; i < whole; i += PARTS) {
        sum = sum.add(VectorMath.exp(load(logits, at + Float.BYTES * i).sub(max)));
      }
      sum.intoArray(parts, part);
    }
    if (whole < n) {
      float[] last = new float[PARTS];
      for (int i = whole; i < n; i++) {
        last[i - whole] = logits.getFloat(at + Float.BYTES * i) - max;
      }
      for (int part = 0; part < PARTS; part += LANES) {
        VectorMath.exp(load(last, part)).intoArray(last, part);
      }
      for (int i = whole; i < n; i++) {
        parts[i - whole] += last[i - whole];
      }
    }
    return VectorMath.sum(parts);
  }

  private static int indexOf(ByteBuffer logits, int at, int n, float value) {
    int i = 0;
    while (i < n - 1 && logits.getFloat(at + Float.BYTES * i) != value) {
      i++;
    }
    return i;
  }

  /** The largest logit over all blocks added. */
  float max(int row) {
    return max[row];
  }

  /** Σ e^(logit − max) over all blocks added; NaN if a logit was not finite. */
  double sum(int row) {
    return sum[row];
  }

  /** log Σ e^logit over all blocks added; NaN if a logit was not finite. */
  public double value(int row) {
    return max[row] + StrictMath.log(sum[row]);
  }

  /** The token of the largest logit, the lowest of equals. */
  public int best(int row) {
    return best[row];
  }
}
