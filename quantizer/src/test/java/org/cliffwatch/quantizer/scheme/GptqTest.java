package org.cliffwatch.quantizer.scheme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.Comparator;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.ForkJoinPool;
import java.util.stream.IntStream;
import org.assertj.core.data.Offset;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.MatrixRows;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.scheme.GptqRounding.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class GptqTest {
  /** Of the loss: the same float64 sums in another order. */
  private static final double SUMS = 1e-9;

  private static final int TOKENS = 500;
  private static final double DAMP = 0.01;

  private static MatrixRows weight(int rows, int columns) {
    SplittableRandom random = new SplittableRandom(rows);
    float[] w = new float[rows * columns];
    for (int i = 0; i < w.length; i++) {
      w[i] = (float) (0.02 * random.nextGaussian());
    }
    return new MatrixRows("mlp.weight", rows, columns, w);
  }

  /** Inputs that go with their neighbours, of scales from 1 to 4. */
  private static float[] inputs(int columns) {
    SplittableRandom random = new SplittableRandom(columns);
    float[] x = new float[TOKENS * columns];
    for (int t = 0; t < TOKENS; t++) {
      double common = 0;
      for (int c = 0; c < columns; c++) {
        common = 0.9 * common + random.nextGaussian();
        x[t * columns + c] = (float) (common * (1 + c % 7 / 2.0));
      }
    }
    return x;
  }

  private static GramMatrix gram(float[] x) {
    GramMatrix gram = new GramMatrix(x.length / TOKENS);
    gram.add(x, TOKENS);
    return gram;
  }

  private static GptqRounding.Recipe recipe(int bits, int group) {
    return new GptqRounding.Recipe(bits, group, false, Order.NATURAL, false, DAMP);
  }

  /**
   * The definition (Optimal Brain Quantization in a fixed order): H⁻¹ is made, and loses each
   * column's row and column once that is quantized. Returns the loss.
   *
   * @param codes (rows, columns), written
   */
  private static double quantizeByDefinition(
      MatrixRows weight, GramMatrix gram, GptqRounding.Recipe recipe, byte[] codes) {
    int n = weight.columns();
    int size = recipe.group() == 0 ? n : Math.min(n, recipe.group());
    Integer[] order =
        IntStream.range(0, n).boxed().sorted(before(gram, recipe, size)).toArray(Integer[]::new);
    double[][] w = new double[weight.rows()][n];
    for (int r = 0; r < weight.rows(); r++) {
      for (int p = 0; p < n; p++) {
        w[r][p] = weight.values()[r * n + order[p]];
      }
    }
    double[][] inverse = inverse(gram, order, recipe.damp());
    double loss = 0;
    float most = (1 << recipe.bits()) - 1;
    RowQuantizer.Grid[] grid = new RowQuantizer.Grid[weight.rows()];
    for (int p = 0; p < n; p++) {
      for (int r = 0; r < weight.rows(); r++) {
        if (p % size == 0) {
          float[] group = new float[Math.min(size, n - p)];
          for (int i = 0; i < group.length; i++) {
            group[i] = (float) w[r][p + i];
          }
          grid[r] = RoundToNearest.gptqGrid(recipe.bits(), recipe.symmetric(), group, group.length);
        }
        float scale = grid[r].scale();
        float q = (float) Math.rint((float) w[r][p] / scale) + grid[r].zero();
        q = Math.max(0, Math.min(most, q));
        codes[r * n + order[p]] = (byte) (int) q;
        double left = w[r][p] - (q - grid[r].zero()) * scale;
        loss += left * left / inverse[p][p] / 2;
        for (int i = p + 1; i < n; i++) {
          w[r][i] -= left / inverse[p][p] * inverse[p][i];
        }
      }
      for (int i = p + 1; i < n; i++) {
        for (int j = p + 1; j < n; j++) {
          inverse[i][j] -= inverse[i][p] * inverse[p][j] / inverse[p][p];
        }
      }
    }
    return loss;
  }

  private static Comparator<Integer> before(GramMatrix gram, GptqRounding.Recipe recipe, int size) {
    Comparator<Integer> bySquares = Comparator.comparing(j -> -gram.squares(j));
    int whole = gram.columns() / size * size;
    Comparator<Integer> byGroup =
        Comparator.comparing(
            j ->
                j >= whole
                    ? 0
                    : -IntStream.range(j / size * size, j / size * size + size)
                        .mapToDouble(gram::squares)
                        .max()
                        .orElseThrow());
    return switch (recipe.order()) {
      case NATURAL -> Comparator.comparing(j -> 0);
      case DESC_ACT -> bySquares;
      case ACT_GROUP_AWARE ->
          byGroup
              .thenComparing(j -> j / size)
              .thenComparing(j -> j >= whole ? 0 : -gram.squares(j));
    };
  }

  /** By Gauss and Jordan. */
  private static double[][] inverse(GramMatrix gram, Integer[] order, double damp) {
    int n = order.length;
    double[][] h = new double[n][n];
    double[][] inverse = new double[n][n];
    double mean = IntStream.range(0, n).mapToDouble(gram::squares).sum() / n;
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        h[i][j] = 2 * gram.get(order[i], order[j]) / gram.rows();
      }
      h[i][i] += (h[i][i] == 0 ? 1 : 0) + damp * 2 * mean / gram.rows();
      inverse[i][i] = 1;
    }
    for (int k = 0; k < n; k++) {
      double pivot = h[k][k];
      for (int j = 0; j < n; j++) {
        h[k][j] /= pivot;
        inverse[k][j] /= pivot;
      }
      for (int i = 0; i < n; i++) {
        double factor = i == k ? 0 : h[i][k];
        for (int j = 0; j < n; j++) {
          h[i][j] -= factor * h[k][j];
          inverse[i][j] -= factor * inverse[k][j];
        }
      }
    }
    return inverse;
  }

  /** What a weight's codes are from 0 on. */
  private static byte[] codes(CodedWeight weight, int low) {
    byte[] codes = new byte[weight.rows() * weight.columns()];
    float[] row = new float[weight.columns()];
    for (int r = 0; r < weight.rows(); r++) {
      weight.values(r, row);
      for (int c = 0; c < row.length; c++) {
        codes[r * row.length + c] = (byte) (int) (row[c] - low);
      }
    }
    return codes;
  }

  /** Groups are whole rows or as long as a block: of shorter ones grids are staler. */
  @ParameterizedTest
  @CsvSource({
    "1, 1, 4, 0, false, NATURAL",
    "5, 1, 3, 128, true, DESC_ACT",
    "1, 7, 2, 0, false, DESC_ACT",
    "3, 130, 8, 0, false, NATURAL",
    "3, 130, 4, 128, false, DESC_ACT",
    "66, 64, 4, 1000, true, NATURAL",
    "66, 257, 4, 128, true, DESC_ACT",
    "6, 320, 3, 128, false, NATURAL",
    "5, 1, 3, 128, true, ACT_GROUP_AWARE",
    "3, 100, 2, 1000, true, ACT_GROUP_AWARE",
    "66, 384, 4, 128, true, ACT_GROUP_AWARE",
    "6, 320, 3, 128, false, ACT_GROUP_AWARE"
  })
  void isTheDefinition(int rows, int columns, int bits, int group, boolean symmetric, Order order) {
    MatrixRows weight = weight(rows, columns);
    GramMatrix gram = gram(inputs(columns));
    GptqRounding.Recipe recipe =
        new GptqRounding.Recipe(bits, group, symmetric, order, false, DAMP);
    byte[] expected = new byte[rows * columns];
    double loss = quantizeByDefinition(weight, gram, recipe, expected);
    GptqRounding.Quantized found = GptqRounding.quantize(weight, gram, recipe);
    assertThat(codes(found.weight(), symmetric ? -(1 << (bits - 1)) : 0)).isEqualTo(expected);
    assertThat(found.loss()).isCloseTo(loss, Offset.offset(SUMS * loss));
    assertThat(found.damp()).isEqualTo(DAMP);
  }

  /** SmolLM2-135M's inputs. */
  @Test
  void theLastGroupIsShorter() {
    CodedWeight found =
        GptqRounding.quantize(weight(3, 576), gram(inputs(576)), recipe(4, 128)).weight();
    assertThat(found.blocks()).isEqualTo(new Blocks.Grid(3, 576, 1, 128));
    assertThat(found.blocks().count()).isEqualTo(15);
    assertThat(found.blocks().index(1, 575)).isEqualTo(9);
    GptqRounding.Recipe ordered =
        new GptqRounding.Recipe(4, 128, false, Order.DESC_ACT, false, DAMP);
    Blocks permuted =
        GptqRounding.quantize(weight(3, 576), gram(inputs(576)), ordered).weight().blocks();
    assertThat(permuted).isInstanceOf(Blocks.Permuted.class);
    int[] sizes = new int[5];
    for (int group : ((Blocks.Permuted) permuted).group()) {
      sizes[group]++;
    }
    assertThat(sizes).containsExactly(128, 128, 128, 128, 64);
  }

  @ParameterizedTest
  @ValueSource(ints = {32, 96, 192})
  void staticGroupsAreThoseOfTheWeightAsItIs(int group) {
    MatrixRows weight = weight(4, 300);
    for (Order order : Order.values()) {
      GptqRounding.Recipe recipe = new GptqRounding.Recipe(4, group, false, order, true, DAMP);
      CodedWeight found = GptqRounding.quantize(weight, gram(inputs(300)), recipe).weight();
      CodedWeight rounded = rounded(weight, 4, group);
      assertThat(found.blocks()).isEqualTo(rounded.blocks());
      for (int b = 0; b < found.blocks().count(); b++) {
        assertThat(found.scale(b)).isEqualTo(rounded.scale(b));
        assertThat(found.zero(b)).isEqualTo(rounded.zero(b));
      }
    }
  }

  private static CodedWeight rounded(WeightRows weight, int bits, int group) {
    Precision precision =
        new Precision(
            "x",
            "rtn",
            bits,
            32,
            FloatType.FLOAT32,
            Map.of("grid", "gptq", "symmetric", "false", "group", Integer.toString(group)));
    return ((LinearForm.Coded) Schemes.of(precision).prepare(weight, precision)).weight();
  }

  /** Σ ‖(W − Ŵ) x‖² / rows, from the inputs themselves. */
  private static double error(MatrixRows weight, CodedWeight quantized, float[] x) {
    int n = weight.columns();
    float[] row = new float[n];
    double sum = 0;
    for (int r = 0; r < weight.rows(); r++) {
      quantized.row(r, row);
      for (int t = 0; t < TOKENS; t++) {
        double y = 0;
        for (int c = 0; c < n; c++) {
          y += ((double) weight.values()[r * n + c] - row[c]) * x[t * n + c];
        }
        sum += y * y;
      }
    }
    return sum / TOKENS;
  }

  @ParameterizedTest
  @CsvSource({"2, 0", "3, 32", "4, 0", "4, 64", "8, 128"})
  void outputsAreCloserThanOfRoundedWeights(int bits, int group) {
    MatrixRows weight = weight(20, 200);
    float[] x = inputs(200);
    double rounded = error(weight, rounded(weight, bits, group == 0 ? -1 : group), x);
    for (Order order : Order.values()) {
      if (order == Order.ACT_GROUP_AWARE && group == 0) {
        continue;
      }
      GptqRounding.Recipe recipe = new GptqRounding.Recipe(bits, group, false, order, false, DAMP);
      CodedWeight found = GptqRounding.quantize(weight, gram(x), recipe).weight();
      assertThat(error(weight, found, x)).isLessThan(rounded);
    }
  }

  @Test
  void theLossIsTheErrorOfOutputsAndTheDampings() {
    MatrixRows weight = weight(5, 150);
    float[] x = inputs(150);
    GramMatrix gram = gram(x);
    GptqRounding.Quantized found = GptqRounding.quantize(weight, gram, recipe(3, 32));
    double mean = IntStream.range(0, 150).mapToDouble(gram::squares).sum() / 150 / TOKENS;
    double squares = 0;
    float[] row = new float[150];
    for (int r = 0; r < 5; r++) {
      found.weight().row(r, row);
      for (int c = 0; c < 150; c++) {
        squares += Math.pow((double) weight.values()[r * 150 + c] - row[c], 2);
      }
    }
    double expected = error(weight, found.weight(), x) + DAMP * mean * squares;
    assertThat(found.loss()).isCloseTo(expected, Offset.offset(SUMS * expected));
  }

  @Test
  void threadsMakeNoDifference() {
    MatrixRows weight = weight(200, 150);
    GramMatrix gram = gram(inputs(150));
    GptqRounding.Recipe recipe = new GptqRounding.Recipe(4, 32, true, Order.DESC_ACT, false, DAMP);
    GptqRounding.Quantized one = in(1, weight, gram, recipe);
    GptqRounding.Quantized many = in(4, weight, gram, recipe);
    assertThat(many.weight().words()).isEqualTo(one.weight().words());
    assertThat(many.loss()).isEqualTo(one.loss());
    for (int b = 0; b < one.weight().blocks().count(); b++) {
      assertThat(many.weight().scale(b)).isEqualTo(one.weight().scale(b));
    }
  }

  private static GptqRounding.Quantized in(
      int threads, WeightRows weight, GramMatrix gram, GptqRounding.Recipe recipe) {
    ForkJoinPool pool = new ForkJoinPool(threads);
    try {
      return pool.submit(() -> GptqRounding.quantize(weight, gram, recipe)).join();
    } finally {
      pool.shutdown();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void rowsOfZerosAndInputsOfZerosGiveZeros(boolean symmetric) {
    MatrixRows weight = weight(4, 40);
    Arrays.fill(weight.values(), 40, 80, 0);
    // Half of the smallest step that float32 can tell from 0.
    Arrays.fill(weight.values(), 120, 160, Float.MIN_VALUE);
    float[] x = inputs(40);
    for (int t = 0; t < TOKENS; t++) {
      x[t * 40 + 9] = 0;
    }
    GptqRounding.Recipe recipe =
        new GptqRounding.Recipe(4, 16, symmetric, Order.DESC_ACT, false, DAMP);
    CodedWeight found = GptqRounding.quantize(weight, gram(x), recipe).weight();
    float[] row = new float[40];
    for (int r = 0; r < 4; r++) {
      found.row(r, row);
      assertThat(row[9]).isZero();
      if (r % 2 == 1) {
        assertThat(row).containsOnly(0);
      }
    }
    // Last of all, though it counts as 1 in H.
    assertThat(found.blocks().index(0, 9)).isEqualTo(2);
  }

  @Test
  void gridsOfWholeRowsSeeWeightsOfInputsOfZeros() {
    MatrixRows weight = weight(1, 8);
    weight.values()[3] = 100;
    float[] x = inputs(8);
    for (int t = 0; t < TOKENS; t++) {
      x[t * 8 + 3] = 0;
    }
    assertThat(GptqRounding.quantize(weight, gram(x), recipe(4, 0)).weight().scale(0))
        .isGreaterThan(6);
    assertThat(GptqRounding.quantize(weight, gram(x), recipe(4, 8)).weight().scale(0))
        .isLessThan(1);
  }

  @Test
  void dampingGrowsWhereInputsAreFewerThanColumns() {
    float[] x = inputs(64);
    GramMatrix few = new GramMatrix(64);
    few.add(x, 10);
    GptqRounding.Recipe undamped = new GptqRounding.Recipe(4, 0, false, Order.NATURAL, false, 0);
    assertThat(GptqRounding.quantize(weight(2, 64), few, undamped).damp()).isEqualTo(0.01);
    assertThat(GptqRounding.quantize(weight(2, 64), gram(x), undamped).damp()).isZero();
  }

  @Test
  void weightThatIsNotFiniteIsNamed() {
    MatrixRows weight = weight(100, 20);
    weight.values()[70 * 20 + 3] = Float.NaN;
    assertThatThrownBy(() -> GptqRounding.quantize(weight, gram(inputs(20)), recipe(4, 0)))
        .isInstanceOf(InvalidInputException.class)
        .hasMessage("mlp.weight: row 70, column 3: found NaN, expected a finite weight");
  }

  @Test
  void weightsWhoseRangeIsNotFiniteAreNamed() {
    MatrixRows weight = weight(1, 20);
    weight.values()[4] = Float.MAX_VALUE;
    weight.values()[5] = -Float.MAX_VALUE;
    assertThatThrownBy(() -> GptqRounding.quantize(weight, gram(inputs(20)), recipe(4, 0)))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageStartingWith("mlp.weight: row 0, group 0: found a scale of Infinity");
  }

  @Test
  void inputsThatAreNotFiniteAreRefused() {
    float[] x = inputs(20);
    x[20 * 30 + 7] = Float.NEGATIVE_INFINITY;
    assertThatThrownBy(() -> GptqRounding.quantize(weight(1, 20), gram(x), recipe(4, 0)))
        .isInstanceOf(InvalidInputException.class)
        .hasMessage(
            "mlp.weight: input 7: found Σ x² = Infinity over 500 rows, expected finite calibration"
                + " inputs");
  }

  /** As of an expert that no row chooses. */
  @Test
  void withoutInputsWeightsAreRoundedToTheNearest() {
    WeightRows weight = weight(9, 40);
    CodedWeight found = GptqRounding.quantize(weight, new GramMatrix(40), recipe(4, 16)).weight();
    Precision nearest =
        new Precision(
            "x",
            "rtn",
            4,
            32,
            FloatType.FLOAT32,
            Map.of("group", "16", "symmetric", "false", "grid", "gptq"));
    CodedWeight expected =
        ((LinearForm.Coded) Schemes.of(nearest).prepare(weight, nearest)).weight();
    float[] row = new float[40];
    float[] other = new float[40];
    for (int r = 0; r < 9; r++) {
      found.row(r, row);
      expected.row(r, other);
      assertThat(row).as("row %s", r).containsExactly(other);
    }
  }
}
