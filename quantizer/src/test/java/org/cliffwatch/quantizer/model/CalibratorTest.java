package org.cliffwatch.quantizer.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SortedMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.assertj.core.data.Offset;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.calibration.CheckpointCalibration;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.scheme.CalibratedWeight;
import org.cliffwatch.quantizer.scheme.Findings;
import org.cliffwatch.quantizer.scheme.InputStatistics;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.quantizer.scheme.Schemes;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class CalibratorTest {
  /** Of the largest logit: factors are no powers of two, and what they are taken out of rounds. */
  private static final double ROUNDINGS = 2e-5;

  private static final int SAMPLES = 5;
  private static final int LENGTH = 12;

  @TempDir Path folder;

  private static List<int[]> samples(Variant variant) {
    Random random = new Random(7);
    List<int[]> samples = new ArrayList<>();
    for (int s = 0; s < SAMPLES; s++) {
      samples.add(random.ints(LENGTH, 0, variant.vocabulary()).toArray());
    }
    return samples;
  }

  private static Map<Precision, Findings> find(
      Checkpoint checkpoint, Variant variant, int threads, List<Precision> precisions) {
    return find(Inventory.of(checkpoint), variant, threads, precisions);
  }

  private static Map<Precision, Findings> find(
      Inventory inventory, Variant variant, int threads, List<Precision> precisions) {
    AtomicReference<Double> done = new AtomicReference<>(0.0);
    try (Calibrator calibrator =
        new Calibrator(
            inventory,
            backend(),
            samples(variant),
            threads,
            share -> done.updateAndGet(sum -> sum + share))) {
      Map<Precision, Findings> found = calibrator.find(precisions);
      assertThat(done.get()).isCloseTo(1, Offset.offset(1e-9));
      return found;
    }
  }

  private static Backend backend() {
    return Backends.open("onednn");
  }

  private static Precision named(String name) {
    return Precisions.packaged().named(name);
  }

  private static List<Precision> calibrated() {
    Stream<Precision> packaged =
        Precisions.packaged().names().stream()
            .map(CalibratorTest::named)
            .filter(Schemes::isCalibrated);
    return Stream.concat(packaged, Stream.of(gptq(true))).toList();
  }

  private static Precision gptq(boolean isTrueSequential) {
    Map<String, String> options =
        Map.of("group", "16", "true_sequential", Boolean.toString(isTrueSequential));
    return new Precision("gptq", "gptq", 4, 32, FloatType.FLOAT32, options);
  }

  private static float[] logits(
      Checkpoint checkpoint, Variant variant, Precision precision, Findings findings) {
    long heapBytes = Runtime.getRuntime().maxMemory();
    try (Decoder decoder =
        new Decoder(Inventory.of(checkpoint), precision, findings, backend(), heapBytes)) {
      return decoder.logits(variant.tokens());
    }
  }

  static Stream<String> variants() {
    return Stream.of(Variant.NAMES);
  }

  /** What is divided out of norms and layers is multiplied into all that read them. */
  @ParameterizedTest
  @MethodSource("variants")
  void whatIsFoldedLeavesTheFunction(String name) throws IOException {
    Variant variant = Variant.of(name);
    try (Checkpoint checkpoint = Checkpoint.open(variant.write(folder))) {
      float[] expected = logits(checkpoint, variant, named("fp32"), null);
      double largest = 0;
      for (float logit : expected) {
        largest = Math.max(largest, Math.abs(logit));
      }
      Map<Precision, Findings> found = find(checkpoint, variant, 2, calibrated());
      for (Precision precision : found.keySet()) {
        float[] folded = logits(checkpoint, variant, named("fp32"), found.get(precision));
        for (int i = 0; i < expected.length; i++) {
          assertThat((double) folded[i])
              .as("%s, logit %s", precision.name(), i)
              .isCloseTo(expected[i], Offset.offset(ROUNDINGS * largest));
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("variants")
  void findsTheSameOnAnyNumberOfThreadsAndBesideOthers(String name) throws IOException {
    Variant variant = Variant.of(name);
    try (Checkpoint checkpoint = Checkpoint.open(variant.write(folder))) {
      Map<Precision, Findings> together = find(checkpoint, variant, 1, calibrated());
      for (Precision precision : calibrated()) {
        Findings alone = find(checkpoint, variant, 3, List.of(precision)).get(precision);
        requireSame(alone, together.get(precision));
        float[] logits = logits(checkpoint, variant, precision, alone);
        assertThat(logits).as(precision.name()).doesNotContain(Float.NaN);
        assertThat(logits).isNotEqualTo(logits(checkpoint, variant, named("fp32"), null));
      }
    }
  }

  /** Whoever looks at some of the samples tells the others all that they need. */
  @ParameterizedTest
  @ValueSource(
      strings = {"llama-linear", "gpt2-unscaled", "falcon-new-one-norm", "mixtral-two-of-four"})
  void whatPartsOfTheSamplesGiveIsJoined(String name) throws IOException {
    Variant variant = Variant.of(name);
    List<Precision> precisions =
        calibrated().stream()
            .filter(precision -> CheckpointCalibration.isDivisible(List.of(precision)))
            .toList();
    assertThat(precisions.stream().map(Precision::name))
        .containsExactly("smoothquant", "smoothquant-static", "fp8-static", "flex16", "flex8");
    try (Checkpoint checkpoint = Checkpoint.open(variant.write(folder))) {
      Inventory inventory = Inventory.of(checkpoint);
      SortedMap<String, InputStatistics> joined = null;
      List<int[]> samples = samples(variant);
      for (List<int[]> part : List.of(samples.subList(0, 2), samples.subList(2, SAMPLES))) {
        try (Calibrator calibrator = new Calibrator(inventory, backend(), part, 2, share -> {})) {
          SortedMap<String, InputStatistics> seen = calibrator.largest();
          if (joined == null) {
            joined = seen;
          } else {
            joined.forEach((layer, inputs) -> inputs.join(seen.get(layer)));
          }
        }
      }
      try (Calibrator calibrator = new Calibrator(inventory, backend(), samples, 1, share -> {})) {
        Map<Precision, Findings> found = calibrator.find(precisions, joined);
        Map<Precision, Findings> expected = find(checkpoint, variant, 2, precisions);
        for (Precision precision : precisions) {
          requireSame(found.get(precision), expected.get(precision));
        }
      }
    }
  }

  private static void requireSame(Findings found, Findings expected) {
    assertThat(found.numbers().keySet()).isEqualTo(expected.numbers().keySet());
    found
        .numbers()
        .forEach(
            (what, values) ->
                assertThat(values).as(what).containsExactly(expected.numbers().get(what)));
    assertThat(found.codes().keySet()).isEqualTo(expected.codes().keySet());
    found
        .codes()
        .forEach(
            (what, values) ->
                assertThat(values).as(what).containsExactly(expected.codes().get(what)));
  }

  /** What is found for a layer is what is found where the layers before it are quantized. */
  @ParameterizedTest
  @ValueSource(
      strings = {"llama-linear", "gpt2-unscaled", "falcon-new-one-norm", "mixtral-two-of-four"})
  void trueSequentialFollowsLayers(String name) throws IOException {
    Variant variant = Variant.of(name);
    try (Checkpoint checkpoint = Checkpoint.open(variant.write(folder))) {
      Inventory inventory = Inventory.of(checkpoint);
      Precision sequential = gptq(true);
      Findings found = find(inventory, variant, 2, List.of(sequential)).get(sequential);
      Precision usual = gptq(false);
      Findings without = find(inventory, variant, 2, List.of(usual)).get(usual);
      Map<String, WeightRows> quantized = new HashMap<>();
      boolean isOther = false;
      for (List<String> part :
          List.of(
              List.of("query", "key", "value"),
              List.of("attention_output"),
              List.of("gate", "up"),
              List.of("down"))) {
        Findings expected = find(inventory.with(quantized), variant, 2, List.of(usual)).get(usual);
        Map<String, WeightRows> own = new HashMap<>();
        inventory
            .weightsInBlocks()
            .forEach(
                (layer, weight) -> {
                  String last = layer.substring(layer.lastIndexOf('.') + 1);
                  if (layer.startsWith("layers.0.") && part.contains(last)) {
                    own.put(layer, weight);
                  }
                });
        assertThat(own).isNotEmpty();
        for (Map.Entry<String, WeightRows> each : own.entrySet()) {
          WeightRows weight = made(each.getKey(), each.getValue(), sequential, found);
          assertThat(values(weight))
              .as(each.getKey())
              .isEqualTo(values(made(each.getKey(), each.getValue(), usual, expected)));
          isOther |=
              !Arrays.equals(
                  values(weight), values(made(each.getKey(), each.getValue(), usual, without)));
          quantized.put(each.getKey(), weight);
        }
      }
      assertThat(isOther).as("differs from what is found without").isTrue();
    }
  }

  private static float[] values(WeightRows weight) {
    return Packer.inMemory(weight, FloatType.FLOAT32).values();
  }

  private static WeightRows made(
      String layer, WeightRows weight, Precision precision, Findings findings) {
    return Schemes.of(precision)
        .prepare(new CalibratedWeight(weight, layer, findings), precision)
        .weights();
  }

  @Test
  void aPrecisionThatWasNotCalibratedIsNotMade() throws IOException {
    Variant variant = Variant.of("llama-linear");
    try (Checkpoint checkpoint = Checkpoint.open(variant.write(folder))) {
      assertThatThrownBy(() -> logits(checkpoint, variant, named("smoothquant"), null))
          .isInstanceOf(InvalidInputException.class)
          .hasMessage(
              "precision smoothquant: found no calibration of"
                  + " model.layers.0.self_attn.q_proj.weight, expected text to calibrate it with,"
                  + " or a precision that needs none");
      assertThatThrownBy(() -> logits(checkpoint, variant, named("fp8-static"), new Findings()))
          .isInstanceOf(InvalidInputException.class)
          .hasMessage("calibration of layers.0.query: input_scale: found 0 numbers, expected 1");
    }
  }
}
