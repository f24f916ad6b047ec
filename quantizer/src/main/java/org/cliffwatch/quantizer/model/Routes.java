package org.cliffwatch.quantizer.model;

import java.util.Arrays;

/**
 * Which experts the rows of a batch go through, and the weight of each. A row's are found from its
 * logits alone: the largest are chosen, of equal ones the first. (torch's {@code topk} promises
 * nothing about equal ones, and takes now these and now those.)
 */
final class Routes {
  private final int[] first;
  private final int[] rows;
  private final int[] slots;
  private final float[] weights;

  private Routes(int[] first, int[] rows, int[] slots, float[] weights) {
    this.first = first;
    this.rows = rows;
    this.slots = slots;
    this.weights = weights;
  }

  /**
   * @param logits (at least rows, experts) of a router. A row of which one is NaN or infinite,
   *     unless that is −∞ beside a number, has weights that are NaN
   */
  static Routes of(Architecture.Experts experts, float[] logits, int rows) {
    int each = experts.chosen();
    int[] chosen = new int[rows * each];
    float[] weights = new float[rows * each];
    double[] powers = new double[experts.count()];
    for (int r = 0; r < rows; r++) {
      int at = r * each;
      choose(logits, r * experts.count(), experts.count(), at, each, chosen);
      weigh(experts, logits, r * experts.count(), powers, at, chosen, weights);
    }
    return of(chosen, experts.count(), each, weights);
  }

  /**
   * The indices of the largest logits of a row, descending, to {@code chosen[at ..]}; any, where
   * one is NaN.
   */
  private static void choose(float[] logits, int from, int count, int at, int each, int[] chosen) {
    for (int i = 0; i < each; i++) {
      int best = -1;
      for (int e = 0; e < count; e++) {
        boolean isLarger = best < 0 || logits[from + e] > logits[from + best];
        if (isLarger && !contains(chosen, at, at + i, e)) {
          best = e;
        }
      }
      chosen[at + i] = best;
    }
  }

  private static boolean contains(int[] values, int from, int to, int value) {
    for (int i = from; i < to; i++) {
      if (values[i] == value) {
        return true;
      }
    }
    return false;
  }

  /** The softmax of a row at its chosen experts, in the steps and the types of transformers. */
  private static void weigh(
      Architecture.Experts experts,
      float[] logits,
      int from,
      double[] powers,
      int at,
      int[] chosen,
      float[] weights) {
    float largest = logits[from + chosen[at]];
    double all = 0;
    for (int e = 0; e < powers.length; e++) {
      powers[e] = StrictMath.exp((double) logits[from + e] - largest); // the same everywhere
      all += powers[e];
    }
    float sum = 0;
    for (int i = at; i < at + experts.chosen(); i++) {
      weights[i] = (float) (powers[chosen[i]] / all);
      sum += weights[i];
    }
    if (experts.isNormalized()) {
      for (int i = at; i < at + experts.chosen(); i++) {
        weights[i] /= sum;
      }
    }
  }

  private static Routes of(int[] chosen, int count, int each, float[] weights) {
    int[] first = new int[count + 1];
    for (int e : chosen) {
      first[e + 1]++;
    }
    for (int e = 0; e < count; e++) {
      first[e + 1] += first[e];
    }
    int[] next = first.clone();
    int[] rows = new int[chosen.length];
    int[] slots = new int[chosen.length];
    for (int i = 0; i < chosen.length; i++) {
      slots[i] = next[chosen[i]]++;
      rows[slots[i]] = i / each;
    }
    return new Routes(first, rows, slots, weights);
  }

  /** The rows that go through an expert, ascending. */
  int[] through(int expert) {
    return Arrays.copyOfRange(rows, first[expert], first[expert + 1]);
  }

  /** The first slot of those rows, where outputs of all experts lie one after another. */
  int first(int expert) {
    return first[expert];
  }

  /** (rows, chosen experts) where each row's outputs lie, that of the largest weight first. */
  int[] slots() {
    return slots;
  }

  /** (rows, chosen experts) in the order of {@link #slots}. */
  float[] weights() {
    return weights;
  }
}
