package org.cliffwatch.quantizer.analysis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.function.ToDoubleFunction;
import org.assertj.core.data.Percentage;
import org.cliffwatch.quantizer.calibration.CalibrationText;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.kernel.MatrixRows;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.model.Inventory;
import org.cliffwatch.quantizer.model.Variant;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.quantizer.scheme.Schemes;
import org.cliffwatch.quantizer.train.LossGradient;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** On a loss whose shape is known: a constant and half the squared distance, times {@link #H}. */
class LossLandscapeTest {
  private static final double H = 3;
  private static final double LOSS = 0.5;
  private static final Precisions PRECISIONS = Precisions.packaged();

  /** Weights move in float32. */
  private static final Percentage ROUNDING = Percentage.withPercentage(0.01);

  @TempDir Path folder;

  private final Map<String, WeightRows> weights = weights();

  private static Map<String, WeightRows> weights() {
    Random random = new Random(5);
    Map<String, WeightRows> weights = new LinkedHashMap<>();
    for (int layer = 0; layer < 3; layer++) {
      float[] values = new float[24 * 32];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) ((layer + 1) * random.nextGaussian());
      }
      weights.put("layers." + layer + ".up", new MatrixRows("up" + layer, 24, 32, values));
    }
    return weights;
  }

  private static double squareDistance(
      Map<String, WeightRows> some, Map<String, WeightRows> others) {
    double squares = 0;
    for (Map.Entry<String, WeightRows> each : some.entrySet()) {
      WeightRows other = others.get(each.getKey());
      float[] a = new float[other.columns()];
      float[] b = new float[other.columns()];
      for (int r = 0; r < other.rows(); r++) {
        each.getValue().row(r, a);
        other.row(r, b);
        for (int c = 0; c < a.length; c++) {
          squares += Math.pow((double) a[c] - b[c], 2);
        }
      }
    }
    return squares;
  }

  private final ToDoubleFunction<Map<String, WeightRows>> bowl =
      at -> LOSS + H / 2 * squareDistance(at, weights);

  private static Map<String, Double> values(List<Quantity> found, String precision) {
    Map<String, Double> values = new LinkedHashMap<>();
    for (Quantity each : found) {
      assertThat(each.projection()).isEqualTo("all");
      assertThat(each.layer()).isNull();
      if (java.util.Objects.equals(each.precision(), precision)) {
        values.put(each.quantity(), each.value());
      }
    }
    return values;
  }

  private Map<String, WeightRows> rounded(Precision precision) {
    Map<String, WeightRows> rounded = new LinkedHashMap<>();
    weights.forEach(
        (layer, weight) ->
            rounded.put(layer, Schemes.of(precision).prepare(weight, precision).weights()));
    return rounded;
  }

  @Test
  void aBowlIsAsHighAsItIsFar() {
    double size = squareDistance(weights, zeros());
    List<Precision> precisions =
        List.of("w4", "w8a8", "mxfp4", "w3-g128", "nf4", "bf16").stream()
            .map(PRECISIONS::named)
            .toList();
    List<Quantity> found = LossLandscape.of(weights, bowl, Optional.empty(), precisions, 1);
    Map<String, Double> ofAll = values(found, null);
    assertThat(ofAll).containsOnlyKeys("loss", "basin_radius").containsEntry("loss", LOSS);
    // LOSS + H/2 ρ² ‖w‖² = 1.1 LOSS
    double radius = Math.sqrt(LossLandscape.RISE * LOSS / (H / 2 * size));
    assertThat(ofAll.get("basin_radius"))
        .as("the largest inside, to the bisections' bits")
        .isBetween(radius * Math.pow(2, -1 / Math.pow(2, LossLandscape.BISECTIONS)), radius);
    for (Precision precision : precisions) {
      double square = squareDistance(rounded(precision), weights);
      Map<String, Double> values = values(found, precision.name());
      assertThat(square).as(precision.name()).isPositive();
      assertThat(values.get("rounding_norm")).isCloseTo(Math.sqrt(square / size), ROUNDING);
      assertThat(values.get("rounding_norm_over_radius"))
          .isCloseTo(Math.sqrt(square / size) / ofAll.get("basin_radius"), ROUNDING);
      assertThat(values.get("rounding_increase_0.5")).isCloseTo(H / 8 * square, ROUNDING);
      assertThat(values.get("rounding_increase_1")).isCloseTo(H / 2 * square, ROUNDING);
      assertThat(values.get("rounding_increase_2")).isCloseTo(H * 2 * square, ROUNDING);
      assertThat(values.get("rounding_increase_4")).isCloseTo(H * 8 * square, ROUNDING);
      assertThat(values.get("random_increase"))
          .as("of the rounding's own size in each matrix")
          .isCloseTo(H / 2 * square, ROUNDING);
      assertThat(values.get("random_increase_sd")).isLessThan(1e-3 * square);
    }
    assertThat(LossLandscape.of(weights, bowl, Optional.empty(), precisions, 1)).isEqualTo(found);
  }

  private Map<String, WeightRows> zeros() {
    Map<String, WeightRows> zeros = new LinkedHashMap<>();
    weights.forEach((layer, w) -> zeros.put(layer, new MatrixRows(layer, 24, 32, new float[768])));
    return zeros;
  }

  /** A slope that is steep in one matrix alone: random directions differ, and with the seed. */
  @Test
  void directionsAreRandom() {
    ToDoubleFunction<Map<String, WeightRows>> slope =
        at -> {
          float[] row = new float[32];
          at.getOrDefault("layers.1.up", weights.get("layers.1.up")).row(0, row);
          return row[0];
        };
    List<Precision> w4 = List.of(PRECISIONS.named("w4"));
    Map<String, Double> first =
        values(LossLandscape.of(weights, slope, Optional.empty(), w4, 1), "w4");
    Map<String, Double> second =
        values(LossLandscape.of(weights, slope, Optional.empty(), w4, 2), "w4");
    assertThat(first.get("random_increase_sd")).isPositive();
    assertThat(second.get("random_increase")).isNotEqualTo(first.get("random_increase"));
    assertThat(second.get("rounding_increase_1")).isEqualTo(first.get("rounding_increase_1"));
    assertThat(first.get("rounding_increase_2"))
        .isCloseTo(2 * first.get("rounding_increase_1"), ROUNDING);
  }

  /** Weights that the type holds do not move, and nothing is asked of the loss. */
  @Test
  void whatIsExactCostsNothing() {
    int[] calls = {0};
    ToDoubleFunction<Map<String, WeightRows>> counted =
        at -> {
          calls[0]++;
          return bowl.applyAsDouble(at);
        };
    LossLandscape.of(weights, counted, Optional.empty(), List.of(), 1);
    int without = calls[0];
    Map<String, Double> values =
        values(
            LossLandscape.of(
                weights, counted, Optional.empty(), List.of(PRECISIONS.named("fp32")), 1),
            "fp32");
    assertThat(values.values()).containsOnly(0.0);
    assertThat(calls[0]).isEqualTo(2 * without);
  }

  @Test
  void calibratedPrecisionsAreNotCovered() {
    assertThat(LossLandscape.covers(PRECISIONS.named("w8a8"))).isTrue();
    assertThat(LossLandscape.covers(PRECISIONS.named("gptq-w4-g128"))).isFalse();
    assertThat(LossLandscape.covers(PRECISIONS.named("smoothquant"))).isFalse();
  }

  @Test
  void hutchinsonIsExactForADiagonalHessian() {
    float[] h = {1, 5, -2, 0.5f, 40, 7};
    float[] w = {0.3f, -1, 2, 0.1f, 0.7f, -0.2f};
    HessianTrace trace = HessianTrace.of(at -> product(h, at), w, 4, 9);
    assertThat(trace.value()).isCloseTo(51.5, within(51.5 * 1e-3));
    assertThat(trace.error()).isLessThan(51.5 * 1e-3);
  }

  private static float[] product(float[] diagonal, float[] at) {
    float[] g = new float[at.length];
    for (int i = 0; i < g.length; i++) {
      g[i] = diagonal[i] * at[i];
    }
    return g;
  }

  /** H = A + Aᵀ of a random A: within three of its own standard errors of the trace. */
  @Test
  void hutchinsonIsRightOnAverage() {
    int n = 40;
    Random random = new Random(2);
    double[][] a = new double[n][n];
    double trace = 0;
    for (int i = 0; i < n; i++) {
      for (int k = 0; k <= i; k++) {
        a[i][k] = random.nextGaussian();
        a[k][i] = a[i][k];
      }
      a[i][i] += 3;
      trace += a[i][i];
    }
    float[] w = new float[n];
    java.util.Arrays.fill(w, 1);
    HessianTrace found =
        HessianTrace.of(
            at -> {
              float[] g = new float[n];
              for (int i = 0; i < n; i++) {
                double sum = 0;
                for (int k = 0; k < n; k++) {
                  sum += a[i][k] * at[k];
                }
                g[i] = (float) sum;
              }
              return g;
            },
            w,
            64,
            3);
    assertThat(found.error()).isBetween(1.0, 20.0);
    assertThat(found.value()).isCloseTo(trace, within(3 * found.error()));
  }

  /** The trainer's forward pass is the decoder's, and its gradient that of the decoder's loss. */
  @Test
  void theTrainersGradientIsTheDecoders() {
    Path embedded = Path.of("../data/checkpoints/bf16-wd0.1/step250");
    Random random = new Random(8);
    List<int[]> samples = new ArrayList<>();
    try (Checkpoint checkpoint = Checkpoint.open(embedded)) {
      Inventory inventory = Inventory.of(checkpoint);
      int vocabulary = inventory.architecture().vocabulary();
      for (int s = 0; s < 3; s++) {
        samples.add(random.ints(32, 0, vocabulary).toArray());
      }
      LossGradient gradient = LossGradient.of(checkpoint, samples).orElseThrow();
      float[] w = gradient.weights();
      LossGradient.Slope slope = gradient.at(w);
      try (SampleLoss loss = new SampleLoss(inventory, samples, Backends.open("onednn"), 2)) {
        assertThat(loss.applyAsDouble(Map.of())).isCloseTo(slope.loss(), within(1e-4));

        // Downhill along the feed-forward's output of the first block, whose rows are the tensor's.
        Map<String, WeightRows> blocks = inventory.weightsInBlocks();
        WeightRows down = blocks.get("layers.0.down");
        int inputs = down.columns();
        int outputs = down.rows();
        int at = 4 * outputs * outputs + inputs * outputs;
        double square = 0;
        for (int i = 0; i < inputs * outputs; i++) {
          square += (double) slope.gradient()[at + i] * slope.gradient()[at + i];
        }
        assertThat(square).isPositive();
        double step = 2e-3 / Math.sqrt(square);
        double[] sides = new double[2];
        for (int side = 0; side < 2; side++) {
          float[] moved = new float[inputs * outputs];
          for (int i = 0; i < moved.length; i++) {
            moved[i] = (float) (w[at + i] + (side == 0 ? step : -step) * slope.gradient()[at + i]);
          }
          sides[side] =
              loss.applyAsDouble(
                  Map.of("layers.0.down", new MatrixRows("down", outputs, inputs, moved)));
        }
        assertThat((sides[0] - sides[1]) / (2 * step))
            .isCloseTo(square, Percentage.withPercentage(1));
      }
    }
  }

  @Test
  void otherFamiliesHaveNoGradient() throws IOException {
    for (String name : List.of("llama-llama3", "gpt_neox-sequential", "gpt_neox-tied")) {
      Variant variant = Variant.of(name);
      Path path = variant.write(folder.resolve(name));
      try (Checkpoint checkpoint = Checkpoint.open(path)) {
        assertThat(LossGradient.of(checkpoint, List.of(new int[] {1, 2}))).as(name).isEmpty();
      }
    }
  }

  /** Of a checkpoint and its text, whatever the threads. */
  @Test
  void aCheckpointsLandscape() throws IOException {
    Path text = Path.of("../data/microworld/calibration.jsonl");
    List<Precision> precisions = List.of(PRECISIONS.named("w4"), PRECISIONS.named("w8"));
    List<List<Quantity>> found = new ArrayList<>();
    for (int threads : new int[] {1, 2}) {
      try (Checkpoint checkpoint =
          Checkpoint.open(Path.of("../data/checkpoints/bf16-wd0.1/step250"))) {
        found.add(
            LossLandscape.of(
                checkpoint,
                CalibrationText.read("calibration.jsonl", Files.newInputStream(text)),
                16,
                precisions,
                Backends.open("onednn"),
                threads,
                1));
      }
    }
    assertThat(found.get(1)).isEqualTo(found.get(0));
    Map<String, Double> all = values(found.get(0), null);
    assertThat(all)
        .containsOnlyKeys(
            "loss", "gradient_norm", "hessian_trace", "hessian_trace_error", "basin_radius");
    assertThat(all.get("loss")).isBetween(1.0, 7.0);
    assertThat(all.get("basin_radius")).isBetween(1e-3, 1.0);
    Map<String, Double> w4 = values(found.get(0), "w4");
    Map<String, Double> w8 = values(found.get(0), "w8");
    assertThat(w4.get("rounding_norm")).isGreaterThan(10 * w8.get("rounding_norm"));
    assertThat(w4.get("rounding_increase_4")).isGreaterThan(w4.get("rounding_increase_1"));
  }
}
