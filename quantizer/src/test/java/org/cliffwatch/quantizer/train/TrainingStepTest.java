package org.cliffwatch.quantizer.train;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import org.assertj.core.data.Offset;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole steps against PyTorch's numbers; {@code train/README.md} says how those were made. */
class TrainingStepTest {
  /** Sums of some thousand float32 products in another order. */
  private static final double LOSS = 1e-5;

  private static final double GRADIENT = 2e-5;

  /** AdamW divides by the gradient's size, so that small gradients' last bits count. */
  private static final double WEIGHT = 2e-3;

  private static final int SEQUENCES = 4;
  private static final int LENGTH = 13;
  private static final int VOCABULARY = 43;
  private static final ModelShape SHAPE = new ModelShape(VOCABULARY, 32, 2, 2, 64, 0.5f);

  private static JsonNode expected;

  @BeforeAll
  static void read() throws IOException {
    try (InputStream json =
        TrainingStepTest.class.getResourceAsStream("/train/pytorch_step.json")) {
      expected = new ObjectMapper().readTree(json);
    }
  }

  private static double wave(int i, double phase) {
    return Math.sin(i * 0.7 + phase);
  }

  private static Parameters weights() {
    Parameters weights = new Parameters(SHAPE);
    int phase = 0;
    for (Parameters.Tensor tensor : weights.tensors()) {
      boolean isScale = tensor.name().endsWith("norm.weight");
      for (int i = 0; i < tensor.values().length; i++) {
        double w = wave(i, phase);
        tensor.values()[i] = (float) (isScale ? 1 + 0.1 * w : 0.2 * w);
      }
      phase++;
    }
    return weights;
  }

  private static int[] tokens() {
    int[] tokens = new int[SEQUENCES * (LENGTH + 1)];
    for (int i = 0; i < tokens.length; i++) {
      tokens[i] = (i * i * 7 + i * 3) % VOCABULARY;
    }
    return tokens;
  }

  private static double checksum(Parameters.Tensor tensor) {
    double sum = 0;
    for (int i = 0; i < tensor.values().length; i++) {
      sum += tensor.values()[i] * wave(i, 0.5);
    }
    return sum;
  }

  private static double norm(Parameters gradients) {
    double sum = 0;
    for (Parameters.Tensor tensor : gradients.tensors()) {
      for (float value : tensor.values()) {
        sum += (double) value * value;
      }
    }
    return Math.sqrt(sum);
  }

  @Test
  void twoStepsAreThoseOfPyTorch() {
    Recipe recipe = TrainingTest.recipe("step", Recipe.TrainingType.FP32, 0, List.of(2));
    AdamW optimizer = new AdamW(recipe);
    Parameters weights = weights();
    Parameters mean = new Parameters(SHAPE);
    Parameters square = new Parameters(SHAPE);
    DecoderGradient decoder =
        new DecoderGradient(
            SHAPE,
            Component.whole(SHAPE),
            Rounding.to(FloatType.FLOAT32),
            null,
            0,
            SEQUENCES,
            LENGTH);
    int predicted = SEQUENCES * LENGTH;
    for (int step = 0; step < 3; step++) {
      double loss = decoder.run(weights, tokens(), 1f / predicted, 0) / predicted;
      assertThat(loss).isCloseTo(expected.at("/losses/" + step).asDouble(), Offset.offset(LOSS));
      if (step == 2) {
        break;
      }
      if (step == 0) {
        for (Parameters.Tensor gradient : decoder.gradients().tensors()) {
          assertThat(checksum(gradient))
              .as(gradient.name())
              .isCloseTo(
                  expected.get("gradients").get(gradient.name()).asDouble(),
                  Offset.offset(GRADIENT));
        }
      }
      double norm = norm(decoder.gradients());
      assertThat(norm).isCloseTo(expected.at("/norms/" + step).asDouble(), Offset.offset(GRADIENT));
      float clip = (float) (recipe.gradientClipping() / (norm + 1e-6));
      for (int t = 0; t < weights.tensors().size(); t++) {
        float[] gradient = decoder.gradients().tensors().get(t).values();
        for (int i = 0; i < gradient.length; i++) {
          gradient[i] *= clip;
        }
        optimizer.update(
            weights.tensors().get(t),
            gradient,
            mean.tensors().get(t).values(),
            square.tensors().get(t).values(),
            step + 1,
            recipe.learningRate());
      }
    }
    for (Parameters.Tensor weight : weights.tensors()) {
      assertThat(checksum(weight))
          .as(weight.name())
          .isCloseTo(expected.get("weights").get(weight.name()).asDouble(), Offset.offset(WEIGHT));
    }
  }

  /**
   * Weights and inputs quantized forward; gradients as {@code x + (q(x) - x).detach()} has them.
   */
  @ParameterizedTest
  @ValueSource(strings = {"w4", "w8a8"})
  void gradientsThatGoStraightThroughAreThoseOfPyTorch(String row) throws IOException {
    JsonNode aware;
    try (InputStream in = getClass().getResourceAsStream("/train/pytorch_straight_through.json")) {
      aware = new ObjectMapper().readTree(in).get(row);
    }
    StraightThrough precision = new StraightThrough(Precisions.packaged().named(row));
    Parameters weights = weights();
    Parameters quantized = weights();
    for (int block = 0; block < weights.blocks.size(); block++) {
      List<Parameters.Tensor> matrices = weights.blocks.get(block).matrices();
      for (int m = 0; m < matrices.size(); m++) {
        precision.weight(matrices.get(m), quantized.blocks.get(block).matrices().get(m).values());
      }
    }
    DecoderGradient decoder =
        new DecoderGradient(
            SHAPE,
            Component.whole(SHAPE),
            Rounding.to(FloatType.FLOAT32),
            precision.inputs(),
            0,
            SEQUENCES,
            LENGTH);
    int predicted = SEQUENCES * LENGTH;
    double loss = decoder.run(quantized, tokens(), 1f / predicted, 0) / predicted;
    assertThat(loss).isCloseTo(aware.get("loss").asDouble(), Offset.offset(LOSS));
    assertThat(loss).isNotCloseTo(expected.at("/losses/0").asDouble(), Offset.offset(LOSS));
    for (Parameters.Tensor gradient : decoder.gradients().tensors()) {
      assertThat(checksum(gradient))
          .as(gradient.name())
          .isCloseTo(
              aware.get("gradients").get(gradient.name()).asDouble(), Offset.offset(GRADIENT));
    }
  }

  /** A half type's step is near float32's, and not float32's. */
  @Test
  void halfTypesRoundWhatTheyCompute() {
    int predicted = SEQUENCES * LENGTH;
    double exact = expected.at("/losses/0").asDouble();
    for (FloatType type : new FloatType[] {FloatType.BFLOAT16, FloatType.FLOAT16}) {
      Parameters rounded = new Parameters(SHAPE);
      rounded.setRounded(weights(), type);
      DecoderGradient decoder =
          new DecoderGradient(
              SHAPE, Component.whole(SHAPE), Rounding.to(type), null, 0, SEQUENCES, LENGTH);
      float scale = 1024;
      double loss = decoder.run(rounded, tokens(), scale / predicted, 0) / predicted;
      // A few roundings of relative size 2^-9 or 2^-12 along the way.
      double tolerance = type == FloatType.BFLOAT16 ? 2e-2 : 2e-3;
      assertThat(loss).isCloseTo(exact, Offset.offset(tolerance)).isNotEqualTo(exact);
      assertThat(norm(decoder.gradients()) / scale)
          .isCloseTo(expected.at("/norms/0").asDouble(), Offset.offset(20 * tolerance));
      for (Parameters.Tensor gradient : decoder.gradients().tensors()) {
        for (float value : gradient.values()) {
          assertThat(Lanes.round(type, value)).isEqualTo(value);
        }
      }
    }
  }
}
