package org.cliffwatch.quantizer.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A family's checkpoint, and the GGUF file that llama.cpp's converter makes of it, are one model.
 */
class GgufFamiliesTest {
  /** Half a unit in the last place of a 1 + w below 4: what the converter's addition loses of w. */
  private static final float ADDED = 0x1p-23f;

  @TempDir Path folder;

  static Stream<String> variants() {
    return Stream.of(GgufVariant.NAMES);
  }

  @ParameterizedTest
  @MethodSource("variants")
  void theFileIsTheConverters(String name) throws IOException, NoSuchAlgorithmException {
    for (var tensor : GgufVariant.of(name).tensors.entrySet()) {
      byte[] hash = MessageDigest.getInstance("SHA-256").digest(tensor.getValue().bytes());
      assertThat(HexFormat.of().formatHex(hash))
          .as(tensor.getKey())
          .isEqualTo(tensor.getValue().sha256());
    }
  }

  @ParameterizedTest
  @MethodSource("variants")
  void logitsAreTheSameToTheBit(String name) throws IOException {
    GgufVariant variant = GgufVariant.of(name);
    for (String precision : List.of("fp32", "bf16")) {
      float[] expected;
      try (Checkpoint original = Checkpoint.open(variant.original.write(folder.resolve("hf")))) {
        expected = logits(original, variant, precision);
      }
      try (Checkpoint gguf = Checkpoint.open(variant.write(folder.resolve("m.gguf")))) {
        assertThat(logits(gguf, variant, precision)).as(precision).isEqualTo(expected);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("variants")
  void tensorsAreThoseOfTheOriginal(String name) throws IOException {
    GgufVariant variant = GgufVariant.of(name);
    try (Checkpoint original = Checkpoint.open(variant.original.write(folder.resolve("hf")));
        Checkpoint gguf = Checkpoint.open(variant.write(folder.resolve("m.gguf")))) {
      Set<String> names = new TreeSet<>(original.tensorNames());
      if (gguf.config().flag("tie_word_embeddings")) {
        names.remove("lm_head.weight"); // a copy
      }
      assertThat(new TreeSet<>(gguf.tensorNames())).isEqualTo(names);
      for (String tensor : names) {
        float[] expected = original.tensor(tensor).read();
        float[] found = gguf.tensor(tensor).requireShape(original.tensor(tensor).shape()).read();
        float lost = name.startsWith("gemma") && tensor.endsWith("norm.weight") ? ADDED : 0;
        for (int i = 0; i < expected.length; i++) {
          assertThat(Math.abs(found[i] - expected[i]))
              .as(tensor + " " + i)
              .isLessThanOrEqualTo(lost);
        }
      }
    }
  }

  @Test
  void llamaUnderItsNewerNameIsMistral() throws IOException {
    GgufVariant variant = GgufVariant.of("mistral");
    float[] expected;
    try (Checkpoint original = Checkpoint.open(variant.original.write(folder.resolve("hf")))) {
      expected = logits(original, variant, "fp32");
    }
    variant.rename("mistral3");
    try (Checkpoint gguf = Checkpoint.open(variant.write(folder.resolve("m.gguf")))) {
      assertThat(gguf.config().text("model_type")).isEqualTo("mistral");
      assertThat(logits(gguf, variant, "fp32")).isEqualTo(expected);
    }
    variant.with("attention.temperature_scale", 0.1f).write(folder.resolve("m.gguf"));
    assertThatThrownBy(() -> Checkpoint.open(folder.resolve("m.gguf")))
        .hasMessageContaining("m.gguf: mistral3.attention.temperature_scale: changes the model");
  }

  /** A pattern by its length, one layer at a time, and the architecture's own are one. */
  @ParameterizedTest
  @CsvSource({"gemma2, 2", "gemma3, 6", "cohere2, 4"})
  void slidingLayersAreThoseStated(String name, int pattern) throws IOException {
    GgufVariant variant = GgufVariant.of(name);
    int[] layers = new int[(Integer) variant.metadata.get(name + ".block_count")];
    Arrays.setAll(layers, i -> (i + 1) % pattern == 0 ? 0 : 1);
    Path file = folder.resolve("m.gguf");
    try (Checkpoint own = Checkpoint.open(variant.write(file))) {
      for (Object stated : List.of(pattern, layers)) {
        variant.with("attention.sliding_window_pattern", stated).write(file);
        try (Checkpoint gguf = Checkpoint.open(file)) {
          assertThat(gguf.config().texts("layer_types"))
              .isEqualTo(own.config().texts("layer_types"))
              .hasSize(layers.length)
              .contains("full_attention", "sliding_attention");
        }
      }
    }
  }

  @Test
  void whatChangesNothingIsIgnored() throws IOException {
    GgufVariant variant = GgufVariant.of("llama");
    variant.metadata.put("general.quantization_version", 2);
    variant.metadata.put("quantize.imatrix.entries_count", 112);
    variant.with("rope.scaling.finetuned", false);
    try (Checkpoint gguf = Checkpoint.open(variant.write(folder.resolve("m.gguf")))) {
      assertThat(Inventory.of(gguf).architecture().family()).isEqualTo("llama");
    }
  }

  @Test
  void aStatedAttentionFactorOfLongropeIsKept() throws IOException {
    GgufVariant variant = GgufVariant.of("phi3-longrope").with("rope.scaling.attn_factor", 1.5f);
    try (Checkpoint gguf = Checkpoint.open(variant.write(folder.resolve("m.gguf")))) {
      assertThat(gguf.config().object("rope_scaling").orElseThrow().number("attention_factor"))
          .isEqualTo(1.5);
    }
  }

  private static float[] logits(Checkpoint checkpoint, GgufVariant variant, String precision) {
    try (Decoder decoder =
        new Decoder(
            Inventory.of(checkpoint),
            Precisions.packaged().named(precision),
            Backends.open("reference"))) {
      return decoder.logits(variant.original.tokens());
    }
  }
}
