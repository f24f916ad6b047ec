package org.cliffwatch.quantizer.scheme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.IntConsumer;
import org.assertj.core.data.Offset;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.MatrixRows;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Searches of {@link Awq} beside their formulas in float64. */
class AwqTest {
  /** float32's powers and quotients. */
  private static final double POWERS = 1e-6;

  /** Of an error, summed in float32: how far the least may be from the one that is found. */
  private static final double NEAR_TIE = 1e-4;

  private static final int OUTPUTS = 5;
  private static final int INPUTS = 10;
  private static final int GROUP = 4;

  private static final int ALL_ROWS = 1200;

  /** Of three samples, one of them empty: every other row is looked at. */
  private static final int[] ROWS = {701, 0, 499};

  private final Random random = new Random(11);
  private final float[] x = numbers(ALL_ROWS * INPUTS);
  private final List<CalibrationBlock.Layer> layers =
      List.of(layer("layers.0.query"), layer("layers.0.key"), layer("layers.0.value"));

  private float[] numbers(int n) {
    float[] numbers = new float[n];
    for (int i = 0; i < n; i++) {
      float column = 1 + i % INPUTS;
      numbers[i] = (float) random.nextGaussian() * column;
    }
    return numbers;
  }

  private CalibrationBlock.Layer layer(String name) {
    float[] values = numbers(OUTPUTS * INPUTS);
    return new CalibrationBlock.Layer(name, new MatrixRows(name, OUTPUTS, INPUTS, values));
  }

  private static float[] values(CalibrationBlock.Layer layer) {
    return ((MatrixRows) layer.weight()).values();
  }

  private static Precision precision(int bits, String... options) {
    Map<String, String> all = new TreeMap<>(Map.of("group", Integer.toString(GROUP)));
    for (int i = 0; i < options.length; i += 2) {
      all.put(options[i], options[i + 1]);
    }
    return new Precision("x", "awq", bits, 32, FloatType.FLOAT32, all);
  }

  /** Finds that one of the candidates changes least, whatever they are. */
  private record Decided(List<Layer> layers, InputStatistics inputs, int best)
      implements CalibrationBlock {
    @Override
    public List<Group> groups() {
      return List.of(new Group(layers, inputs));
    }

    @Override
    public List<Foldable> foldables() {
      return List.of(new Foldable("norm", true, layers, inputs));
    }

    @Override
    public int leastChanging(Foldable foldable, List<Map<String, WeightRows>> candidates) {
      assertThat(candidates).hasSize(20);
      return best;
    }

    @Override
    public void inParallel(int n, IntConsumer work) {
      for (int i = n - 1; i >= 0; i--) {
        work.accept(i);
      }
    }
  }

  private Findings found(Precision precision, int best) {
    Scheme scheme = Schemes.of(precision);
    InputStatistics inputs =
        new InputStatistics("layers.0.query", INPUTS, scheme.statistics(precision));
    int at = 0;
    for (int rows : ROWS) {
      float[] sample = new float[rows * INPUTS];
      System.arraycopy(x, at * INPUTS, sample, 0, sample.length);
      inputs.add(sample, rows);
      at += rows;
    }
    Findings findings = new Findings();
    scheme.calibrate(new Decided(layers, inputs, best), precision, findings);
    return findings;
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 7, 19})
  void scalesAreThePublishedOnes(int best) {
    double[] means = new double[INPUTS];
    for (int i = 0; i < x.length; i++) {
      means[i % INPUTS] += Math.abs(x[i]) / (double) ALL_ROWS;
    }
    double[] relative = new double[INPUTS];
    for (CalibrationBlock.Layer layer : layers) {
      float[] w = values(layer);
      for (int i = 0; i < w.length; i++) {
        int first = i - i % INPUTS % GROUP;
        int end = Math.min(first + GROUP, i - i % INPUTS + INPUTS);
        double largest = 0;
        for (int j = first; j < end; j++) {
          largest = Math.max(largest, Math.abs(w[j]));
        }
        relative[i % INPUTS] += Math.abs(w[i]) / (largest + 1e-6) / (3 * OUTPUTS);
      }
    }
    for (boolean isDuo : new boolean[] {false, true}) {
      double[] s = new double[INPUTS];
      double min = Double.MAX_VALUE;
      double max = 0;
      for (int j = 0; j < INPUTS; j++) {
        s[j] = Math.pow(means[j], best / 20.0);
        s[j] /= isDuo ? Math.pow(relative[j], 1 - best / 20.0) + 1e-4 : 1;
        min = Math.min(min, s[j]);
        max = Math.max(max, s[j]);
      }
      Findings findings = found(precision(4, "duo_scaling", Boolean.toString(isDuo)), best);
      float[] divisor = findings.outputDivisor("norm").orElseThrow();
      for (int j = 0; j < INPUTS; j++) {
        double expected = s[j] / Math.sqrt(min * max);
        assertThat((double) divisor[j]).isCloseTo(expected, Offset.offset(POWERS * expected));
      }
      for (CalibrationBlock.Layer layer : layers) {
        assertThat(findings.numbers(layer.name(), Findings.INPUT_FACTOR)).hasValue(divisor);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {4, 3})
  void valueIsClippedWhereThatChangesLeast(int bits) {
    Findings findings = found(precision(bits), 9);
    float[] s = findings.outputDivisor("norm").orElseThrow();
    int groups = 3;
    int clipped = 0;
    for (CalibrationBlock.Layer layer : layers) {
      float[] limits = findings.numbers(layer.name(), Findings.CLIP).orElseThrow();
      assertThat(limits).hasSize(OUTPUTS * groups);
      for (int g = 0; g < limits.length; g++) {
        int first = g % groups * GROUP;
        int n = Math.min(GROUP, INPUTS - first);
        double[] w = new double[n];
        double largest = 0;
        for (int i = 0; i < n; i++) {
          w[i] = values(layer)[g / groups * INPUTS + first + i] * s[first + i];
          largest = Math.max(largest, Math.abs(w[i]));
        }
        if (!layer.name().equals("layers.0.value")) {
          assertThat((double) limits[g]).isCloseTo(largest, Offset.offset(1e-6 * largest));
          continue;
        }
        double least = Double.MAX_VALUE;
        double found = Double.MAX_VALUE;
        for (int t = 0; t < 10; t++) {
          double limit = largest * (1 - t / 20.0);
          double error = error(w, limit, bits, s, first);
          least = Math.min(least, error);
          if (Math.abs(limits[g] - limit) < 1e-6 * limit) {
            found = error;
            clipped += t > 0 ? 1 : 0;
          }
        }
        assertThat(found).as("group %s", g).isLessThanOrEqualTo(least * (1 + NEAR_TIE));
      }
    }
    assertThat(clipped).isGreaterThan(0);
  }

  /** Σ over every other row of (Σ x / s · (ŵ − w))². */
  private double error(double[] w, double limit, int bits, float[] s, int first) {
    double min = Double.MAX_VALUE;
    double max = -Double.MAX_VALUE;
    for (double each : w) {
      double kept = Math.max(-limit, Math.min(limit, each));
      min = Math.min(min, kept);
      max = Math.max(max, kept);
    }
    int levels = (1 << bits) - 1;
    // In float32 the zero point of ±c is a tie that is decided by the last bit.
    float scale = ((float) max - (float) min) / levels;
    double zero = Math.max(0, Math.min(levels, -Math.rint((float) min / scale)));
    double sum = 0;
    for (int t = 0; t < ALL_ROWS; t += 2) {
      double y = 0;
      for (int i = 0; i < w.length; i++) {
        double kept = Math.max(-limit, Math.min(limit, w[i]));
        double q = Math.max(0, Math.min(levels, Math.rint(kept / scale) + zero));
        y += x[t * INPUTS + first + i] / s[first + i] * ((q - zero) * scale - w[i]);
      }
      sum += y * y;
    }
    return sum;
  }

  @Test
  void withoutClippingGroupsKeepTheirLargest() {
    Precision precision = precision(4, "clip", "false");
    Findings findings = found(precision, 3);
    for (CalibrationBlock.Layer layer : layers) {
      CalibratedWeight weight = new CalibratedWeight(layer.weight(), layer.name(), findings);
      CodedWeight expected = RoundToNearest.quantize(weight, RoundToNearest.Recipe.awq(4, GROUP));
      CodedWeight found =
          ((LinearForm.Coded) Schemes.of(precision).prepare(weight, precision)).weight();
      float[] row = new float[INPUTS];
      float[] other = new float[INPUTS];
      for (int r = 0; r < OUTPUTS; r++) {
        expected.row(r, row);
        found.row(r, other);
        assertThat(other).isEqualTo(row);
      }
    }
  }

  @Test
  void noFiniteErrorIsRefused() {
    assertThatThrownBy(() -> found(precision(4), -1))
        .isInstanceOf(InvalidInputException.class)
        .hasMessage("norm: found no finite error with any factor of its outputs");
  }
}
