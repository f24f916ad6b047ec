package org.cliffwatch.quantizer.analysis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.assertj.core.data.Percentage;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.analysis.SolutionPath.Point;
import org.cliffwatch.quantizer.analysis.SolutionPath.Solution;
import org.cliffwatch.quantizer.calibration.CalibrationText;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.model.Calibrator;
import org.cliffwatch.quantizer.model.Inventory;
import org.cliffwatch.quantizer.scheme.Calibration;
import org.cliffwatch.quantizer.scheme.CalibrationBlock;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.quantizer.scheme.Schemes;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class SolutionPathTest {
  private static final Path DATA = Path.of("..", "data");
  private static final Path EMBEDDED = DATA.resolve("checkpoints/bf16-wd0.1");
  private static final Calibration INPUTS = new Calibration(6, 16, null, true);

  /** The same sums in another order, in float64; each point's weights are rounded to float32. */
  private static final Percentage SUMS = Percentage.withPercentage(1e-3);

  private static Checkpoint origin;
  private static Checkpoint later;
  private static Backend backend;
  private static CalibrationText text;

  @BeforeAll
  static void open() throws IOException {
    origin = Checkpoint.open(EMBEDDED.resolve("step250"));
    later = Checkpoint.open(EMBEDDED.resolve("step700"));
    backend = Backends.open("onednn");
    text =
        CalibrationText.read(
            "calibration.jsonl",
            Files.newInputStream(DATA.resolve("microworld/calibration.jsonl")));
  }

  @AfterAll
  static void close() {
    origin.close();
    later.close();
  }

  private static Precision precision(String name) {
    return Precisions.packaged().named(name);
  }

  private static List<Point> path(Solution from, Solution to, int threads, int points) {
    return SolutionPath.of(origin, from, to, text, INPUTS, text, backend, threads, points);
  }

  @Test
  void withoutQuantizationNothingChanges() {
    Solution same = new Solution(origin, precision("fp32"));
    List<Point> path = path(same, same, 1, 2);
    assertThat(path.get(0).distance()).isZero();
    assertThat(path.get(0).local()).isZero();
    assertThat(path.get(1)).isEqualTo(new Point(1, 0, 0, path.get(0).loss()));
    // A vocabulary of 979, and a model that has learnt something.
    assertThat(path.get(0).loss()).isBetween(0.5, 3.0);
  }

  @Test
  void everyPointIsWhatItsWeightsGive() {
    Solution from = new Solution(origin, precision("w4"));
    Solution to = new Solution(later, precision("w8"));
    List<Point> path = path(from, to, 2, 3);
    assertThat(path).isEqualTo(path(from, to, 1, 3));
    assertThat(path.stream().map(Point::t)).containsExactly(0.0, 0.5, 1.0);

    Inventory inventory = Inventory.of(origin);
    Map<String, WeightRows> weights = inventory.weightsInBlocks();
    Map<String, List<float[]>> inputs = inputs(inventory);
    for (Point point : path) {
      double distance = 0;
      double norm = 0;
      List<Double> shares = new ArrayList<>();
      for (Map.Entry<String, WeightRows> layer : weights.entrySet()) {
        WeightRows w = layer.getValue();
        float[][] moved = between(layer.getKey(), w, point.t());
        double error = 0;
        double size = 0;
        float[] row = new float[w.columns()];
        for (int r = 0; r < w.rows(); r++) {
          w.row(r, row);
          for (int c = 0; c < row.length; c++) {
            distance += Math.pow((double) moved[r][c] - row[c], 2);
            norm += (double) row[c] * row[c];
          }
          for (float[] x : inputs.get(layer.getKey())) {
            for (int at = 0; at < x.length; at += row.length) {
              double y = 0;
              double change = 0;
              for (int c = 0; c < row.length; c++) {
                y += (double) row[c] * x[at + c];
                change += ((double) moved[r][c] - row[c]) * x[at + c];
              }
              size += y * y;
              error += change * change;
            }
          }
        }
        shares.add(error / size);
      }
      assertThat(point.distance()).isCloseTo(Math.sqrt(distance / norm), SUMS);
      assertThat(point.local())
          .isCloseTo(shares.stream().mapToDouble(each -> each).average().orElseThrow(), SUMS);
    }
    assertThat(path.get(0).distance()).isLessThan(path.get(2).distance());
    Solution rounded = new Solution(origin, precision("w4"));
    assertThat(path(rounded, rounded, 1, 2).get(1).loss())
        .isCloseTo(path.get(0).loss(), within(1e-6));
  }

  private static float[][] between(String layer, WeightRows shape, double t) {
    WeightRows a = Schemes.of(precision("w4")).prepare(shape, precision("w4")).weights();
    WeightRows other = Inventory.of(later).weightsInBlocks().get(layer);
    WeightRows b = Schemes.of(precision("w8")).prepare(other, precision("w8")).weights();
    float[][] moved = new float[shape.rows()][shape.columns()];
    float[] end = new float[shape.columns()];
    for (int r = 0; r < moved.length; r++) {
      a.row(r, moved[r]);
      b.row(r, end);
      for (int c = 0; c < end.length; c++) {
        moved[r][c] = (float) (moved[r][c] + t * ((double) end[c] - moved[r][c]));
      }
    }
    return moved;
  }

  private static Map<String, List<float[]>> inputs(Inventory inventory) {
    Map<String, List<float[]>> inputs = new HashMap<>();
    try (Calibrator calibrator =
        new Calibrator(
            inventory, backend, text.samples(INPUTS, origin, inventory), 1, share -> {})) {
      calibrator.observe(
          new Calibrator.Observer() {
            @Override
            public void begin(int number, Map<String, float[]> gains) {
              // Not looked at.
            }

            @Override
            public void inputs(String first, float[] x, int columns) {
              inputs.computeIfAbsent(first, name -> new ArrayList<>()).add(x.clone());
            }

            @Override
            public void end(CalibrationBlock block) {
              for (CalibrationBlock.Group group : block.groups()) {
                List<float[]> shared = inputs.get(group.layers().get(0).name());
                group.layers().forEach(layer -> inputs.put(layer.name(), shared));
              }
            }
          });
    }
    return inputs;
  }

  /** GPTQ's objective is the local one: it leaves less of it than rounding to the same grid. */
  @Test
  void gptqLeavesLessOfTheLocalError() {
    Precision nearest = row("rtn", Map.of("symmetric", "false", "grid", "gptq"));
    Precision gptq =
        row(
            "gptq",
            Map.of("symmetric", "false", "calibration_samples", "6", "calibration_length", "16"));
    List<Point> path = path(new Solution(origin, gptq), new Solution(origin, nearest), 1, 2);
    assertThat(path.get(0).local()).isLessThan(0.7 * path.get(1).local());
    assertThat(path.get(0).distance()).isGreaterThan(path.get(1).distance());
  }

  private static Precision row(String scheme, Map<String, String> options) {
    Map<String, String> keys = new HashMap<>(options);
    keys.putAll(
        Map.of(
            "scheme", scheme,
            "weight_bits", "3",
            "activation_bits", "32",
            "compute", "float32",
            "group", "-1"));
    return Precisions.packaged().added("test", scheme + "-3", keys);
  }

  @Test
  void whatIsNoPathIsRefused() {
    Solution own = new Solution(origin, precision("w4"));
    assertThatThrownBy(() -> path(new Solution(origin, precision("smoothquant")), own, 1, 2))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("precision smoothquant")
        .hasMessageContaining("expected one that changes weights alone");
  }
}
