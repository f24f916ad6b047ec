package org.cliffwatch.quantizer.scheme;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;

/**
 * Autoflex (Köster et al. 2017): the exponent of a tensor in one computation, which is fixed before
 * the computation runs, from what the runs before it gave. Algorithm 1 is {@link #initialize},
 * Algorithm 2 {@link #update}; α = 2, β = 3, γ = 100 and 16 maxima are the paper's.
 *
 * <p>What the paper leaves open, or its copies garble, is here:
 *
 * <ul>
 *   <li>the standard deviation is the population's: of one maximum it is 0;
 *   <li>a maximum that may have been cut off counts twice, as a mantissa of one bit more;
 *   <li>γ, which counts mantissas of 16 bits, keeps its share of the mantissas of N bits, {@code
 *       100 · 2^(N−16)}: of 8 bits, αγκ would be beyond what they hold, and κ grow with every
 *       update;
 *   <li>in Algorithm 1 a κ that overflows is multiplied by {@code 2^⌊(N−1)/2⌋}, and one from which
 *       the target can be jumped at reliably has mantissas above {@code 2^(⌊(N−1)/2⌋−2)};
 *   <li>e stays within its M bits. Algorithm 1 ends at an end of them that it would go beyond:
 *       larger numbers saturate, smaller ones vanish.
 * </ul>
 *
 * <p>Not safe for concurrent use.
 */
public final class Autoflex {
  private static final double HEADROOM = 2;
  private static final double DEVIATIONS = 3;
  private static final double MANTISSAS = 100;
  private static final int MANTISSAS_BITS = 16;
  private static final int WINDOW = 16;

  private final Flexpoint format;

  /** Maxima Γκ, the latest last. */
  private final Deque<Double> maxima = new ArrayDeque<>();

  private int exponent;

  /** With κ = 1, which Algorithm 1 begins with. */
  public Autoflex(Flexpoint format) {
    this.format = format;
  }

  /**
   * After Algorithm 1, for a tensor that is known.
   *
   * @param magnitude of its largest number, finite
   */
  public static Autoflex initialized(Flexpoint format, float magnitude) {
    Autoflex autoflex = new Autoflex(format);
    boolean done = false;
    while (!done) {
      done = autoflex.initialize(format.mantissa(magnitude, autoflex.scale()));
    }
    return autoflex;
  }

  /**
   * As another was left: what {@link #exponent} and {@link #maxima} gave.
   *
   * @param maxima the latest last, 16 at most
   */
  public static Autoflex restored(Flexpoint format, int exponent, List<Double> maxima) {
    Autoflex autoflex = new Autoflex(format);
    autoflex.exponent = exponent;
    autoflex.maxima.addAll(maxima);
    return autoflex;
  }

  /** The maxima Γκ that the next exponent follows, the latest last. */
  public List<Double> maxima() {
    return List.copyOf(maxima);
  }

  /** e, for the next run. */
  public int exponent() {
    return exponent;
  }

  /** κ = 2^−e, for the next run. */
  public float scale() {
    return format.scale(exponent);
  }

  /**
   * A pass of Algorithm 1's loop: κ from a run of the computation with the κ before, so that the
   * largest mantissa lies in {@code (2^(N−3), 2^(N−2)]}, or is what it is between that and an
   * overflow. The run is repeated until it is done.
   *
   * @param largest Γ, the largest magnitude of a mantissa in the run
   * @return whether it is done
   */
  public boolean initialize(int largest) {
    int bits = format.mantissaBits();
    int half = (bits - 1) / 2;
    int before = exponent;
    if (format.overflows(largest)) {
      move(half);
      return exponent == before;
    }
    if (largest < 1 << (bits - 2)) {
      move(ceilLog2(Math.max(1, largest)) - (bits - 2));
      return largest > 1 << (half - 2) || exponent == before;
    }
    return true;
  }

  /** Multiplies κ by a power of two, as far as exponents go. */
  private void move(int power) {
    exponent = format.nearestExponent(exponent - power);
  }

  /**
   * Algorithm 2: κ for the next run, from a run with the κ before: {@code κ ← 2^(⌈log2 χ⌉ − N + 1)}
   * with {@code χ = α (max f + β std f + γκ)} and f the last 16 maxima Γκ. After an overflow f
   * begins anew.
   *
   * @param largest Γ, the largest magnitude of a mantissa in the run
   */
  public void update(int largest) {
    double scale = scale();
    double mantissa = largest;
    if (format.overflows(largest)) {
      maxima.clear();
      mantissa = 2 * mantissa;
    }
    maxima.add(mantissa * scale);
    if (maxima.size() > WINDOW) {
      maxima.remove();
    }
    int bits = format.mantissaBits();
    double additive = Math.scalb(MANTISSAS, bits - MANTISSAS_BITS) * scale;
    double predicted = HEADROOM * (max() + DEVIATIONS * standardDeviation() + additive);
    exponent = format.nearestExponent(bits - 1 - ceilLog2(predicted));
  }

  private double max() {
    return maxima.stream().mapToDouble(Double::doubleValue).max().orElseThrow();
  }

  /** Sums in the order of the runs. */
  private double standardDeviation() {
    double sum = 0;
    for (double each : maxima) {
      sum += each;
    }
    double mean = sum / maxima.size();
    double squares = 0;
    for (double each : maxima) {
      squares += (each - mean) * (each - mean);
    }
    return Math.sqrt(squares / maxima.size());
  }

  /** ⌈log2 v⌉ of a normal number above 0, exactly. */
  private static int ceilLog2(double v) {
    int floor = Math.getExponent(v);
    return v == Math.scalb(1.0, floor) ? floor : floor + 1;
  }
}
