package org.cliffwatch.tasks.metric;

import java.io.Serializable;

/** A two-sided 95 % confidence interval, both ends included. */
public record Interval(double low, double high) implements Serializable {
  /** The 0.975 quantile of the standard normal distribution. */
  static final double Z_95 = 1.959963984540054;
}
