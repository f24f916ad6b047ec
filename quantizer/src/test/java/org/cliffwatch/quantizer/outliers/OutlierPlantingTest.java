package org.cliffwatch.quantizer.outliers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.checkpoint.StorageType;
import org.cliffwatch.quantizer.checkpoint.StoredTensor;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.OfferedBackends;
import org.cliffwatch.quantizer.model.Decoder;
import org.cliffwatch.quantizer.model.Inventory;
import org.cliffwatch.quantizer.model.Variant;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.quantizer.stored.StoredGolden;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** That the function stays, in every family, and what is refused because it would not. */
class OutlierPlantingTest {
  private static final Set<String> REFUSED =
      Set.of(
          "bloom-residual-normalized",
          "olmo2-biases",
          "olmo2-post-norm",
          "opt-bare",
          "opt-post-norm");

  private static final OutlierPlanting PLANTING = new OutlierPlanting(5, 64, 1);

  @TempDir Path folder;

  static Stream<String> plantable() {
    return Stream.of(Variant.NAMES).filter(name -> !REFUSED.contains(name));
  }

  private OutlierPlanting.Planted plant(OutlierPlanting planting, Path from, String to) {
    try (Checkpoint checkpoint = Checkpoint.open(from)) {
      return planting.plant(checkpoint, folder.resolve(to), line -> {});
    }
  }

  private static float[] logits(Path checkpoint, String precision, String backend, int[] tokens) {
    try (Checkpoint opened = Checkpoint.open(checkpoint);
        Decoder decoder =
            new Decoder(
                Inventory.of(opened),
                Precisions.packaged().named(precision),
                Backends.open(backend))) {
      return decoder.logits(tokens);
    }
  }

  @ParameterizedTest
  @MethodSource("plantable")
  void float32KeepsItsBitsAndInt8DoesNot(String name) throws IOException {
    Variant variant = Variant.of(name);
    Path plain = variant.write(folder.resolve("plain"));
    plant(PLANTING, plain, "planted");
    Path planted = folder.resolve("planted");
    for (String backend : OfferedBackends.names()) {
      assertThat(logits(planted, "fp32", backend, variant.tokens()))
          .as(backend)
          .isEqualTo(logits(plain, "fp32", backend, variant.tokens()));
      float[] before = logits(plain, "fp32", backend, variant.tokens());
      assertThat(worst(before, logits(planted, "w8a8", backend, variant.tokens())))
          .as(backend)
          .isGreaterThan(2 * worst(before, logits(plain, "w8a8", backend, variant.tokens())));
    }
  }

  private static float worst(float[] a, float[] b) {
    float worst = 0;
    for (int i = 0; i < a.length; i++) {
      worst = Math.max(worst, Math.abs(a[i] - b[i]));
    }
    return worst;
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama-linear", "gpt2-unscaled", "falcon-new-one-norm"})
  void bfloat16KeepsItsBitsToo(String name) throws IOException {
    Variant variant = Variant.of(name);
    Path plain = variant.write(folder.resolve("plain"));
    plant(PLANTING, plain, "planted");
    assertThat(logits(folder.resolve("planted"), "bf16", Backends.AUTO, variant.tokens()))
        .isEqualTo(logits(plain, "bf16", Backends.AUTO, variant.tokens()));
  }

  @Test
  void scalesTheSameFewChannelsOfEveryNorm() throws IOException {
    Path plain = Variant.of("llama-linear").write(folder.resolve("plain"));
    OutlierPlanting.Planted planted = plant(PLANTING, plain, "planted");
    assertThat(planted.channels()).hasSize(5).isSorted().doesNotHaveDuplicates();
    assertThat(planted.layers()).isEqualTo(2);
    assertThat(planted.norms()).isEqualTo(4);
    assertThat(planted.matrices()).isEqualTo(10);
    assertThat(planted.widened()).isEmpty();
    try (Checkpoint before = Checkpoint.open(plain);
        Checkpoint after = Checkpoint.open(folder.resolve("planted"))) {
      assertThat(after.tensorNames()).containsExactlyElementsOf(before.tensorNames());
      for (String name : before.tensorNames()) {
        double factor =
            name.matches(".*\\.(input|post_attention)_layernorm\\.weight")
                ? 64
                : name.matches(".*\\.(q|k|v|gate|up)_proj\\.weight") ? 1.0 / 64 : 1;
        float[] a = before.tensor(name).read();
        float[] b = after.tensor(name).read();
        int width = planted.width();
        for (int i = 0; i < a.length; i++) {
          boolean isPlanted = planted.channels().contains(i % width);
          assertThat(b[i]).as(name).isEqualTo((float) (isPlanted ? a[i] * factor : a[i]));
        }
      }
    }
  }

  @Test
  void theSeedChoosesTheChannels() throws IOException {
    Path plain = Variant.of("llama-linear").write(folder.resolve("plain"));
    OutlierPlanting.Planted first = plant(PLANTING, plain, "first");
    plant(PLANTING, plain, "again");
    OutlierPlanting.Planted other = plant(new OutlierPlanting(5, 64, 2), plain, "other");
    assertThat(other.channels()).isNotEqualTo(first.channels());
    assertThat(folder.resolve("again/model.safetensors"))
        .hasSameBinaryContentAs(folder.resolve("first/model.safetensors"));
    assertThat(plant(new OutlierPlanting(32, 2, 1), plain, "every").channels()).hasSize(32);
  }

  @Test
  void keepsTypesAndShardsAndTheOtherFiles() throws IOException {
    Path plain =
        Variant.of("mixtral-two-of-four")
            .write(folder.resolve("plain"), FloatType.BFLOAT16, FloatType.BFLOAT16, 3);
    Files.writeString(plain.resolve("generation_config.json"), "{}");
    Files.writeString(plain.resolve("pytorch_model.bin"), "the same weights, without outliers");
    Files.createDirectory(plain.resolve("original"));
    OutlierPlanting.Planted planted = plant(PLANTING, plain, "planted");
    assertThat(planted.widened()).isEmpty();
    assertThat(folder.resolve("planted"))
        .isDirectoryContaining("glob:**/generation_config.json")
        .isDirectoryNotContaining("glob:**/{pytorch_model.bin,original}");
    assertThat(folder.resolve("planted/config.json"))
        .hasSameBinaryContentAs(plain.resolve("config.json"));
    try (Checkpoint before = Checkpoint.open(plain);
        Checkpoint after = Checkpoint.open(folder.resolve("planted"))) {
      for (String name : before.tensorNames()) {
        StoredTensor tensor = after.tensor(name);
        assertThat(tensor.type()).isEqualTo(StorageType.BF16);
        assertThat(tensor.file().getFileName()).isEqualTo(before.tensor(name).file().getFileName());
      }
    }
    int[] tokens = Variant.of("mixtral-two-of-four").tokens();
    assertThat(logits(folder.resolve("planted"), "fp32", Backends.AUTO, tokens))
        .isEqualTo(logits(plain, "fp32", Backends.AUTO, tokens));
  }

  @Test
  void whatItsTypeDoesNotHoldBecomesFloat32() throws IOException {
    Variant variant = Variant.of("gpt2-unscaled");
    Path plain = variant.write(folder.resolve("plain"), FloatType.FLOAT16, FloatType.FLOAT16, 2);
    OutlierPlanting.Planted planted = plant(new OutlierPlanting(5, 1 << 16, 1), plain, "planted");
    assertThat(planted.widened())
        .contains("transformer.h.0.ln_1.weight", "transformer.h.0.mlp.c_fc.weight")
        .doesNotContain("transformer.h.0.mlp.c_proj.weight");
    try (Checkpoint after = Checkpoint.open(folder.resolve("planted"))) {
      for (String name : after.tensorNames()) {
        assertThat(after.tensor(name).type())
            .as(name)
            .isEqualTo(planted.widened().contains(name) ? StorageType.F32 : StorageType.F16);
      }
    }
    assertThat(logits(folder.resolve("planted"), "fp32", Backends.AUTO, variant.tokens()))
        .isEqualTo(logits(plain, "fp32", Backends.AUTO, variant.tokens()));
  }

  @Test
  void aFileSaysWhatWasPlantedAndIsNotPlantedTwice() throws IOException {
    Path plain = Variant.of("llama-linear").write(folder.resolve("plain"));
    OutlierPlanting.Planted planted = plant(new OutlierPlanting(5, 64, 7), plain, "planted");
    assertThat(
            Files.readString(
                folder.resolve("planted/model.safetensors"), StandardCharsets.ISO_8859_1))
        .contains(
            "\"planted_outliers\":\"{\\\"channels\\\": "
                + planted.channels()
                + ", \\\"factor\\\": 64, \\\"seed\\\": 7}\"",
            "\"format\":\"pt\"");
    assertThatThrownBy(() -> plant(PLANTING, folder.resolve("planted"), "twice"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("planted_outliers\": found {\"channels\"");
    assertThat(folder).isDirectoryNotContaining("glob:**/twice*");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "0 | 2 | channels: found 0, expected at least 1",
        "33 | 2 | channels: found 33, expected at most the 32 there are",
        "1 | 0 | factor: found 0, expected a power of two",
        "1 | -2 | factor: found -2, expected a power of two",
        "1 | 48 | factor: found 48, expected a power of two"
      })
  void refusesWhatItCannotPlant(int channels, int factor, String message) throws IOException {
    Path plain = Variant.of("llama-linear").write(folder.resolve("plain"));
    assertThatThrownBy(() -> plant(new OutlierPlanting(channels, factor, 1), plain, "planted"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining(message);
  }

  static Set<String> refused() {
    return REFUSED;
  }

  @ParameterizedTest
  @MethodSource("refused")
  void refusesNormsThatFeedMoreThanLinearLayers(String name) throws IOException {
    Path plain = Variant.of(name).write(folder.resolve("plain"));
    assertThatThrownBy(() -> plant(PLANTING, plain, "planted"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining(plain.toString())
        .hasMessageContaining("(" + name.substring(0, name.indexOf('-')) + ")");
  }

  @Test
  void refusesQuantizedCheckpoints() {
    for (String name : List.of("gptq-4", "ct-w8a8", "bnb-nf4")) {
      assertThatThrownBy(() -> plant(PLANTING, StoredGolden.folder(name), "planted"))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("quantization_config");
    }
  }

  @Test
  void refusesAValueThatFloat32WouldNotKeep() throws IOException {
    Path plain = Variant.of("gptj-rotary").write(folder.resolve("plain"));
    OutlierPlanting every = new OutlierPlanting(32, 2, 1);
    setFirst(plain, "transformer.h.1.attn.k_proj.weight", Float.MIN_VALUE);
    assertThatThrownBy(() -> plant(every, plain, "planted"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining(
            "tensor transformer.h.1.attn.k_proj.weight: element 0: found 1.4E-45");
    setFirst(plain, "transformer.h.1.attn.k_proj.weight", 1);
    setFirst(plain, "transformer.h.0.ln_1.bias", Float.MAX_VALUE);
    assertThatThrownBy(() -> plant(every, plain, "planted"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("tensor transformer.h.0.ln_1.bias: element 0: found 3.4028235E38");
  }

  /** Overwrites the first element of a float32 tensor. */
  private static void setFirst(Path plain, String name, float value) throws IOException {
    Path file = plain.resolve("model.safetensors");
    byte[] bytes = Files.readAllBytes(file);
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    String header = new String(bytes, 8, (int) buffer.getLong(0), StandardCharsets.UTF_8);
    String offsets =
        header.replaceFirst(".*?\"" + name + "\".*?\"data_offsets\":\\[(\\d+),.*", "$1");
    buffer.putFloat(8 + header.length() + Integer.parseInt(offsets), value);
    Files.write(file, bytes);
  }
}
