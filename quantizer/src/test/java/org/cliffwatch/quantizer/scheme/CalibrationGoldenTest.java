package org.cliffwatch.quantizer.scheme;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.IntConsumer;
import org.assertj.core.data.Offset;
import org.cliffwatch.quantizer.Shared;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.Linear;
import org.cliffwatch.quantizer.kernel.MatrixRows;
import org.cliffwatch.quantizer.kernel.Tensors;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What schemes find in data, as the original implementations do. */
@Tag("shared")
class CalibrationGoldenTest {
  /** torch's float32 powers, and the products and quotients after them. */
  private static final float POWERS = 5e-7f;

  /** Of a row's largest output: float32 sums in another order, of weights smoothed as above. */
  private static final double PRODUCTS = 1e-5;

  private static final List<String> LAYERS = List.of("q", "k", "v");

  private static Tensors golden(String file) throws IOException {
    return new Tensors(Shared.path("golden/schemes/" + file + ".safetensors"));
  }

  private static WeightRows rows(Tensors golden, String name) {
    int[] shape = golden.shape(name);
    return new MatrixRows(name, shape[0], shape[1], golden.numbers(name));
  }

  /** A norm and the linear layers behind it, given what the norm gives. */
  private record NormAndLayers(List<Layer> layers, InputStatistics inputs)
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
      throw new IllegalStateException();
    }

    @Override
    public void inParallel(int n, IntConsumer work) {
      throw new IllegalStateException();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "ln, 0.5, channel", "ln, 0.5, tensor", "ln, 0.85, channel", "ln, 0.85, tensor",
    "rms, 0.5, channel", "rms, 0.5, tensor", "rms, 0.85, channel", "rms, 0.85, tensor"
  })
  void smoothQuant(String norm, String alpha, String strategy) throws IOException {
    Tensors golden = golden("smoothquant");
    String before = norm + ".fp32.";
    String after = before + "a" + alpha + ".";
    float[] h = golden.numbers(before + "h");
    int rows = golden.shape(before + "h")[0];
    int columns = golden.shape(before + "h")[1];
    for (String activations : List.of("dynamic", "static")) {
      Precision precision =
          new Precision(
              "x",
              "smoothquant",
              8,
              8,
              FloatType.FLOAT32,
              new TreeMap<>(
                  Map.of("alpha", alpha, "strategy", strategy, "activation_scheme", activations)));
      Scheme scheme = Schemes.of(precision);
      InputStatistics inputs = new InputStatistics("q", columns, scheme.statistics(precision));
      inputs.add(h, rows);
      List<CalibrationBlock.Layer> layers =
          LAYERS.stream()
              .map(name -> new CalibrationBlock.Layer(name, rows(golden, name + ".weight")))
              .toList();
      Findings findings = new Findings();
      scheme.calibrate(new NormAndLayers(layers, inputs), precision, findings);

      float[] divisor = findings.outputDivisor("norm").orElseThrow();
      requireClose(
          divided(golden.numbers("norm.weight"), divisor), golden.numbers(after + "norm.weight"));
      if (norm.equals("ln")) {
        requireClose(
            divided(golden.numbers("norm.bias"), divisor), golden.numbers(after + "norm.bias"));
      }
      for (CalibrationBlock.Layer layer : layers) {
        WeightRows calibrated = new CalibratedWeight(layer.weight(), layer.name(), findings);
        float[] row = new float[columns];
        for (int r = 0; r < calibrated.rows(); r++) {
          calibrated.row(r, row);
          float[] all = golden.numbers(after + layer.name() + ".weight");
          requireClose(row, Arrays.copyOfRange(all, r * columns, (r + 1) * columns));
        }
      }
      String tokens = activations.equals("static") ? "per_tensor" : "per_token";
      float[] expected = golden.numbers(after + "q.per_" + strategy + "." + tokens + ".y");
      for (String backend : List.of("reference", "onednn")) {
        try (Linear linear =
            Backends.open(backend)
                .linear(
                    new CalibratedWeight(layers.get(0).weight(), "q", findings),
                    golden.numbers("q.bias"),
                    precision)) {
          float[] y = new float[expected.length];
          linear.apply(golden.numbers(after + "h"), rows, y);
          requireProducts(y, expected, expected.length / rows);
        }
      }
    }
  }

  /** One scale for all inputs: torchao's of the whole call. */
  @Test
  void staticFp8() throws IOException {
    Tensors golden = golden("fp8");
    Precision precision =
        new Precision(
            "x",
            "fp8",
            8,
            8,
            FloatType.FLOAT32,
            Map.of("strategy", "tensor", "activation_scheme", "static"));
    Scheme scheme = Schemes.of(precision);
    float[] x = golden.numbers("linear.x");
    int[] shape = golden.shape("linear.x");
    InputStatistics inputs = new InputStatistics("w", shape[1], scheme.statistics(precision));
    inputs.add(x, shape[0]);
    WeightRows weight = rows(golden, "linear.w");
    Findings findings = new Findings();
    scheme.calibrate(
        new NormAndLayers(List.of(new CalibrationBlock.Layer("w", weight)), inputs),
        precision,
        findings);
    float[] expected = golden.numbers("linear.tensor.scaled_mm");
    for (String backend : List.of("reference", "onednn")) {
      try (Linear linear =
          Backends.open(backend)
              .linear(new CalibratedWeight(weight, "w", findings), null, precision)) {
        float[] y = new float[expected.length];
        linear.apply(x, shape[0], y);
        requireProducts(y, expected, expected.length / shape[0]);
      }
    }
  }

  private static float[] divided(float[] values, float[] divisor) {
    float[] divided = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      divided[i] = values[i] / divisor[i];
    }
    return divided;
  }

  private static void requireClose(float[] found, float[] expected) {
    for (int i = 0; i < expected.length; i++) {
      assertThat(found[i])
          .as("element %s", i)
          .isCloseTo(expected[i], Offset.offset(POWERS * Math.abs(expected[i])));
    }
  }

  private static void requireProducts(float[] found, float[] expected, int columns) {
    for (int first = 0; first < expected.length; first += columns) {
      double largest = 0;
      for (int c = 0; c < columns; c++) {
        largest = Math.max(largest, Math.abs(expected[first + c]));
      }
      for (int c = 0; c < columns; c++) {
        assertThat((double) found[first + c])
            .as("row %s, column %s", first / columns, c)
            .isCloseTo(expected[first + c], Offset.offset(PRODUCTS * largest));
      }
    }
  }
}
