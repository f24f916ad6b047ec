package org.cliffwatch.jobs.gate;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import org.apache.commons.math3.distribution.TDistribution;
import org.cliffwatch.jobs.aggregate.PairedComparison;
import org.cliffwatch.tasks.metric.Metric;

/**
 * A change over the items that several cells share, and how sure it is. The items are paired: what
 * is tested is each item's own change, a mean over replicas, so that neither the spread of the
 * items' difficulty nor, with replicas, the luck of rounding counts.
 *
 * <p>The standard error is that of a mean of item-wise changes; for ratios and perplexities, of
 * their linearization (the delta method). Shares get two more items, half an item gained, lost,
 * kept right and kept wrong each: Agresti and Min 2005, "Simple improved confidence intervals for
 * comparing matched proportions" (Statistics in Medicine 24), without which a few items that all
 * turned out alike would be taken for certainty. {@code jobs/GATE.md} has the formulas.
 *
 * @param value as the tables have it: points, percent or plain; without the two more items
 * @param centre the same with them: what is tested
 * @param standardError of {@code centre}, in its unit
 * @param freedom degrees of freedom of Student's t; below 1 nothing can be tested
 * @param items compared
 * @param replicas of each cell
 * @param rounding the part of standardError² that more replicas would take away; NaN with one
 */
record Change(
    double value,
    double centre,
    double standardError,
    double freedom,
    long items,
    int replicas,
    double rounding)
    implements Serializable {
  private static final long serialVersionUID = 1L;

  /** Agresti and Min's: four pseudo-items of half a weight. */
  private static final double HALF = 0.5;

  private static final int PSEUDO_ITEMS = 2;

  /** Beyond this, what is needed is no advice any more. */
  private static final double MOST_REPLICAS = 10_000;

  /**
   * A cell's part in a linear combination.
   *
   * @param coefficient 1 and −1 for a difference
   */
  record Term(double coefficient, Contributions of) {}

  /** {@code after − before}: points for shares, else plain. */
  static Change difference(Contributions before, Contributions after) {
    return linear(List.of(new Term(1, after), new Term(-1, before)));
  }

  /** Σ coefficient · metric: points for shares, else plain. */
  static Change linear(List<Term> terms) {
    double scale = terms.get(0).of().metric().isShare() ? 100 : 1;
    double value = 0;
    double centre = 0;
    double[] gradient = new double[terms.size()];
    for (int k = 0; k < gradient.length; k++) {
      double by = scale * terms.get(k).coefficient();
      Contributions of = terms.get(k).of();
      value += by * of.metric().aggregate(mean(of, 0), 1);
      double mean = mean(of, pseudoItems(of.metric()));
      centre += by * of.metric().aggregate(mean, 1);
      gradient[k] = by * of.metric().slope(mean);
    }
    return of(terms, gradient, value, centre);
  }

  /**
   * How far runs have drifted from the first to the last: the slope of the least-squares line
   * through each item's values, times the number of runs less one.
   *
   * @param runs oldest first, at least two
   */
  static Change drift(List<Contributions> runs) {
    double middle = (runs.size() - 1) / 2.0;
    double squares = 0;
    for (int t = 0; t < runs.size(); t++) {
      squares += (t - middle) * (t - middle);
    }
    List<Term> terms = new ArrayList<>();
    for (int t = 0; t < runs.size(); t++) {
      terms.add(new Term((t - middle) / squares * (runs.size() - 1), runs.get(t)));
    }
    return linear(terms);
  }

  /** 100 · (after − before) / before; NaN where the baseline is 0. */
  static Change relative(Contributions before, Contributions after) {
    Metric metric = after.metric();
    double meanBefore = mean(before, pseudoItems(metric));
    double meanAfter = mean(after, pseudoItems(metric));
    double b = metric.aggregate(meanBefore, 1);
    double a = metric.aggregate(meanAfter, 1);
    double[] gradient = {
      100 * metric.slope(meanAfter) / b, -100 * a * metric.slope(meanBefore) / (b * b)
    };
    return of(
        List.of(new Term(1, after), new Term(-1, before)),
        gradient,
        PairedComparison.relativePercent(
            metric.aggregate(mean(before, 0), 1), metric.aggregate(mean(after, 0), 1)),
        100 * (a / b - 1));
  }

  /** No change: of cells that are equal to the bit. */
  static Change none(long items, int replicas) {
    return new Change(0, 0, 0, items - 1.0, items, replicas, 0);
  }

  /**
   * What is to be expected of a cell that is scored again after a harmless change.
   *
   * @param accepted its scores
   * @param flips share of answers that such a change turns
   * @return no change, with the standard error that rounding and those turns give
   */
  static Change expected(Contributions accepted, double flips, boolean relative) {
    int n = accepted.items();
    double rounding = 0;
    for (int i = 0; i < n && accepted.replicas() > 1; i++) {
      rounding += 2 * accepted.roundingVariance(i) / n;
    }
    double unit = 100 / (relative ? mean(accepted, PSEUDO_ITEMS) : 1);
    return expected(n, accepted.replicas(), rounding, flips, unit);
  }

  /** The same of a cell that nothing is known of but its items: points. */
  static Change expected(int items, int replicas, double flips) {
    return expected(items, replicas, 0, flips, 100);
  }

  private static Change expected(
      int items, int replicas, double rounding, double flips, double unit) {
    double total = items + (double) PSEUDO_ITEMS;
    double variance = unit * unit * (rounding + flips + 1 / total) / total;
    return new Change(
        0,
        0,
        Math.sqrt(variance),
        items - 1.0,
        items,
        replicas,
        replicas > 1 ? unit * unit * rounding / total : Double.NaN);
  }

  /** The mean of the changes of tasks, which share no item. */
  static Change mean(List<Change> tasks) {
    double value = 0;
    double centre = 0;
    double variance = 0;
    double rounding = 0;
    double freedom = 0;
    long items = 0;
    int replicas = Integer.MAX_VALUE;
    int n = tasks.size();
    for (Change task : tasks) {
      double part = task.variance() / n / n;
      value += task.value / n;
      centre += task.centre / n;
      variance += part;
      rounding += task.rounding / n / n;
      freedom += part == 0 ? 0 : part * part / task.freedom;
      items += task.items;
      replicas = Math.min(replicas, task.replicas);
    }
    // Welch and Satterthwaite's degrees of freedom of a sum of independent variances.
    double welch = variance == 0 ? 0 : variance * variance / freedom;
    return new Change(value, centre, Math.sqrt(variance), welch, items, replicas, rounding);
  }

  /** The mean of numbers, each as good as the other. */
  static Change ofSample(double[] sample) {
    double mean = 0;
    for (double x : sample) {
      mean += x / sample.length;
    }
    double squares = 0;
    for (double x : sample) {
      squares += (x - mean) * (x - mean);
    }
    int n = sample.length;
    double error = n < 2 ? Double.NaN : Math.sqrt(squares / (n - 1) / n);
    return new Change(mean, mean, error, n - 1.0, n, 1, Double.NaN);
  }

  private static boolean isBounded(Metric metric) {
    return metric.isAccuracy() || metric == Metric.BYTE_LIKELIHOOD;
  }

  private static int pseudoItems(Metric metric) {
    return isBounded(metric) ? PSEUDO_ITEMS : 0;
  }

  private static double mean(Contributions of, int pseudoItems) {
    double sum = pseudoItems * HALF; // half of the pseudo-items are right in either cell
    double weights = pseudoItems;
    for (int i = 0; i < of.items(); i++) {
      sum += of.mean(i);
      weights += of.weights()[i];
    }
    return sum / weights;
  }

  /**
   * @param gradient of the change by each term's weighted mean
   */
  private static Change of(List<Term> terms, double[] gradient, double value, double centre) {
    Contributions first = terms.get(0).of();
    int pseudo = pseudoItems(first.metric());
    int n = first.items();
    double total = n + (double) pseudo;
    double weights = pseudo;
    for (double weight : first.weights()) {
      weights += weight;
    }
    double[] means = new double[gradient.length];
    double[] by = new double[gradient.length];
    int replicas = Integer.MAX_VALUE;
    for (int k = 0; k < gradient.length; k++) {
      Contributions of = terms.get(k).of();
      means[k] = mean(of, pseudo);
      by[k] = gradient[k] * total / weights;
      replicas = Math.min(replicas, of.replicas());
    }
    double squares = 0;
    double rounding = 0;
    for (int i = 0; i < n; i++) {
      double change = 0;
      for (int k = 0; k < by.length; k++) {
        Contributions of = terms.get(k).of();
        change += by[k] * (of.mean(i) - of.weights()[i] * means[k]);
        rounding += by[k] * by[k] * of.roundingVariance(i);
      }
      squares += change * change;
    }
    if (pseudo > 0) {
      for (boolean up : new boolean[] {false, true}) {
        for (boolean down : new boolean[] {false, true}) {
          double change = 0;
          for (int k = 0; k < by.length; k++) {
            boolean right = terms.get(k).coefficient() > 0 ? up : down;
            change += by[k] * ((right ? 1 : 0) - means[k]);
          }
          squares += HALF * change * change;
        }
      }
    }
    double degrees = total * (total - 1);
    return new Change(
        value, centre, Math.sqrt(squares / degrees), n - 1.0, n, replicas, rounding / degrees);
  }

  double variance() {
    return standardError * standardError;
  }

  boolean isTestable() {
    return freedom >= 1 && standardError > 0 && !Double.isNaN(centre);
  }

  /**
   * The chance of a change this bad or worse, were the true one just within the margin.
   *
   * @param margin worst that is acceptable, positive
   * @param higherIsBetter whether a negative change is a worsening
   */
  double pWorse(double margin, boolean higherIsBetter) {
    double better = higherIsBetter ? centre : -centre;
    return student().cumulativeProbability((better + margin) / standardError);
  }

  /** Ends of the interval of level 1 − 2 · alpha: each is a one-sided bound of level 1 − alpha. */
  double[] interval(double alpha) {
    double reach = quantile(1 - alpha) * standardError;
    return new double[] {centre - reach, centre + reach};
  }

  /** The true worsening that is found to be worse than the margin with this power. */
  double detectable(double margin, double alpha, double power) {
    return margin + (quantile(1 - alpha) + quantile(power)) * standardError;
  }

  /** How likely a true worsening is found to be worse than the margin. */
  double power(double worsening, double margin, double alpha) {
    return student()
        .cumulativeProbability((worsening - margin) / standardError - quantile(1 - alpha));
  }

  /** How likely this change is found to be within the margin, were it the true one. */
  double passing(double margin, boolean higherIsBetter, double alpha) {
    double better = higherIsBetter ? centre : -centre;
    return student().cumulativeProbability((better + margin) / standardError - quantile(1 - alpha));
  }

  /** Items with which a worsening would be found with this power; NaN where none would do. */
  double itemsToDetect(double worsening, double margin, double alpha, double power) {
    double wanted = wantedError(worsening, margin, alpha, power);
    return wanted > 0 ? Math.ceil(items * variance() / (wanted * wanted)) : Double.NaN;
  }

  /** Replicas with which it would be found; NaN where none would do or one was run. */
  double replicasToDetect(double worsening, double margin, double alpha, double power) {
    double wanted = wantedError(worsening, margin, alpha, power);
    double left = wanted * wanted - (variance() - rounding);
    double needed = wanted > 0 && left > 0 ? Math.ceil(rounding * replicas / left) : Double.NaN;
    return needed <= MOST_REPLICAS ? Math.max(1, needed) : Double.NaN;
  }

  private double wantedError(double worsening, double margin, double alpha, double power) {
    return (worsening - margin) / (quantile(1 - alpha) + quantile(power));
  }

  private double quantile(double p) {
    return student().inverseCumulativeProbability(p);
  }

  private TDistribution student() {
    return new TDistribution(null, freedom);
  }
}
