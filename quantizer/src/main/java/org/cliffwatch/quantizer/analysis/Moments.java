package org.cliffwatch.quantizer.analysis;

/** Mean, population variance and kurtosis of values, in float64, by two readings of them. */
record Moments(double mean, double variance, double kurtosis) {
  /** Of {@code v[at .. at + n)}. */
  static Moments of(float[] v, int at, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) {
      sum += v[at + i];
    }
    double mean = sum / n;
    double second = 0;
    double fourth = 0;
    for (int i = 0; i < n; i++) {
      double square = (v[at + i] - mean) * (v[at + i] - mean);
      second += square;
      fourth += square * square;
    }
    return of(mean, n, second, fourth);
  }

  /**
   * @param second Σ (v − mean)²
   * @param fourth Σ (v − mean)⁴
   */
  static Moments of(double mean, long n, double second, double fourth) {
    double variance = second / n;
    return new Moments(mean, variance, fourth / n / (variance * variance));
  }

  double standardDeviation() {
    return Math.sqrt(variance);
  }
}
