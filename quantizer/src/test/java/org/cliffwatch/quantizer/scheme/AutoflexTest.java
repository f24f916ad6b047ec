package org.cliffwatch.quantizer.scheme;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class AutoflexTest {
  private static final Flexpoint FLEX16 = new Flexpoint(16, 5);

  /** Algorithms 1 and 2 as they stand in the paper, with κ and whatever exponent it takes. */
  static final class Paper {
    private final int n;
    private final List<Double> f = new ArrayList<>();
    double kappa = 1;

    Paper(int n) {
      this.n = n;
    }

    /** Γ of a tensor with this largest number. */
    int run(double magnitude) {
      return (int) Math.min(Math.rint(magnitude / kappa), Math.pow(2, n - 1) - 1);
    }

    void initialize(double magnitude) {
      boolean initialized = false;
      while (!initialized) {
        int gamma = run(magnitude);
        if (gamma >= Math.pow(2, n - 1) - 1) {
          kappa *= Math.pow(2, Math.floor((n - 1) / 2.0));
        } else if (gamma < Math.pow(2, n - 2)) {
          kappa *= Math.pow(2, logarithm(Math.max(gamma, 1)) - (n - 2));
          initialized = gamma > Math.pow(2, Math.floor((n - 1) / 2.0) - 2);
        } else {
          initialized = true;
        }
      }
    }

    void update(int gamma) {
      double mantissa = gamma;
      if (gamma >= Math.pow(2, n - 1) - 1) {
        f.clear();
        mantissa = 2.0 * gamma;
      }
      f.add(mantissa * kappa);
      List<Double> window = f.subList(Math.max(0, f.size() - 16), f.size());
      double max = window.stream().max(Double::compare).orElseThrow();
      double mean = window.stream().mapToDouble(v -> v).average().orElseThrow();
      double variance =
          window.stream().mapToDouble(v -> Math.pow(v - mean, 2)).average().orElseThrow();
      double additive = 100 / Math.pow(2, 16 - n) * kappa;
      double chi = 2 * (max + 3 * Math.sqrt(variance) + additive);
      kappa = Math.pow(2, logarithm(chi) - n + 1);
    }

    /** The smallest power of two that is as large, by trying. */
    private static int logarithm(double v) {
      int power = -300;
      while (Math.pow(2, power) < v) {
        power++;
      }
      return power;
    }
  }

  /** Magnitudes that wander, and leap beyond what was predicted now and then. */
  @ParameterizedTest
  @ValueSource(ints = {8, 9, 12, 15, 16})
  void followsThePaper(int bits) {
    Flexpoint format = new Flexpoint(bits, 5);
    SplittableRandom random = new SplittableRandom(bits);
    int overflows = 0;
    for (int walk = 0; walk < 50; walk++) {
      double magnitude = Math.pow(10, random.nextDouble(-2, 0.9));
      Paper paper = new Paper(bits);
      paper.initialize(magnitude);
      Autoflex autoflex = Autoflex.initialized(format, (float) magnitude);
      for (int step = 0; step < 200; step++) {
        assertThat(autoflex.scale()).as("%s, %s", walk, step).isEqualTo((float) paper.kappa);
        double logarithm = random.nextGaussian() * 0.3 + (random.nextInt(20) == 0 ? 3 : 0);
        float drawn = (float) (magnitude * Math.exp(logarithm));
        magnitude = Math.max(0.01, Math.min(8, drawn));
        int gamma = format.mantissa((float) magnitude, autoflex.scale());
        assertThat(gamma).isEqualTo(paper.run((float) magnitude));
        overflows += format.overflows(gamma) ? 1 : 0;
        autoflex.update(gamma);
        paper.update(gamma);
      }
    }
    assertThat(overflows).isGreaterThan(50);
  }

  /** The paper's Figure 3: mantissas climb to half of what they hold, then lose a bit. */
  @Test
  void slowGrowthNeverOverflows() {
    double magnitude = 0.01;
    Autoflex autoflex = Autoflex.initialized(FLEX16, (float) magnitude);
    int most = 0;
    int drops = 0;
    for (int step = 0; step < 10_000; step++) {
      int gamma = FLEX16.mantissa((float) magnitude, autoflex.scale());
      assertThat(gamma).as("step %s", step).isLessThanOrEqualTo(1 << 14);
      most = Math.max(most, gamma);
      int before = autoflex.exponent();
      autoflex.update(gamma);
      assertThat(before - autoflex.exponent()).isBetween(0, 1);
      drops += before - autoflex.exponent();
      magnitude *= 1.001;
    }
    assertThat(most).isGreaterThan(16_000);
    assertThat(drops).isEqualTo(14);
  }

  /** A bit up and down. */
  @Test
  void noiseNeverOverflows() {
    SplittableRandom random = new SplittableRandom(3);
    for (int run = 0; run < 100; run++) {
      double level = Math.pow(10, random.nextDouble(-4, 3));
      Autoflex autoflex = Autoflex.initialized(FLEX16, (float) level);
      for (int step = 0; step < 500; step++) {
        double magnitude = level * Math.pow(2, random.nextDouble(-0.5, 0.5));
        int gamma = FLEX16.mantissa((float) magnitude, autoflex.scale());
        assertThat(FLEX16.overflows(gamma)).as("run %s, step %s", run, step).isFalse();
        autoflex.update(gamma);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"16, 3", "12, 3", "8, 2"})
  void anOverflowForgetsAndMoves(int bits, int powers) {
    Flexpoint format = new Flexpoint(bits, 5);
    int most = (1 << (bits - 1)) - 1;
    Autoflex autoflex = Autoflex.initialized(format, 0.3f);
    for (int step = 0; step < 20; step++) {
      autoflex.update(format.mantissa(0.3f, autoflex.scale()));
    }
    int before = autoflex.exponent();
    assertThat(format.overflows(most - 1)).isFalse();
    assertThat(format.overflows(most)).isTrue();
    autoflex.update(most);
    assertThat(autoflex.exponent()).isEqualTo(before - powers);
  }

  /** The additive term is the same share of the mantissas, whatever their width. */
  @ParameterizedTest
  @ValueSource(ints = {8, 10, 16})
  void whatStaysKeepsItsExponent(int bits) {
    Flexpoint format = new Flexpoint(bits, 5);
    Autoflex autoflex = Autoflex.initialized(format, 0.7f);
    for (int step = 0; step < 100; step++) {
      int gamma = format.mantissa(0.7f, autoflex.scale());
      assertThat(gamma).isBetween((1 << (bits - 3)) + 1, 1 << (bits - 2));
      autoflex.update(gamma);
    }
  }

  /** In three runs at most, to within two bits of all; κ is never above 1. */
  @Test
  void initializationJumpsToItsTarget() {
    for (double power = -6; power <= 8; power += 0.01) {
      float magnitude = (float) Math.pow(10, power);
      Autoflex autoflex = new Autoflex(FLEX16);
      int runs = 1;
      while (!autoflex.initialize(FLEX16.mantissa(magnitude, autoflex.scale()))) {
        runs++;
      }
      assertThat(runs).as("runs for %s", magnitude).isLessThanOrEqualTo(3);
      int gamma = FLEX16.mantissa(magnitude, autoflex.scale());
      if (magnitude >= 0x1p15f) {
        assertThat(autoflex.exponent()).isZero();
      } else if (autoflex.exponent() < 31) {
        assertThat(gamma).as("mantissa of %s", magnitude).isBetween(1 << 13, (1 << 15) - 2);
      } else {
        assertThat(magnitude).isLessThan(0x1p-17f);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"0, 31", "1e-30, 31", "32768, 0", "3e38, 0"})
  void exponentsEndWhereTheirBitsDo(float magnitude, int exponent) {
    Autoflex autoflex = Autoflex.initialized(FLEX16, magnitude);
    assertThat(autoflex.exponent()).isEqualTo(exponent);
    autoflex.update(FLEX16.mantissa(magnitude, autoflex.scale()));
    assertThat(autoflex.exponent()).isBetween(0, 31);
  }

  @Test
  void mantissasAreRoundedHalfToEvenAndSaturate() {
    assertThat(FLEX16.mantissa(0.625f, 0.25f)).isEqualTo(2);
    assertThat(FLEX16.mantissa(-0.875f, 0.25f)).isEqualTo(-4);
    assertThat(FLEX16.mantissa(1e9f, 1)).isEqualTo(32767);
    assertThat(FLEX16.mantissa(-1e9f, 1)).isEqualTo(-32768);
    assertThat(FLEX16.mantissa(Float.MAX_VALUE, 0x1p-31f)).isEqualTo(32767);
  }
}
