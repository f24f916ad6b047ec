package org.cliffwatch.quantizer.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.Arrays;
import org.cliffwatch.quantizer.Shared;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.checkpoint.StoredTensor;
import org.cliffwatch.quantizer.scheme.LinearForm;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.quantizer.scheme.QuantizedWeight;
import org.cliffwatch.quantizer.scheme.Schemes;
import org.cliffwatch.quantizer.scheme.Vectorwise;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** One linear layer of which every integer, scale and output is known. */
@Tag("gpu")
@Tag("shared")
class VectorwiseGoldenTest {
  private static final String FILE = "golden/architectures/vectorwise-linear.safetensors";

  @Test
  void weightCodesAndScales() throws IOException {
    Tensors golden = new Tensors(Shared.path(FILE));
    checkWeight(golden, "w8", "w.q", "w.scale");
    checkWeight(golden, "w4", "w4.q", "w4.scale");
  }

  private static void checkWeight(Tensors golden, String precision, String codes, String scales) {
    Precision row = Precisions.packaged().named(precision);
    LinearForm form = Schemes.of(row).prepare(weight(golden), row);
    QuantizedWeight quantized = ((LinearForm.WeightOnly) form).weight();
    assertThat(quantized.codes()).isEqualTo(golden.codes(codes));
    assertThat(quantized.scales()).isEqualTo(golden.floats(scales));
  }

  @Test
  void activationCodesAndScales() throws IOException {
    Tensors golden = new Tensors(Shared.path(FILE));
    float[] x = golden.floats("x");
    int rows = golden.shape("x")[0];
    int width = golden.shape("x")[1];
    byte[] codes = new byte[x.length];
    float[] scales = new float[rows];
    for (int t = 0; t < rows; t++) {
      scales[t] = Vectorwise.quantize(x, t * width, width, 127, codes, t * width);
    }
    assertThat(codes).isEqualTo(golden.codes("x.q"));
    assertThat(scales).isEqualTo(golden.floats("x.scale"));
  }

  @ParameterizedTest
  @MethodSource("org.cliffwatch.quantizer.kernel.OfferedBackends#names")
  void products(String backend) throws IOException {
    Tensors golden = new Tensors(Shared.path(FILE));
    int rows = golden.shape("x")[0];
    float[] y = new float[rows * golden.shape("w")[0]];
    try (Linear linear =
        Backends.open(backend)
            .linear(weight(golden), golden.floats("bias"), Precisions.packaged().named("w8a8"))) {
      linear.apply(golden.floats("x"), rows, y);
    }
    assertThat(y).isEqualTo(golden.floats("y"));
  }

  /** Every layer of three blocks of SmolLM2-135M, on the inputs its float32 model gives them. */
  @ParameterizedTest
  @MethodSource("org.cliffwatch.quantizer.kernel.OfferedBackends#names")
  void layersOfARealModel(String backend) throws IOException {
    Tensors golden = new Tensors(Shared.path("golden/lm-eval-smollm2/w8a8_layers.safetensors"));
    Precision w8a8 = Precisions.packaged().named("w8a8");
    try (Checkpoint checkpoint = Checkpoint.open(Shared.path("models/smollm2-135m"))) {
      for (int block : new int[] {0, 14, 29}) {
        for (String name :
            new String[] {
              "self_attn.q_proj",
              "self_attn.k_proj",
              "self_attn.v_proj",
              "self_attn.o_proj",
              "mlp.gate_proj",
              "mlp.up_proj",
              "mlp.down_proj"
            }) {
          String layer = "layers.%s.%s.".formatted(block, name);
          StoredTensor weight = checkpoint.tensor("model." + layer + "weight");
          check(Backends.open(backend), w8a8, golden, layer, rows(weight));
        }
      }
    }
  }

  private static void check(
      Backend backend, Precision w8a8, Tensors golden, String layer, WeightRows weight) {
    int inputs = weight.columns();
    int outputs = weight.rows();
    LinearForm form = Schemes.of(w8a8).prepare(weight, w8a8);
    QuantizedWeight quantized = ((LinearForm.IntegerProduct) form).weight();
    assertThat(quantized.scales()).as(layer).isEqualTo(golden.floats(layer + "w_scale"));
    float[] x = golden.floats(layer + "x");
    byte[] goldenCodes = golden.codes(layer + "x_codes");
    float[] goldenScales = golden.floats(layer + "x_scale");
    int[] acc = golden.ints(layer + "acc");
    int rows = golden.shape(layer + "x")[0];
    float[] y = new float[rows * outputs];
    try (Linear linear = backend.linear(weight, null, w8a8)) {
      linear.apply(x, rows, y);
    }
    byte[] codes = new byte[inputs];
    for (int t = 0; t < rows; t++) {
      float scale = Vectorwise.quantize(x, t * inputs, inputs, 127, codes, 0);
      assertThat(scale).as(layer).isEqualTo(goldenScales[t]);
      assertThat(codes)
          .as(layer)
          .isEqualTo(Arrays.copyOfRange(goldenCodes, t * inputs, (t + 1) * inputs));
      for (int o = 0; o < outputs; o++) {
        int sum = 0;
        for (int i = 0; i < inputs; i++) {
          sum += codes[i] * quantized.codes()[o * inputs + i];
        }
        assertThat(sum).as(layer).isEqualTo(acc[t * outputs + o]);
        assertThat(y[t * outputs + o]).as(layer).isEqualTo(sum * scale * quantized.scales()[o]);
      }
    }
    float[] goldenY = golden.floats(layer + "y");
    for (int i = 0; i < y.length; i++) {
      assertThat(Math.abs(y[i] - goldenY[i])).as(layer).isLessThanOrEqualTo(Math.ulp(goldenY[i]));
    }
  }

  private static WeightRows rows(StoredTensor tensor) {
    int rows = Math.toIntExact(tensor.shape()[0]);
    int columns = Math.toIntExact(tensor.shape()[1]);
    float[] values = new float[rows * columns];
    tensor.read(0, values, 0, values.length);
    return new MatrixRows(tensor.name(), rows, columns, values);
  }

  private static MatrixRows weight(Tensors golden) {
    int[] shape = golden.shape("w");
    return new MatrixRows("w", shape[0], shape[1], golden.floats("w"));
  }
}
