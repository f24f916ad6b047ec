package org.cliffwatch.quantizer.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.cliffwatch.quantizer.InvalidInputException;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class VocabularyHeadTest {
  /** Of log-probabilities around 10 nats: float32 logits, a float32 sum of exponentials. */
  private static final double TOLERANCE = 1e-5;

  /** Nats, of a divergence up to 1: a mean of differences of logits, summed in float32. */
  private static final double DIVERGENCE_TOLERANCE = 3e-6;

  private static final int HIDDEN = 33;

  @ParameterizedTest
  @CsvSource({
    "reference, 1, FLOAT32",
    "onednn, 1, FLOAT32",
    "reference, 1000, FLOAT32",
    "onednn, 511, FLOAT32",
    "onednn, 512, FLOAT32",
    "onednn, 513, FLOAT32",
    "onednn, 1551, FLOAT32",
    "reference, 700, BFLOAT16",
    "onednn, 700, BFLOAT16",
    "reference, 700, FLOAT16",
    "onednn, 700, FLOAT16"
  })
  void equalsTheLogSoftmaxOfItsLogits(String backend, int vocabulary, FloatType type) {
    for (boolean withBias : new boolean[] {false, true}) {
      Inputs in = new Inputs(vocabulary, 300, type, 3);
      float[] bias = withBias ? LinearTest.normals(new SplittableRandom(4), vocabulary) : null;
      try (VocabularyHead head = Backends.open(backend).head(in.weight, bias, type)) {
        assertThat(head.vocabulary()).isEqualTo(vocabulary);
        float[] logits = new float[in.rows * vocabulary];
        head.logits(in.x, in.rows, logits);
        checkLogits(in, bias, type, logits);
        Scores found = in.score(head);
        for (int row = 0; row < in.rows; row++) {
          double logSumExp = logSumExp(logits, row * vocabulary, vocabulary);
          int best = best(logits, row * vocabulary, vocabulary);
          for (int i = in.firstTarget[row]; i < in.firstTarget[row + 1]; i++) {
            double expected = logits[row * vocabulary + in.targets[i]] - logSumExp;
            assertThat(Math.abs(found.logProbability[i] - expected)).isLessThan(TOLERANCE);
            assertThat(found.greedy[i]).isEqualTo(in.targets[i] == best);
          }
        }
      }
    }
  }

  private static void checkLogits(Inputs in, float[] bias, FloatType type, float[] logits) {
    int vocabulary = in.weight.rows();
    double halfUlp =
        switch (type) {
          case FLOAT32 -> 0;
          case BFLOAT16 -> 0x1p-8;
          case FLOAT16 -> 0x1p-11;
        };
    for (int row = 0; row < in.rows; row += 37) {
      for (int token = 0; token < vocabulary; token++) {
        double sum = bias == null ? 0 : bias[token];
        for (int i = 0; i < HIDDEN; i++) {
          sum += (double) in.x[row * HIDDEN + i] * in.weight.values()[token * HIDDEN + i];
        }
        assertThat(Math.abs(logits[row * vocabulary + token] - sum))
            .isLessThan(TOLERANCE + halfUlp * Math.abs(sum));
      }
    }
  }

  @Tag("gpu")
  @ParameterizedTest
  @MethodSource("org.cliffwatch.quantizer.kernel.OfferedBackends#names")
  void aRowsBitsDependOnThatRowAlone(String backend) {
    for (FloatType type : FloatType.values()) {
      Inputs in = new Inputs(1200, 90, type, 5);
      try (VocabularyHead head = Backends.open(backend).head(in.weight, null, type)) {
        double[] together = in.score(head).logProbability;
        for (int row : new int[] {0, 31, 32, 89}) {
          int from = in.firstTarget[row];
          int wanted = in.firstTarget[row + 1] - from;
          double[] alone = new double[wanted];
          head.score(
              Arrays.copyOfRange(in.x, row * HIDDEN, (row + 1) * HIDDEN),
              1,
              new int[] {0, wanted},
              Arrays.copyOfRange(in.targets, from, from + wanted),
              new Stopwatch(),
              alone,
              new boolean[wanted]);
          assertThat(alone).isEqualTo(Arrays.copyOfRange(together, from, from + wanted));
        }
      }
    }
  }

  @Tag("gpu")
  @ParameterizedTest
  @MethodSource("org.cliffwatch.quantizer.kernel.OfferedBackends#names")
  void theLowestOfEqualTokensIsGreedy(String backend) {
    float[] values = new float[1100 * HIDDEN];
    values[5 * HIDDEN] = 1;
    values[700 * HIDDEN] = 1;
    float[] x = new float[HIDDEN];
    x[0] = 3;
    MatrixRows weight = new MatrixRows("lm_head", 1100, HIDDEN, values);
    try (VocabularyHead head = Backends.open(backend).head(weight, null, FloatType.FLOAT32)) {
      double[] logProbability = new double[2];
      boolean[] greedy = new boolean[2];
      head.score(
          x, 1, new int[] {0, 2}, new int[] {700, 5}, new Stopwatch(), logProbability, greedy);
      assertThat(greedy).containsExactly(false, true);
      assertThat(logProbability[0]).isEqualTo(logProbability[1]);
    }
  }

  @Tag("gpu")
  @ParameterizedTest
  @MethodSource("org.cliffwatch.quantizer.kernel.OfferedBackends#names")
  void aRowThatIsNotFiniteSpoilsNoOther(String backend) {
    Inputs in = new Inputs(600, 3, FloatType.FLOAT32, 6);
    try (VocabularyHead head = Backends.open(backend).head(in.weight, null, FloatType.FLOAT32)) {
      double[] clean = in.score(head).logProbability;
      in.x[HIDDEN + 2] = Float.NaN;
      double[] found = in.score(head).logProbability;
      for (int row = 0; row < 3; row++) {
        for (int i = in.firstTarget[row]; i < in.firstTarget[row + 1]; i++) {
          assertThat((Double) found[i]).isEqualTo((Double) (row == 1 ? Double.NaN : clean[i]));
        }
      }
    }
  }

  /** Logits that overflow their type, in the first block of the vocabulary or the last. */
  @ParameterizedTest
  @CsvSource({
    "reference, 0, 1",
    "reference, 0, -1",
    "reference, 599, -1",
    "onednn, 0, 1",
    "onednn, 0, -1",
    "onednn, 511, 1",
    "onednn, 599, 1",
    "onednn, 599, -1"
  })
  void aLogitThatOverflowsSpoilsItsRowAndNoOther(String backend, int token, float sign) {
    Inputs in = new Inputs(600, 3, FloatType.FLOAT16, 6);
    for (boolean wholeBlock : new boolean[] {false, true}) {
      for (int t = wholeBlock ? token / 512 * 512 : token; t <= token; t++) {
        in.weight.values()[t * HIDDEN] = sign * 60000;
      }
      for (int row = 0; row < 3; row++) {
        in.x[row * HIDDEN] = 0;
      }
      try (VocabularyHead head = Backends.open(backend).head(in.weight, null, FloatType.FLOAT16)) {
        double[] clean = in.score(head).logProbability;
        in.x[HIDDEN] = 40;
        double[] found = in.score(head).logProbability;
        for (int row = 0; row < 3; row++) {
          for (int i = in.firstTarget[row]; i < in.firstTarget[row + 1]; i++) {
            assertThat((Double) found[i]).isEqualTo((Double) (row == 1 ? Double.NaN : clean[i]));
          }
        }
      }
    }
  }

  /** Step by step as {@link LogitTransform#apply}, and scored as any logits. */
  @Tag("gpu")
  @ParameterizedTest
  @MethodSource("org.cliffwatch.quantizer.kernel.OfferedBackends#names")
  void transformedLogits(String backend) {
    LogitTransform[] transforms = {
      new LogitTransform(0.3f, 0), new LogitTransform(1, 2.5f), new LogitTransform(1.7f, 30)
    };
    for (FloatType type : FloatType.values()) {
      Inputs in = new Inputs(701, 20, type, 8);
      in.x[2 * HIDDEN] = Float.POSITIVE_INFINITY;
      float[] plain = new float[in.rows * in.weight.rows()];
      float[] logits = new float[plain.length];
      try (VocabularyHead head = Backends.open(backend).head(in.weight, null, type)) {
        head.logits(in.x, in.rows, plain);
      }
      for (LogitTransform transform : transforms) {
        try (VocabularyHead head = Backends.open(backend).head(in.weight, null, type, transform)) {
          head.logits(in.x, in.rows, logits);
          for (int i = 0; i < logits.length; i++) {
            float expected = transform.apply(plain[i], type);
            if (Float.isFinite(expected)) {
              // Two values of tanh may round to neighbours.
              float tolerance = type == FloatType.FLOAT32 ? 1e-5f : 2 * type.ulp(expected);
              assertThat(Math.abs(logits[i] - expected)).isLessThanOrEqualTo(tolerance);
            } else {
              assertThat(Float.isFinite(logits[i])).isFalse();
            }
          }
          Scores found = in.score(head);
          for (int row = 0; row < in.rows; row++) {
            double logSumExp = logSumExp(logits, row * 701, 701);
            for (int i = in.firstTarget[row]; i < in.firstTarget[row + 1]; i++) {
              if (row == 2) {
                assertThat(found.logProbability[i]).isNaN();
              } else {
                double expected = logits[row * 701 + in.targets[i]] - logSumExp;
                assertThat(Math.abs(found.logProbability[i] - expected)).isLessThan(TOLERANCE);
              }
            }
          }
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "reference, 1, FLOAT32, FLOAT32",
    "onednn, 1, FLOAT32, FLOAT32",
    "onednn, 15, FLOAT32, FLOAT32",
    "reference, 1000, FLOAT32, BFLOAT16",
    "onednn, 511, FLOAT32, FLOAT32",
    "onednn, 512, FLOAT32, BFLOAT16",
    "onednn, 513, BFLOAT16, FLOAT32",
    "onednn, 1551, FLOAT32, FLOAT16"
  })
  void divergenceIsThatOfTheLogits(
      String backend, int vocabulary, FloatType baselineType, FloatType type) {
    Inputs in = new Inputs(vocabulary, 300, type, 3);
    Inputs before = new Inputs(vocabulary, 300, baselineType, 3);
    SplittableRandom random = new SplittableRandom(9);
    for (int i = 0; i < in.x.length; i++) {
      // From nearly equal distributions to such as have nothing to do with each other.
      double noise = i / HIDDEN % 7 == 0 ? 0 : Math.pow(10, -4 + i / HIDDEN % 5);
      in.x[i] = type.round((float) (in.x[i] + noise * (random.nextDouble() - 0.5)));
    }
    float[] bias = LinearTest.normals(new SplittableRandom(4), vocabulary);
    try (VocabularyHead baseline = Backends.open(backend).head(before.weight, null, baselineType);
        VocabularyHead head = Backends.open(backend).head(in.weight, bias, type)) {
      float[] logits = new float[in.rows * vocabulary];
      head.logits(in.x, in.rows, logits);
      float[] baselineLogits = new float[in.rows * vocabulary];
      baseline.logits(before.x, in.rows, baselineLogits);
      Compared found = in.compare(head, baseline, before.x, 0, in.rows);
      for (int row = 0; row < in.rows; row++) {
        int at = row * vocabulary;
        double expected = divergence(baselineLogits, logits, at, vocabulary);
        assertThat(Math.abs(found.divergence[row] - expected))
            .isLessThan(DIVERGENCE_TOLERANCE * Math.max(1, expected));
        assertThat(found.agrees[row])
            .isEqualTo(best(baselineLogits, at, vocabulary) == best(logits, at, vocabulary));
      }
      for (int row : new int[] {0, 31, 32, 255, 256, 299}) {
        Compared alone = in.compare(head, baseline, before.x, row, 1);
        assertThat(alone.divergence[row]).isEqualTo(found.divergence[row]);
        assertThat(alone.agrees[row]).isEqualTo(found.agrees[row]);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"reference", "onednn"})
  void nothingDivergesFromItself(String backend) {
    Inputs in = new Inputs(1100, 40, FloatType.FLOAT32, 8);
    try (VocabularyHead head = Backends.open(backend).head(in.weight, null, FloatType.FLOAT32)) {
      Compared found = in.compare(head, head, in.x, 0, in.rows);
      assertThat(found.divergence).containsOnly(0);
      assertThat(found.agrees).containsOnly(true);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"reference", "onednn"})
  void aDivergenceThatIsNotFiniteSpoilsNoOther(String backend) {
    Inputs in = new Inputs(600, 4, FloatType.FLOAT32, 6);
    Inputs before = new Inputs(600, 4, FloatType.FLOAT32, 6);
    before.x[5] += 1;
    try (VocabularyHead head = Backends.open(backend).head(in.weight, null, FloatType.FLOAT32)) {
      double[] clean = in.compare(head, head, before.x, 0, 4).divergence;
      in.x[HIDDEN + 2] = Float.NaN;
      before.x[2 * HIDDEN + 1] = Float.POSITIVE_INFINITY;
      double[] found = in.compare(head, head, before.x, 0, 4).divergence;
      assertThat(found).containsExactly(clean[0], Double.NaN, Double.NaN, clean[3]);
      assertThat(clean[0]).isPositive();
    }
  }

  /** KL of the softmax of two rows of logits, by its definition, in float64. */
  private static double divergence(float[] baseline, float[] logits, int at, int n) {
    double baselineSum = logSumExp(baseline, at, n);
    double sum = logSumExp(logits, at, n);
    double divergence = 0;
    for (int i = at; i < at + n; i++) {
      double log = baseline[i] - baselineSum;
      divergence += Math.exp(log) * (log - (logits[i] - sum));
    }
    return divergence;
  }

  @Tag("gpu")
  @ParameterizedTest
  @MethodSource("org.cliffwatch.quantizer.kernel.OfferedBackends#names")
  void isClosedOnceAndRefusedAfter(String backend) {
    Inputs in = new Inputs(600, 3, FloatType.FLOAT32, 6);
    VocabularyHead head = Backends.open(backend).head(in.weight, null, FloatType.FLOAT32);
    head.close();
    head.close();
    assertThatThrownBy(() -> in.score(head))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("closed");
  }

  @Tag("gpu")
  @ParameterizedTest
  @MethodSource("org.cliffwatch.quantizer.kernel.OfferedBackends#names")
  void aWeightThatItsTypeCannotHoldIsRefused(String backend) {
    MatrixRows weight = new MatrixRows("lm_head", 2, 2, new float[] {1, 2, 3, -70000});
    assertThatThrownBy(() -> Backends.open(backend).head(weight, null, FloatType.FLOAT16))
        .isInstanceOf(InvalidInputException.class)
        .hasMessage(
            "lm_head: row 1, column 1: found -70000.0, expected a weight that float16 can hold");
  }

  private static double logSumExp(float[] logits, int at, int n) {
    double max = logits[at + best(logits, at, n)];
    double sum = 0;
    for (int i = 0; i < n; i++) {
      sum += Math.exp(logits[at + i] - max);
    }
    return max + Math.log(sum);
  }

  private static int best(float[] logits, int at, int n) {
    int best = 0;
    for (int i = 1; i < n; i++) {
      best = logits[at + i] > logits[at + best] ? i : best;
    }
    return best;
  }

  private record Scores(double[] logProbability, boolean[] greedy) {}

  private record Compared(double[] divergence, boolean[] agrees) {}

  /** Rows with none to three wanted tokens each. */
  private static final class Inputs {
    private final MatrixRows weight;
    private final int rows;
    private final float[] x;
    private final int[] firstTarget;
    private final int[] targets;

    Inputs(int vocabulary, int rows, FloatType type, int seed) {
      SplittableRandom random = new SplittableRandom(seed);
      this.rows = rows;
      x = rounded(LinearTest.normals(random, rows * HIDDEN), type);
      float[] values = rounded(LinearTest.normals(random, vocabulary * HIDDEN), type);
      weight = new MatrixRows("lm_head", vocabulary, HIDDEN, values);
      firstTarget = new int[rows + 1];
      for (int row = 0; row < rows; row++) {
        firstTarget[row + 1] = firstTarget[row] + row % 4;
      }
      targets = random.ints(firstTarget[rows], 0, vocabulary).toArray();
    }

    private static float[] rounded(float[] values, FloatType type) {
      for (int i = 0; i < values.length; i++) {
        values[i] = type.round(values[i]);
      }
      return values;
    }

    /** Compares {@code count} rows from {@code first} on. */
    Compared compare(
        VocabularyHead head, VocabularyHead baseline, float[] baselineX, int first, int count) {
      Compared compared = new Compared(new double[rows], new boolean[rows]);
      head.compare(
          Arrays.copyOfRange(x, first * HIDDEN, (first + count) * HIDDEN),
          count,
          baseline,
          baselineX,
          first,
          new Stopwatch(),
          compared.divergence,
          compared.agrees);
      return compared;
    }

    Scores score(VocabularyHead head) {
      Scores scores = new Scores(new double[targets.length], new boolean[targets.length]);
      head.score(
          x, rows, firstTarget, targets, new Stopwatch(), scores.logProbability, scores.greedy);
      return scores;
    }
  }
}
