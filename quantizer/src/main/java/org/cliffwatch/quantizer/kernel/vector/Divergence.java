package org.cliffwatch.quantizer.kernel.vector;

import static org.cliffwatch.quantizer.kernel.vector.VectorMath.LANES;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.PARTS;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.constant;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.load;

import java.nio.ByteBuffer;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * The running divergence of rows of logits from a baseline's, over blocks of the vocabulary in
 * ascending order: with b and l the logits, p = softmax(b), KL(p ‖ softmax(l)) = Σ p (b − l) − log
 * Σ e^b + log Σ e^l. The first sum runs as {@link LogSumExp} does: within a block float32 in a
 * fixed order, relative to the largest b so far, across blocks float64.
 */
public final class Divergence {
  private final LogSumExp baseline;
  private final LogSumExp own;

  /** Σ e^(b − max) (b − l). */
  private final double[] weighted;

  /** What {@link #weighted} is relative to. */
  private final float[] max;

  private final float[] parts = new float[PARTS];
  private final float[] lastLogits = new float[PARTS];
  private final float[] lastDifferences = new float[PARTS];

  public Divergence(int rows) {
    baseline = new LogSumExp(rows);
    own = new LogSumExp(rows);
    weighted = new double[rows];
    max = new float[rows];
    Arrays.fill(max, Float.NEGATIVE_INFINITY);
  }

  /**
   * Turns a block of the baseline's products into logits.
   *
   * @param at byte of the first product
   * @param n products
   * @param firstToken the first product's token
   * @param logits receives them from {@code to} on
   */
  public void addBaseline(
      int row,
      ByteBuffer products,
      int at,
      int n,
      int firstToken,
      Logits as,
      float[] logits,
      int to) {
    baseline.add(row, products, at, n, firstToken, as);
    TileReader.addBias(products, at, n, null, logits, to);
  }

  /**
   * Adds a block of the row that is compared, after the baseline's.
   *
   * @param baselineLogits what {@link #addBaseline} wrote, from {@code from} on
   */
  public void add(
      int row,
      ByteBuffer products,
      int at,
      int n,
      int firstToken,
      Logits as,
      float[] baselineLogits,
      int from) {
    own.add(row, products, at, n, firstToken, as);
    float largest = baseline.max(row);
    double before = weighted[row] * StrictMath.exp((double) max[row] - largest);
    weighted[row] = before + sum(baselineLogits, from, products, at, n, largest);
    max[row] = largest;
  }

  private double sum(float[] b, int from, ByteBuffer l, int at, int n, float largest) {
    int whole = n - n % PARTS;
    for (int part = 0; part < PARTS; part += LANES) {
      FloatVector sum = constant(0);
      for (int i = part; i < whole; i += PARTS) {
        FloatVector logit = load(b, from + i);
        FloatVector difference = logit.sub(load(l, at + Float.BYTES * i));
        sum = sum.add(VectorMath.exp(logit.sub(largest)).mul(difference));
      }
      sum.intoArray(parts, part);
    }
    if (whole < n) {
      for (int i = whole; i < n; i++) {
        lastLogits[i - whole] = b[from + i] - largest;
        lastDifferences[i - whole] = b[from + i] - l.getFloat(at + Float.BYTES * i);
      }
      for (int part = 0; part < PARTS; part += LANES) {
        FloatVector weight = VectorMath.exp(load(lastLogits, part));
        weight.mul(load(lastDifferences, part)).intoArray(lastLogits, part);
      }
      for (int i = whole; i < n; i++) {
        parts[i - whole] += lastLogits[i - whole];
      }
    }
    return VectorMath.sum(parts);
  }

  /**
   * Nats, over all blocks added; what rounding leaves below 0 is 0. NaN if a logit was not finite.
   */
  public double value(int row) {
    double mean = weighted[row] / baseline.sum(row);
    return Math.max(0, mean - baseline.value(row) + own.value(row));
  }

  /** Whether both have the same token of the largest logit, the lowest of equals. */
  public boolean agrees(int row) {
    return baseline.best(row) == own.best(row);
  }
}
