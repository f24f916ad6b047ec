package org.cliffwatch.quantizer.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every field of a configuration that changes the arithmetic, against transformers. */
@Tag("gpu")
class VariantGoldenTest {
  /** What two right float32 computations may differ by; the goldens have six decimals. */
  private static final double TOLERANCE = 2e-5;

  @TempDir Path folder;

  static Stream<Arguments> variantsAndBackends() {
    return Stream.of(Variant.NAMES)
        .flatMap(v -> Backends.offer().kernels().keySet().stream().map(b -> Arguments.of(v, b)));
  }

  @ParameterizedTest
  @MethodSource("variantsAndBackends")
  void equalsTransformers(String name, String backend) throws IOException {
    Variant variant = Variant.of(name);
    int[] tokens = variant.tokens();
    int vocabulary = variant.vocabulary();
    try (Checkpoint checkpoint = Checkpoint.open(variant.write(folder));
        Decoder decoder =
            new Decoder(
                Inventory.of(checkpoint),
                Precisions.packaged().named("fp32"),
                Backends.open(backend))) {
      double worst =
          LogProbabilities.worst(decoder.logits(tokens), vocabulary, variant::logProbability);
      assertThat(worst).isLessThan(TOLERANCE);
    }
  }

  /** They differ from those of {@code fp32} by up to 0.03. */
  @ParameterizedTest
  @ValueSource(strings = {"llama-llama3", "qwen3-head-norms"})
  void equalsTransformersWithAnInt8Cache(String name) throws IOException {
    Variant variant = Variant.of(name);
    Precision plain = Precisions.packaged().named("fp32");
    Precision cached =
        new Precision(
            "fp32-kv8", "float", 32, 32, FloatType.FLOAT32, Map.of("kv_cache_dtype", "int8"));
    try (Checkpoint checkpoint = Checkpoint.open(variant.write(folder))) {
      for (String backend : new String[] {"reference", "onednn"}) {
        float[] logits = logits(checkpoint, cached, backend, variant);
        double worst =
            LogProbabilities.worst(logits, variant.vocabulary(), variant::logProbabilityWithCache);
        assertThat(worst).isLessThan(TOLERANCE);
        assertThat(logits).isNotEqualTo(logits(checkpoint, plain, backend, variant));
      }
    }
  }

  private static float[] logits(
      Checkpoint checkpoint, Precision precision, String backend, Variant variant) {
    try (Decoder decoder =
        new Decoder(Inventory.of(checkpoint), precision, Backends.open(backend))) {
      return decoder.logits(variant.tokens());
    }
  }

  @Test
  void aDeviceRefusesAnInt8Cache() throws IOException {
    assumeTrue(Backends.offer().kernels().containsKey("emulated"), "there is no C++ compiler");
    Variant variant = Variant.of("llama-llama3");
    try (Checkpoint checkpoint = Checkpoint.open(variant.write(folder))) {
      Precision precision = Precisions.packaged().named("w8a8-kv8");
      assertThatThrownBy(() -> logits(checkpoint, precision, "emulated", variant))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("w8a8-kv8: kv_cache_dtype: found int8")
          .hasMessageContaining("expected auto, or backend onednn or reference");
    }
  }
}
