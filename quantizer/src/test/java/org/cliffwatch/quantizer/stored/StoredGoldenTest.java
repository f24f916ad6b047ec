package org.cliffwatch.quantizer.stored;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.util.List;
import java.util.stream.Stream;
import org.assertj.core.data.Offset;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.kernel.Linear;
import org.cliffwatch.quantizer.kernel.Tensors;
import org.cliffwatch.quantizer.model.Decoder;
import org.cliffwatch.quantizer.model.Inventory;
import org.cliffwatch.quantizer.model.LogProbabilities;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.quantizer.scheme.StoredWeight;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Quantized checkpoints against the libraries that made them. */
class StoredGoldenTest {
  /** What two right float32 computations may differ by where inputs are not quantized. */
  private static final double WEIGHT_ONLY = 2e-5;

  /**
   * Where inputs are quantized, a last bit decides a code: one of 8 bits moves a log-probability of
   * these models by some thousandths, one of 4 bits by some hundredths.
   */
  private static final double EIGHT_BITS = 2e-2;

  private static final double FOUR_BITS = 0.2;

  private static final float LLM_INT8 = 4e-5f;

  /** That constant moves codes of the layers after. */
  private static final double LLM_INT8_MODEL = 5e-2;

  /** 2⁻⁸ of logits of some units, a few times over. */
  private static final double BFLOAT16 = 0.2;

  /** Two precisions are this near where both are of the same model: half of its spread at least. */
  private static final double OTHER_PRECISION = 3;

  /** bitsandbytes multiplies by the row's maximum and then by 1/127; here that is one scale. */
  private static final Offset<Float> LAST_BIT = within(0x1p-24f);

  static Stream<String> names() {
    return Stream.of(StoredGolden.NAMES);
  }

  @ParameterizedTest
  @MethodSource("names")
  void weightsAreTheLibrarysToTheBit(String name) throws IOException {
    try (Checkpoint checkpoint = Checkpoint.open(StoredGolden.folder(name))) {
      StoredWeight weight = StoredGolden.weight(checkpoint);
      float[] expected = StoredGolden.golden(name).floats("weight");
      float[] rows = new float[expected.length];
      float[] row = new float[weight.columns()];
      for (int r = 0; r < weight.rows(); r++) {
        weight.row(r, row);
        System.arraycopy(row, 0, rows, r * row.length, row.length);
      }
      if (name.equals("bnb-int8")) {
        assertThat(rows).containsExactly(expected, LAST_BIT);
      } else {
        assertThat(plusZero(rows)).containsExactly(plusZero(expected));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("names")
  void inputsAreQuantizedAsTheLibraryDoes(String name) throws IOException {
    Tensors golden = StoredGolden.golden(name);
    try (Checkpoint checkpoint = Checkpoint.open(StoredGolden.folder(name))) {
      StoredWeight weight = StoredGolden.weight(checkpoint);
      assertThat(golden.has("x")).isEqualTo(weight.inputs() != null);
      if (golden.has("x_quantized")) {
        float[] x = golden.floats("x");
        float[] quantized = new float[x.length];
        for (int at = 0; at < x.length; at += weight.columns()) {
          weight.inputs().apply(x, at, weight.columns(), quantized, at);
        }
        // −0 and 0 are told apart nowhere else.
        assertThat(plusZero(quantized)).containsExactly(plusZero(golden.floats("x_quantized")));
      }
    }
  }

  private static float[] plusZero(float[] values) {
    float[] without = values.clone();
    for (int i = 0; i < without.length; i++) {
      without[i] += 0f;
    }
    return without;
  }

  static Stream<Arguments> namesAndBackends() {
    return names().flatMap(n -> Stream.of("reference", "onednn").map(b -> Arguments.of(n, b)));
  }

  @ParameterizedTest
  @MethodSource("namesAndBackends")
  void storedEqualsTheLibrary(String name, String backend) throws IOException {
    Tensors golden = StoredGolden.golden(name);
    double worst = worst(name, "stored", backend, golden);
    double tolerance =
        switch (name) {
          case "ct-nvfp4", "ct-mxfp4" -> FOUR_BITS;
          case "bnb-int8" -> LLM_INT8_MODEL;
          default -> golden.has("x") ? EIGHT_BITS : WEIGHT_ONLY;
        };
    assertThat(worst).isLessThan(tolerance);
  }

  /** In float32 both are the same numbers where inputs are left alone. */
  @ParameterizedTest
  @MethodSource("names")
  void otherPrecisionsStartFromTheDequantizedWeights(String name) throws IOException {
    Tensors golden = StoredGolden.golden(name);
    if (isWeightOnly(name, golden)) {
      assertThat(worst(name, "fp32", "onednn", golden)).isLessThan(WEIGHT_ONLY);
    }
    for (String precision : List.of("fp32", "bf16", "w8a8", "w4")) {
      assertThat(worst(name, precision, "onednn", golden)).isLessThan(OTHER_PRECISION);
    }
  }

  /** Inputs that differ by 2⁻⁸ have many other codes, so that they make it another model. */
  @ParameterizedTest
  @MethodSource("namesAndBackends")
  void storedInSixteenBitsIsNearTheLibrary(String name, String backend) throws IOException {
    Tensors golden = StoredGolden.golden(name);
    double tolerance = isWeightOnly(name, golden) ? BFLOAT16 : OTHER_PRECISION;
    assertThat(worst(name, "stored-bf16", backend, golden)).isLessThan(tolerance);
  }

  /** Whether no layer quantizes its inputs. */
  private static boolean isWeightOnly(String name, Tensors golden) {
    return !name.equals("ct-mixed") && !golden.has("x");
  }

  /**
   * Codes to the bit; bitsandbytes' constant on the CPU has lost a zero and is 1.8e-5 too large.
   */
  @ParameterizedTest
  @ValueSource(strings = {"reference", "onednn"})
  void outliersOfEachRowAreMultipliedAsTheyAre(String backend) throws IOException {
    Tensors golden = StoredGolden.golden("bnb-int8");
    float[] x = golden.floats("x");
    float[] expected = golden.floats("y");
    float[] y = new float[expected.length];
    try (Checkpoint checkpoint = Checkpoint.open(StoredGolden.folder("bnb-int8"))) {
      StoredWeight weight = StoredGolden.weight(checkpoint);
      Precision stored = Precisions.packaged().named("stored");
      try (Linear linear = Backends.open(backend).linear(weight, null, stored)) {
        linear.apply(x, x.length / weight.columns(), y);
      }
      int outliers = 0;
      for (float value : x) {
        outliers += weight.inputs().isOutlier(value) ? 1 : 0;
      }
      assertThat(outliers).isBetween(1, x.length - 1);
    }
    for (int i = 0; i < y.length; i++) {
      assertThat(y[i])
          .isCloseTo(expected[i], within(LLM_INT8 * Math.max(1, Math.abs(expected[i]))));
    }
  }

  private static double worst(String name, String precision, String backend, Tensors golden) {
    int[] tokens = golden.ints("tokens");
    float[] expected = golden.floats("log_probabilities");
    int vocabulary = expected.length / tokens.length;
    try (Checkpoint checkpoint = Checkpoint.open(StoredGolden.folder(name));
        Decoder decoder =
            new Decoder(
                Inventory.of(checkpoint),
                Precisions.packaged().named(precision),
                Backends.open(backend))) {
      return LogProbabilities.worst(
          decoder.logits(tokens), vocabulary, (p, v) -> expected[p * vocabulary + v]);
    }
  }
}
