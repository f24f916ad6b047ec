package org.cliffwatch.jobs.predict;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import org.apache.commons.math3.exception.MathIllegalStateException;
import org.apache.commons.math3.fitting.leastsquares.LeastSquaresBuilder;
import org.apache.commons.math3.fitting.leastsquares.LevenbergMarquardtOptimizer;
import org.apache.commons.math3.fitting.leastsquares.MultivariateJacobianFunction;
import org.apache.commons.math3.linear.Array2DRowRealMatrix;
import org.apache.commons.math3.linear.ArrayRealVector;
import org.apache.commons.math3.linear.QRDecomposition;
import org.apache.commons.math3.linear.RealMatrix;
import org.apache.commons.math3.linear.RealVector;
import org.apache.commons.math3.util.Pair;

/**
 * What quantization costs as a product of powers: {@code ± C · N^a · D^b · g(P)^c}, N parameters, D
 * training steps (at least 1; tokens up to a constant), P bits of a weight. Fitted by least squares
 * on the cost itself (Levenberg-Marquardt), from where least squares on its logarithm lie.
 *
 * @param form what g is
 * @param sign of the cost, that of its mean
 * @param logConstant ln C
 * @param parameters a
 * @param steps b
 * @param bits c
 */
public record PowerLaw(
    Form form, double sign, double logConstant, double parameters, double steps, double bits) {
  private static final int MOST_STEPS = 1000;

  /** Costs below this share of the largest count as it while a start is looked for. */
  private static final double LEAST_SHARE = 1e-3;

  /** The two laws. */
  public enum Form {
    /** {@code e^(c P)}, c = −1/γ: Kumar et al. 2024, "Scaling Laws for Precision". */
    KUMAR,
    /** {@code P^c}: Ouyang et al. 2024, "Low-Bit Quantization Favors Undertrained LLMs". */
    OUYANG;

    String describe() {
      return this == KUMAR ? "Kumar et al. 2024" : "Ouyang et al. 2024";
    }

    double of(double bits) {
      return this == KUMAR ? bits : Math.log(bits);
    }
  }

  /** A checkpoint, a precision's bits, and what they cost. */
  record Point(double parameters, double steps, double bits, double cost) {
    private double[] terms(Form form) {
      return new double[] {
        1, Math.log(Math.max(1, parameters)), Math.log(Math.max(1, steps)), form.of(bits)
      };
    }
  }

  /** The form that leaves the least over: its sum of squared errors on these costs is smaller. */
  static PowerLaw fit(List<Point> points) {
    return Arrays.stream(Form.values())
        .map(form -> fit(form, points))
        .min(Comparator.comparingDouble(law -> law.squaredError(points)))
        .orElseThrow();
  }

  private double squaredError(List<Point> points) {
    return points.stream().mapToDouble(point -> Math.pow(point.cost() - predict(point), 2)).sum();
  }

  static PowerLaw fit(Form form, List<Point> points) {
    double mean = points.stream().mapToDouble(Point::cost).average().orElse(0);
    double sign = mean < 0 ? -1 : 1;
    double[][] terms = points.stream().map(point -> point.terms(form)).toArray(double[][]::new);
    double[] costs = points.stream().mapToDouble(point -> sign * point.cost()).toArray();
    double largest = points.stream().mapToDouble(point -> Math.abs(point.cost())).max().orElse(0);
    if (largest == 0) {
      return new PowerLaw(form, sign, Double.NEGATIVE_INFINITY, 0, 0, 0);
    }
    double[] start = start(terms, costs, LEAST_SHARE * largest);
    MultivariateJacobianFunction model = at -> values(terms, at);
    double[] found;
    try {
      found =
          new LevenbergMarquardtOptimizer()
              .optimize(
                  new LeastSquaresBuilder()
                      .model(model)
                      .target(costs)
                      .start(start)
                      .maxEvaluations(MOST_STEPS)
                      .maxIterations(MOST_STEPS)
                      .build())
              .getPoint()
              .toArray();
    } catch (MathIllegalStateException e) {
      found = start; // not converged: the costs have no such law, and their logarithms' is as good
    }
    return new PowerLaw(form, sign, found[0], found[1], found[2], found[3]);
  }

  /**
   * Least squares on logarithms, each term's coefficient held to 0 where the term never changes.
   */
  private static double[] start(double[][] terms, double[] costs, double least) {
    RealMatrix matrix = new Array2DRowRealMatrix(terms.length + 4, 4);
    RealVector logs = new ArrayRealVector(terms.length + 4);
    for (int i = 0; i < terms.length; i++) {
      matrix.setRow(i, terms[i]);
      logs.setEntry(i, Math.log(Math.max(least, costs[i])));
    }
    for (int k = 0; k < 4; k++) {
      matrix.setEntry(terms.length + k, k, LEAST_SHARE);
    }
    return new QRDecomposition(matrix).getSolver().solve(logs).toArray();
  }

  private static Pair<RealVector, RealMatrix> values(double[][] terms, RealVector at) {
    RealVector values = new ArrayRealVector(terms.length);
    RealMatrix jacobian = new Array2DRowRealMatrix(terms.length, 4);
    for (int i = 0; i < terms.length; i++) {
      double exponent = 0;
      for (int k = 0; k < 4; k++) {
        exponent += at.getEntry(k) * terms[i][k];
      }
      double value = Math.exp(Math.min(exponent, 700));
      values.setEntry(i, value);
      for (int k = 0; k < 4; k++) {
        jacobian.setEntry(i, k, value * terms[i][k]);
      }
    }
    return new Pair<>(values, jacobian);
  }

  /** The cost by this law; {@link Point#cost} is not looked at. */
  double predict(Point point) {
    double[] terms = point.terms(form);
    return sign
        * Math.exp(logConstant + parameters * terms[1] + steps * terms[2] + bits * terms[3]);
  }

  /** As the paper writes it. */
  String describe() {
    return String.format(
        Locale.ROOT,
        "%s%.3g N^%.3f D^%.3f %s",
        sign < 0 ? "-" : "",
        Math.exp(logConstant),
        parameters,
        steps,
        form == Form.KUMAR
            ? String.format(Locale.ROOT, "e^(%.3f P)", bits)
            : String.format(Locale.ROOT, "P^%.3f", bits));
  }
}
