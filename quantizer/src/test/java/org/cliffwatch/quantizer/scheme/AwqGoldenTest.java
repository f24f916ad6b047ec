package org.cliffwatch.quantizer.scheme;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.assertj.core.data.Offset;
import org.cliffwatch.quantizer.Shared;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.checkpoint.TestTensor;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.MatrixRows;
import org.cliffwatch.quantizer.kernel.Tensors;
import org.cliffwatch.quantizer.model.Calibrator;
import org.cliffwatch.quantizer.model.Inventory;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A block of a Llama that llm-awq has quantized. */
@Tag("shared")
class AwqGoldenTest {
  /** torch's float32 means and powers, and the quotients after them. */
  private static final float POWERS = 1e-6f;

  /**
   * Groups, of 1280, whose threshold or zero point may be another. What is clipped spans ±c, and
   * the last bit of c decides whether its zero point is 7 or 8, and so its error; c has the scales'
   * last bits. There are 3 where this was written, and none with llm-awq's own scales; another
   * processor's products may move a few more.
   */
  private static final int TIES = 12;

  /** Of a normalized output: float32 sums in other orders. */
  private static final double BLOCK = 1e-5;

  private static final int GROUP = 32;

  private static final Precision PRECISION =
      new Precision("x", "awq", 4, 32, FloatType.FLOAT32, Map.of("group", "32"));

  /** Ours, and transformers'. */
  private static final Map<String, String> LAYERS =
      Map.of(
          "query", "self_attn.q_proj",
          "key", "self_attn.k_proj",
          "value", "self_attn.v_proj",
          "attention_output", "self_attn.o_proj",
          "gate", "mlp.gate_proj",
          "up", "mlp.up_proj",
          "down", "mlp.down_proj");

  /** What gives, what reads it, which of the 20 ratios llm-awq has found. */
  private record Fold(String producer, String golden, List<String> consumers, int ratio) {}

  private static final List<Fold> FOLDS =
      List.of(
          new Fold("attention_norm", "input_layernorm", List.of("query", "key", "value"), 9),
          new Fold("value", "self_attn.v_proj", List.of("attention_output"), 11),
          new Fold("feed_forward_norm", "post_attention_layernorm", List.of("gate", "up"), 8),
          new Fold("up", "mlp.up_proj", List.of("down"), 6));

  @TempDir Path folder;

  private static Tensors golden() throws IOException {
    return new Tensors(Shared.path("golden/schemes/awq.safetensors"));
  }

  private static String name(String part) {
    return "layers.0." + part;
  }

  private static CodedWeight prepared(Tensors golden, String layer, Findings findings) {
    String before = "before." + LAYERS.get(layer) + ".weight";
    int[] shape = golden.shape(before);
    MatrixRows weight = new MatrixRows(before, shape[0], shape[1], golden.floats(before));
    LinearForm form =
        Schemes.of(PRECISION)
            .prepare(new CalibratedWeight(weight, name(layer), findings), PRECISION);
    return ((LinearForm.Coded) form).weight();
  }

  /** From its scales and thresholds, to the bit. */
  @Test
  void weightsAreRoundedInItsOrder() throws IOException {
    Tensors golden = golden();
    Findings findings = new Findings();
    for (Fold fold : FOLDS) {
      float[] s = golden.floats("scale." + fold.golden());
      findings.put(name(fold.producer()), Findings.OUTPUT_DIVISOR, s);
      fold.consumers().forEach(consumer -> findings.put(name(consumer), Findings.INPUT_FACTOR, s));
    }
    for (String layer : LAYERS.keySet()) {
      String clip = "clip." + LAYERS.get(layer);
      String scale = "final." + LAYERS.get(layer) + ".scale";
      float[] limits = new float[golden.floats(scale).length];
      Arrays.fill(limits, Float.MAX_VALUE);
      findings.put(name(layer), Findings.CLIP, golden.has(clip) ? golden.floats(clip) : limits);
      CodedWeight coded = prepared(golden, layer, findings);
      String after = "final." + LAYERS.get(layer) + ".";
      float[] scales = golden.floats(after + "scale");
      float[] zeros = golden.numbers(after + "zero");
      for (int b = 0; b < scales.length; b++) {
        assertThat(coded.scale(b)).as("%s, scale %s", layer, b).isEqualTo(scales[b]);
        assertThat(coded.zero(b)).as("%s, zero point %s", layer, b).isEqualTo(zeros[b]);
      }
      float[] weights = golden.floats(after + "weight");
      float[] row = new float[coded.columns()];
      for (int r = 0; r < coded.rows(); r++) {
        coded.row(r, row);
        for (int c = 0; c < row.length; c++) {
          assertThat(row[c] == weights[r * row.length + c])
              .as("%s, row %s, column %s", layer, r, c)
              .isTrue();
        }
      }
    }
  }

  /**
   * Writes a checkpoint of equal blocks.
   *
   * @param weight of a block: {@code mlp.up_proj} → tensor of the golden file; norms too
   */
  private void write(Tensors golden, int blocks, UnaryOperator<String> weight) throws IOException {
    Files.writeString(
        folder.resolve("config.json"),
        """
        {"model_type": "llama", "hidden_size": 64, "intermediate_size": 128,
         "num_hidden_layers": %s, "num_attention_heads": 4, "num_key_value_heads": 4,
         "vocab_size": 512, "hidden_act": "silu", "max_position_embeddings": 128,
         "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "tie_word_embeddings": true}
        """
            .formatted(blocks));
    Map<String, TestTensor> tensors = new LinkedHashMap<>();
    tensors.put("model.embed_tokens.weight", tensor(golden.numbers("x"), 512, 64));
    float[] ones = new float[64];
    Arrays.fill(ones, 1);
    tensors.put("model.norm.weight", tensor(ones, 64));
    List<String> names =
        Stream.concat(
                Stream.of("input_layernorm", "post_attention_layernorm"), LAYERS.values().stream())
            .toList();
    for (int block = 0; block < blocks; block++) {
      for (String name : names) {
        String from = weight.apply(name);
        tensors.put(
            "model.layers." + block + "." + name + ".weight",
            tensor(golden.floats(from), golden.shape(from)));
      }
    }
    TestTensor.write(folder.resolve("model.safetensors"), tensors);
  }

  private <T> T calibrating(Function<Calibrator, T> work) throws IOException {
    List<int[]> samples =
        IntStream.range(0, 4)
            .mapToObj(s -> IntStream.range(128 * s, 128 * (s + 1)).toArray())
            .toList();
    try (Checkpoint checkpoint = Checkpoint.open(folder);
        Calibrator calibrator =
            new Calibrator(
                Inventory.of(checkpoint), Backends.open("onednn"), samples, 2, done -> {})) {
      return work.apply(calibrator);
    }
  }

  /**
   * What the first block gives, seen as what the second's norm makes of it: before and after.
   *
   * @param weight as above
   */
  private void requireOutput(
      Tensors golden, String output, String norm, UnaryOperator<String> weight) throws IOException {
    write(golden, 2, weight);
    List<float[]> seen = new ArrayList<>();
    calibrating(
        calibrator -> {
          calibrator.observe(new FirstInputs("layers.1.query", seen));
          return null;
        });
    float[] given = golden.floats(output);
    float[] gain = golden.floats(norm);
    for (int t = 0; t < 4; t++) {
      double squares = 0;
      for (int c = 0; c < 64; c++) {
        squares += Math.pow(given[64 * t + c], 2);
      }
      double factor = 1 / Math.sqrt(squares / 64 + 1e-5);
      for (int c = 0; c < 64; c++) {
        double expected = given[64 * t + c] * factor * gain[c];
        assertThat((double) seen.get(0)[64 * (124 + t) + c])
            .as("%s, position %s, channel %s", output, t, c)
            .isCloseTo(expected, Offset.offset(BLOCK * Math.max(1, Math.abs(expected))));
      }
    }
  }

  /** The inputs of a layer, a sample after the other. */
  private record FirstInputs(String layer, List<float[]> seen) implements Calibrator.Observer {
    @Override
    public void begin(int number, Map<String, float[]> gains) {}

    @Override
    public void inputs(String first, float[] x, int columns) {
      if (first.equals(layer)) {
        seen.add(x.clone());
      }
    }

    @Override
    public void end(CalibrationBlock block) {}
  }

  @Test
  void blockBeforeAndAfterGivesTheSameAsTheirs() throws IOException {
    Tensors golden = golden();
    requireOutput(
        golden, "layer_out", "before.input_layernorm.weight", name -> "before." + name + ".weight");
    requireOutput(
        golden,
        "final.layer_out",
        "scaled.input_layernorm.weight",
        name -> (name.endsWith("norm") ? "scaled." : "final.") + name + ".weight");
    for (String norm : List.of("input_layernorm", "post_attention_layernorm")) {
      float[] scaled = golden.floats("scaled." + norm + ".weight");
      float[] before = golden.floats("before." + norm + ".weight");
      float[] s = golden.floats("scale." + norm);
      for (int c = 0; c < s.length; c++) {
        assertThat(before[c] / s[c]).isEqualTo(scaled[c]);
      }
    }
  }

  private static TestTensor tensor(float[] values, int... shape) {
    ByteBuffer bytes =
        ByteBuffer.allocate(Float.BYTES * values.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    long[] lengths = IntStream.of(shape).asLongStream().toArray();
    return new TestTensor("F32", lengths, bytes.array());
  }

  @Test
  void findsItsScalesAndThresholds() throws IOException {
    Tensors golden = golden();
    write(golden, 1, name -> "before." + name + ".weight");
    Findings findings =
        calibrating(calibrator -> calibrator.find(List.of(PRECISION)).get(PRECISION));
    for (Fold fold : FOLDS) {
      float[] expected = golden.floats("scale." + fold.golden());
      float[] s = findings.outputDivisor(name(fold.producer())).orElseThrow();
      requireClose(s, expected, fold.producer());
      requireClose(s, scales(golden.floats("act_mean." + fold.golden()), fold), fold.producer());
      for (String consumer : fold.consumers()) {
        assertThat(findings.numbers(name(consumer), Findings.INPUT_FACTOR)).hasValue(s);
      }
    }
    int thresholds = 0;
    int others = 0;
    for (String layer : LAYERS.keySet()) {
      String clip = "clip." + LAYERS.get(layer);
      float[] limits = findings.numbers(name(layer), Findings.CLIP).orElseThrow();
      float[] expected = golden.has(clip) ? golden.floats(clip) : limits;
      assertThat(golden.has(clip)).isNotEqualTo(layer.equals("query") || layer.equals("key"));
      CodedWeight coded = prepared(golden, layer, findings);
      String after = "final." + LAYERS.get(layer) + ".";
      float[] scales = golden.floats(after + "scale");
      float[] zeros = golden.numbers(after + "zero");
      float[] weights = golden.floats(after + "weight");
      float[] row = new float[coded.columns()];
      for (int b = 0; b < limits.length; b++) {
        thresholds++;
        boolean isSame = Math.abs(limits[b] - expected[b]) <= POWERS * expected[b];
        if (!isSame || coded.zero(b) != zeros[b]) {
          others++;
          continue;
        }
        assertThat(coded.scale(b)).isCloseTo(scales[b], Offset.offset(POWERS * scales[b]));
        coded.row(b * GROUP / row.length, row);
        for (int i = b * GROUP; i < (b + 1) * GROUP; i++) {
          assertThat(row[i % row.length])
              .as("%s, weight %s", layer, i)
              .isCloseTo(weights[i], Offset.offset(POWERS * Math.abs(weights[i])));
        }
      }
    }
    assertThat(thresholds).isEqualTo(1280);
    assertThat(others).isLessThanOrEqualTo(TIES);
  }

  private static float[] scales(float[] means, Fold fold) {
    double[] s =
        Arrays.stream(widened(means))
            .map(m -> Math.max(1e-4, Math.pow(m, fold.ratio() / 20.0)))
            .toArray();
    double middle =
        Math.sqrt(Arrays.stream(s).max().orElseThrow() * Arrays.stream(s).min().orElseThrow());
    float[] scales = new float[s.length];
    for (int i = 0; i < s.length; i++) {
      scales[i] = (float) (s[i] / middle);
    }
    return scales;
  }

  private static double[] widened(float[] values) {
    return IntStream.range(0, values.length).mapToDouble(i -> values[i]).toArray();
  }

  private static void requireClose(float[] found, float[] expected, String what) {
    for (int i = 0; i < expected.length; i++) {
      assertThat(found[i])
          .as("%s, scale %s", what, i)
          .isCloseTo(expected[i], Offset.offset(POWERS * expected[i]));
    }
  }
}
