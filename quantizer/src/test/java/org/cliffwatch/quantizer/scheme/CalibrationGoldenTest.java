package org.cliffwatch.quantizer.scheme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.cliffwatch.quantizer.scheme.SchemeGolden.golden;
import static org.cliffwatch.quantizer.scheme.SchemeGolden.rows;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.IntConsumer;
import org.assertj.core.data.Offset;
import org.cliffwatch.quantizer.InvalidInputException;
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
import org.junit.jupiter.params.provider.ValueSource;

/** What schemes find in data, as the original implementations do. */
@Tag("shared")
class CalibrationGoldenTest {
  /** torch's float32 powers, and the products and quotients after them. */
  private static final float POWERS = 5e-7f;

  /** Of a row's largest output: float32 sums in another order, of weights smoothed as above. */
  private static final double PRODUCTS = 1e-5;

  private static final List<String> LAYERS = List.of("q", "k", "v");

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
      assertThat(inputs.largest()).isEqualTo(golden.floats(before + "act_absmax"));
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

  /** Of a model in float16: each step rounded. */
  @ParameterizedTest
  @ValueSource(strings = {"0.5", "0.85"})
  void smoothQuantInFloat16(String alpha) throws IOException {
    Tensors golden = golden("smoothquant");
    FloatType half = FloatType.FLOAT16;
    Precision precision = new Precision("x", "smoothquant", 8, 8, half, Map.of("alpha", alpha));
    Scheme scheme = Schemes.of(precision);
    float[] h = golden.numbers("ln.fp16.h");
    int[] shape = golden.shape("ln.fp16.h");
    InputStatistics inputs = new InputStatistics("q", shape[1], scheme.statistics(precision));
    inputs.add(h, shape[0]);
    assertThat(inputs.largest()).isEqualTo(golden.floats("ln.fp16.act_absmax"));
    List<CalibrationBlock.Layer> layers =
        LAYERS.stream()
            .map(
                name ->
                    new CalibrationBlock.Layer(
                        name, new LinearForm.RoundedRows(rows(golden, name + ".weight"), half)))
            .toList();
    Findings findings = new Findings();
    scheme.calibrate(new NormAndLayers(layers, inputs), precision, findings);
    float[] divisor = findings.outputDivisor("norm").orElseThrow();
    String after = "ln.fp16.a" + alpha + ".";
    for (String part : List.of("norm.weight", "norm.bias")) {
      requireUlp(
          half.rounded(divided(half.rounded(golden.numbers(part)), divisor)),
          golden.numbers(after + part));
    }
    for (CalibrationBlock.Layer layer : layers) {
      WeightRows smoothed =
          new LinearForm.RoundedRows(
              new CalibratedWeight(layer.weight(), layer.name(), findings), half);
      float[] all = golden.numbers(after + layer.name() + ".weight");
      float[] row = new float[shape[1]];
      for (int r = 0; r < smoothed.rows(); r++) {
        smoothed.row(r, row);
        requireUlp(row, Arrays.copyOfRange(all, r * row.length, (r + 1) * row.length));
      }
      LinearForm.IntegerProduct form =
          (LinearForm.IntegerProduct)
              scheme.prepare(
                  new CalibratedWeight(layer.weight(), layer.name(), findings), precision);
      assertThat(form.weight().codes()).isEqualTo(Vectorwise.quantize(smoothed, 8).codes());
    }
  }

  private static void requireUlp(float[] found, float[] expected) {
    for (int i = 0; i < expected.length; i++) {
      assertThat((double) found[i])
          .as("element %s", i)
          .isCloseTo(expected[i], Offset.offset((double) FloatType.FLOAT16.ulp(expected[i])));
    }
  }

  @Test
  void aFactorThatFloat16DoesNotHoldIsNamed() {
    Precision precision =
        new Precision("x", "smoothquant", 8, 8, FloatType.FLOAT16, Map.of("alpha", "1"));
    Scheme scheme = Schemes.of(precision);
    InputStatistics inputs = new InputStatistics("q", 2, scheme.statistics(precision));
    inputs.add(new float[] {1, 70000}, 1);
    CalibrationBlock block =
        new NormAndLayers(
            List.of(new CalibrationBlock.Layer("q", new MatrixRows("q", 1, 2, new float[] {1, 1}))),
            inputs);
    assertThatThrownBy(() -> scheme.calibrate(block, precision, new Findings()))
        .isInstanceOf(InvalidInputException.class)
        .hasMessage(
            "norm: channel 1: found inputs up to 70000.0 and weights up to 1.0, expected a factor"
                + " that float16 holds");
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
    float scale = findings.numbers("w", Findings.INPUT_SCALE).orElseThrow()[0];
    assertThat(scale).isEqualTo(golden.floats("linear.tensor.x_scale")[0]);
    byte[] codes = golden.codes("linear.tensor.x_codes");
    for (int i = 0; i < codes.length; i++) {
      assertThat(Element.E4M3.code(Element.E4M3.round(x[i] / scale))).isEqualTo(codes[i]);
    }
    CodedWeight coded =
        ((LinearForm.Coded) scheme.prepare(new CalibratedWeight(weight, "w", findings), precision))
            .weight();
    assertThat(coded.scale(0)).isEqualTo(golden.floats("linear.tensor.w_scale")[0]);
    float[] values = SchemeGolden.values(coded);
    byte[] weightCodes = golden.codes("linear.tensor.w_codes");
    for (int i = 0; i < values.length; i++) {
      assertThat(Element.E4M3.code(values[i])).isEqualTo(weightCodes[i]);
    }
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
