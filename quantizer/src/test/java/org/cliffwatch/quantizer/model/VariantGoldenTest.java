package org.cliffwatch.quantizer.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

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
}
