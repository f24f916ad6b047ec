package org.cliffwatch.quantizer.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.quantizer.scheme.Schemes;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How weights are stored changes no logit. */
class StorageTest {
  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({
    "llama-biases, FLOAT32, 3",
    "llama-biases, BFLOAT16, 1",
    "llama-biases, FLOAT16, 1",
    "gpt2-unscaled, BFLOAT16, 2",
    "gpt_neox-tied, FLOAT16, 4",
    "bloom-six-heads, FLOAT16, 1",
    "opt-post-norm, BFLOAT16, 5"
  })
  void logitsAreThoseOfOneFloat32File(String name, FloatType type, int shards) throws IOException {
    for (String precision : Precisions.packaged().names()) {
      if (Schemes.isCalibrated(Precisions.packaged().named(precision))) {
        continue; // CalibratorTest
      }
      Variant variant = Variant.of(name);
      float[] plain =
          logits(
              variant, variant.write(folder.resolve("a"), type, FloatType.FLOAT32, 1), precision);
      float[] other =
          logits(variant, variant.write(folder.resolve("b"), type, type, shards), precision);
      assertThat(other).as(precision).isEqualTo(plain);
    }
  }

  private static float[] logits(Variant variant, Path written, String precision) {
    try (Checkpoint checkpoint = Checkpoint.open(written);
        Decoder decoder =
            new Decoder(
                Inventory.of(checkpoint),
                Precisions.packaged().named(precision),
                Backends.open(Backends.AUTO))) {
      return decoder.logits(variant.tokens());
    }
  }
}
