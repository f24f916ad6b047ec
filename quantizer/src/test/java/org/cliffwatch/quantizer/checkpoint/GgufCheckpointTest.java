package org.cliffwatch.quantizer.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GgufCheckpointTest {
  private static final int F32 = 0;

  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({"2, 18", "3, 20", "6, 22", "7, 24", "8, 34", "12, 144", "13, 176", "14, 210"})
  void anyRangeOfBlocksEqualsThatPartOfTheWhole(int type, int blockBytes) throws IOException {
    int elements = 3 * 512;
    Random random = new Random(type);
    byte[] bytes = new byte[elements * blockBytes / (type < 12 ? 32 : 256)];
    random.nextBytes(bytes);
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] &= 0x3b; // no scale is infinite or NaN
    }
    TestGguf file = llama(1, 1, 512, 3).tensor("output.weight", type, bytes, 512, 3);
    try (Checkpoint checkpoint = open(file)) {
      StoredTensor tensor = checkpoint.tensor("lm_head.weight");
      float[] whole = tensor.read();
      assertThat(whole).hasSize(elements);
      for (int round = 0; round < 300; round++) {
        int first = random.nextInt(elements);
        int count = random.nextInt(elements - first + 1);
        float[] part = new float[count + 2];
        tensor.read(first, part, 1, count);
        assertThat(part[0]).isZero();
        assertThat(part[count + 1]).isZero();
        assertThat(Arrays.copyOfRange(part, 1, count + 1))
            .containsExactly(Arrays.copyOfRange(whole, first, first + count));
      }
    }
  }

  /** Rows shuffled as convert_hf_to_gguf.py does: reshape(heads, 2, half, …).swapaxes(1, 2). */
  private static float[] permuted(float[] rows, int heads, int length) {
    int half = rows.length / length / heads / 2;
    float[] permuted = new float[rows.length];
    int to = 0;
    for (int head = 0; head < heads; head++) {
      for (int i = 0; i < half; i++) {
        for (int j = 0; j < 2; j++) {
          int from = (head * 2 + j) * half + i;
          System.arraycopy(rows, from * length, permuted, to++ * length, length);
        }
      }
    }
    return permuted;
  }

  @Test
  void rotaryRowsComeBackInHuggingFaceOrder() throws IOException {
    float[] query = random(64 * 64);
    float[] key = random(32 * 64);
    float[] value = random(32 * 64);
    float[] bias = random(64);
    TestGguf file =
        llama(4, 2, 64, 3)
            .tensor("blk.0.attn_q.weight", F32, bytes(permuted(query, 4, 64)), 64, 64)
            .tensor("blk.0.attn_k.weight", F32, bytes(permuted(key, 2, 64)), 64, 32)
            .tensor("blk.0.attn_v.weight", F32, bytes(value), 64, 32)
            .tensor("blk.0.attn_q.bias", F32, bytes(permuted(bias, 4, 1)), 64);
    try (Checkpoint checkpoint = open(file)) {
      String layer = "model.layers.0.self_attn.";
      assertThat(checkpoint.tensor(layer + "q_proj.weight").read()).containsExactly(query);
      assertThat(checkpoint.tensor(layer + "k_proj.weight").read()).containsExactly(key);
      assertThat(checkpoint.tensor(layer + "v_proj.weight").read()).containsExactly(value);
      assertThat(checkpoint.tensor(layer + "q_proj.bias").read()).containsExactly(bias);
      float[] part = new float[100];
      checkpoint.tensor(layer + "q_proj.weight").read(1000, part, 0, 100);
      assertThat(part).containsExactly(Arrays.copyOfRange(query, 1000, 1100));
      float[] row = new float[64];
      checkpoint.tensor(layer + "q_proj.weight").rows().row(13, row);
      assertThat(row).containsExactly(Arrays.copyOfRange(query, 13 * 64, 14 * 64));
    }
  }

  /** Blocks are neither widened nor moved: an expert's matrix lies where it does in the stack. */
  @Test
  void expertsAreTheLayersOfAStack() throws IOException {
    byte[] blocks = new byte[34 * 2 * 3 * 5];
    new Random(3).nextBytes(blocks);
    for (int i = 0; i < blocks.length; i++) {
      blocks[i] &= 0x3b; // no scale is infinite or NaN
    }
    TestGguf file =
        llama(1, 1, 64, 3)
            .integer("llama.expert_count", 5)
            .integer("llama.expert_used_count", 2)
            .tensor("blk.0.ffn_up_exps.weight", 8, blocks, 64, 3, 5)
            .tensor("output.weight", 8, blocks, 64, 15);
    try (Checkpoint checkpoint = open(file)) {
      float[] all = checkpoint.tensor("lm_head.weight").read();
      for (int e = 0; e < 5; e++) {
        String name = "model.layers.0.block_sparse_moe.experts." + e + ".w3.weight";
        StoredTensor expert = checkpoint.tensor(name).requireShape(3, 64);
        assertThat(expert.bytes()).isEqualTo(blocks.length / 5);
        assertThat(expert.read())
            .containsExactly(Arrays.copyOfRange(all, e * 3 * 64, (e + 1) * 3 * 64));
      }
      assertThat(checkpoint.hasTensor("blk.0.ffn_up_exps.weight")).isFalse();
    }
  }

  /** Every bfloat16 that a norm's weight w can be, stored as 1 + w. */
  @Test
  void weightsOfGemmasNormsComeBack() throws IOException {
    float[] weights = new float[2 << 15];
    float[] stored = new float[weights.length];
    int count = 0;
    for (int bits = 0; bits < 1 << 16; bits++) {
      float w = Float.intBitsToFloat(bits << 16);
      if (Math.abs(w) <= 0x1p16f) {
        weights[count] = w;
        stored[count++] = 1 + w;
      }
    }
    TestGguf file =
        sizes("gemma2", 1, 1, 64)
            .tensor("token_embd.weight", F32, bytes(random(3 * 64)), 64, 3)
            .tensor("output_norm.weight", F32, bytes(Arrays.copyOf(stored, count)), count);
    try (Checkpoint checkpoint = open(file)) {
      float[] found = checkpoint.tensor("model.norm.weight").read();
      for (int i = 0; i < count; i++) {
        if (Math.abs(weights[i]) >= 0x1p-16f) {
          assertThat(found[i]).isEqualTo(weights[i]);
        } else {
          assertThat(found[i]).isBetween(weights[i] - 0x1p-24f, weights[i] + 0x1p-24f);
          assertThat(Float.floatToRawIntBits(found[i]) & 0xffff).isZero();
        }
        assertThat(1 + found[i]).isEqualTo(stored[i]);
      }
    }
  }

  /** The sum that is computed is the original's for any float32 weight, though w itself is not. */
  @Test
  void onePlusWeightIsTheSameToTheBit() throws IOException {
    float[] stored = new float[20_000];
    Random random = new Random(9);
    for (int i = 0; i < stored.length; i++) {
      stored[i] = 1 + (float) random.nextGaussian() * (i % 2 == 0 ? 1 : 0x1p-12f);
    }
    TestGguf file =
        sizes("gemma2", 1, 1, 64)
            .tensor("token_embd.weight", F32, bytes(random(3 * 64)), 64, 3)
            .tensor("output_norm.weight", F32, bytes(stored), stored.length);
    try (Checkpoint checkpoint = open(file)) {
      float[] found = checkpoint.tensor("model.norm.weight").read();
      for (int i = 0; i < stored.length; i++) {
        assertThat(1 + found[i]).isEqualTo(stored[i]);
      }
    }
  }

  @Test
  void gpt2LayersAreTransposedBack() throws IOException {
    int in = 32;
    int out = 96;
    float[] stored = random(in * out); // (out, in)
    TestGguf file =
        new TestGguf()
            .text("general.architecture", "gpt2")
            .integer("gpt2.block_count", 1)
            .integer("gpt2.context_length", 16)
            .integer("gpt2.embedding_length", in)
            .integer("gpt2.feed_forward_length", 4 * in)
            .integer("gpt2.attention.head_count", 2)
            .number("gpt2.attention.layer_norm_epsilon", 1e-5f)
            .tensor("token_embd.weight", F32, bytes(random(3 * in)), in, 3)
            .tensor("position_embd.weight", F32, bytes(random(16 * in)), in, 16)
            .tensor("blk.0.attn_qkv.weight", F32, bytes(stored), in, out)
            .tensor("blk.0.attn_qkv.bias", F32, bytes(random(out)), out);
    try (Checkpoint checkpoint = open(file)) {
      StoredTensor tensor = checkpoint.tensor("transformer.h.0.attn.c_attn.weight");
      assertThat(tensor.shape()).containsExactly(in, out);
      float[] conv1d = tensor.read();
      WeightRows columns = tensor.columns();
      assertThat(columns.rows()).isEqualTo(out);
      float[] row = new float[in];
      for (int o = 0; o < out; o++) {
        columns.row(o, row);
        for (int i = 0; i < in; i++) {
          assertThat(conv1d[i * out + o]).isEqualTo(stored[o * in + i]);
          assertThat(row[i]).isEqualTo(stored[o * in + i]);
        }
      }
      assertThat(checkpoint.tensorNames())
          .contains("transformer.wte.weight", "transformer.wpe.weight")
          .contains("transformer.h.0.attn.c_attn.bias");
      assertThat(checkpoint.config().text("activation_function")).isEqualTo("gelu_new");
      assertThat(checkpoint.config().integer("vocab_size")).isEqualTo(3);
    }
  }

  @Test
  void rotaryFactorsOfLlama3BecomeItsScaling() throws IOException {
    int head = 64;
    float[] factors = new float[head / 2];
    for (int i = 0; i < factors.length; i++) {
      double wavelength = 2 * Math.PI * Math.pow(500_000, 2.0 * i / head);
      double factor = 32;
      // As Llama 3.2: short waves as they are, long ones slowed, between the two blended.
      double blend = (8192 / wavelength - 1) / (4 - 1);
      factors[i] =
          (float)
              (wavelength < 8192 / 4.0
                  ? 1
                  : wavelength > 8192 ? factor : 1 / ((1 - blend) / factor + blend));
    }
    TestGguf file =
        llama(1, 1, head, 3)
            .number("llama.rope.freq_base", 500_000)
            .tensor("rope_freqs.weight", F32, bytes(factors), factors.length);
    try (Checkpoint checkpoint = open(file)) {
      ConfigFields scaling = checkpoint.config().object("rope_scaling").orElseThrow();
      assertThat(scaling.text("rope_type")).isEqualTo("llama3");
      assertThat(scaling.number("factor")).isEqualTo(32);
      assertThat(scaling.number("low_freq_factor")).isEqualTo(1);
      assertThat(scaling.number("high_freq_factor")).isEqualTo(4);
      assertThat(scaling.integer("original_max_position_embeddings")).isEqualTo(8192);
      assertThat(checkpoint.hasTensor("rope_freqs.weight")).isFalse();
    }
    factors[20] *= 1.01f;
    TestGguf other =
        llama(1, 1, head, 3)
            .number("llama.rope.freq_base", 500_000)
            .tensor("rope_freqs.weight", F32, bytes(factors), factors.length);
    assertThatThrownBy(() -> open(other))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("tensor rope_freqs.weight: rotary frequency factors other than");
  }

  @Test
  void whatIsNotImplementedIsRefusedByName() throws IOException {
    assertThatThrownBy(() -> open(new TestGguf().text("general.architecture", "mamba")))
        .hasMessageContaining(
            "general.architecture: found mamba, expected one of bloom, cohere2, command-r,");
    assertThatThrownBy(() -> open(llama(1, 1, 64, 3).number("llama.logit_scale", 2)))
        .hasMessageContaining("llama.logit_scale: changes the model");
    assertThatThrownBy(() -> open(llama(1, 1, 64, 3).integer("llama.expert_count", 8)))
        .hasMessageContaining("llama.expert_used_count: missing, expected an integer");
    assertThatThrownBy(() -> open(llama(1, 1, 64, 3).text("llama.rope.scaling.type", "longrope")))
        .hasMessageContaining("llama.rope.scaling.type: found longrope");
    assertThatThrownBy(
            () -> open(llama(1, 1, 64, 3).tensor("output.weight", 16, new byte[66], 256)))
        .hasMessageContaining("tensor output.weight: stored as IQ2_XXS, which is not read");
    assertThatThrownBy(() -> open(llama(1, 1, 64, 3).text("general.architecture", "llama")))
        .hasMessageContaining("general.architecture: given twice");
    byte[] sound = llama(1, 1, 64, 3).file();
    byte[] swapped = sound.clone();
    swapped[4] = 0;
    swapped[7] = 3; // the version
    assertThatThrownBy(() -> open(swapped)).hasMessageContaining("a big-endian GGUF file");
    assertThatThrownBy(() -> open(Arrays.copyOf(sound, sound.length - 64)))
        .hasMessageContaining("tensor token_embd.weight: needs 768 bytes, but only 704");
    assertThatThrownBy(() -> open(Arrays.copyOf(sound, sound.length + 64)))
        .hasMessageContaining("bytes after the last tensor");
  }

  @Test
  void linearScalingAndItsFactorAreRead() throws IOException {
    TestGguf file =
        llama(1, 1, 64, 3)
            .text("llama.rope.scaling.type", "linear")
            .number("llama.rope.scaling.factor", 2.5f);
    try (Checkpoint checkpoint = open(file)) {
      ConfigFields scaling = checkpoint.config().object("rope_scaling").orElseThrow();
      assertThat(scaling.text("rope_type")).isEqualTo("linear");
      assertThat(scaling.number("factor")).isEqualTo(2.5);
      assertThat(checkpoint.config().number("rms_norm_eps")).isEqualTo(1e-5);
    }
  }

  @Test
  void theOneGgufFileOfAFolderIsOpened() throws IOException {
    Files.write(folder.resolve("a.gguf"), SmallModels.gguf());
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.path()).isEqualTo(folder.resolve("a.gguf"));
      assertThat(checkpoint.tokenizerFiles()).isPresent();
    }
    Files.write(folder.resolve("b.gguf"), SmallModels.gguf());
    assertThatThrownBy(() -> Checkpoint.open(folder)).hasMessageContaining("found 2 .gguf files");
  }

  private static TestGguf part(TestGguf gguf, int number, int count, int tensors) {
    return gguf.integer("split.no", number)
        .integer("split.count", count)
        .integer("split.tensors.count", tensors);
  }

  private void parts(int count, int tensors) throws IOException {
    Files.write(
        folder.resolve("m-00001-of-00003.gguf"),
        part(llama(1, 1, 64, 3), 0, count, tensors).file());
    for (int number = 1; number < 3; number++) {
      TestGguf more = part(new TestGguf(), number, count, tensors);
      Files.write(
          folder.resolve("m-0000" + (number + 1) + "-of-00003.gguf"),
          more.tensor("blk.0.ffn_norm.part" + number, F32, bytes(random(64)), 64).file());
    }
  }

  @Test
  void thePartsOfASplitModelAreOne() throws IOException {
    parts(3, 3);
    for (Path path : List.of(folder, folder.resolve("m-00001-of-00003.gguf"))) {
      try (Checkpoint checkpoint = Checkpoint.open(path)) {
        assertThat(checkpoint.tensorNames())
            .containsExactly(
                "model.embed_tokens.weight", "blk.0.ffn_norm.part1", "blk.0.ffn_norm.part2");
        assertThat(checkpoint.tensor("blk.0.ffn_norm.part2").read()).hasSize(64);
      }
    }
  }

  @Test
  void partsThatAreNotOneModelAreRefused() throws IOException {
    parts(3, 3);
    Path first = folder.resolve("m-00001-of-00003.gguf");
    Path second = folder.resolve("m-00002-of-00003.gguf");
    Path third = folder.resolve("m-00003-of-00003.gguf");
    assertThatThrownBy(() -> Checkpoint.open(second))
        .hasMessageContaining("split.no: part 2, expected the first: m-00001-of-00003.gguf");
    byte[] sound = Files.readAllBytes(third);
    Files.delete(third);
    assertThatThrownBy(() -> Checkpoint.open(first))
        .hasMessageContaining("split.count: found 3, but no m-00003-of-00003.gguf");
    assertThatThrownBy(() -> Checkpoint.open(folder)).hasMessageContaining("found 2 .gguf files");
    Files.copy(second, third);
    assertThatThrownBy(() -> Checkpoint.open(first))
        .hasMessageContaining("m-00003-of-00003.gguf: split.no: part 2 of 3, expected what");
    Files.write(third, Arrays.copyOf(sound, sound.length - 32));
    assertThatThrownBy(() -> Checkpoint.open(first)).hasMessageContaining("m-00003-of-00003.gguf");
    parts(3, 4);
    assertThatThrownBy(() -> Checkpoint.open(first))
        .hasMessageContaining("split.tensors.count: found 4, but parts have 3");
    parts(4, 3);
    assertThatThrownBy(() -> Checkpoint.open(first))
        .hasMessageContaining("expected a file called NAME-00001-of-00004.gguf");
  }

  private static TestGguf llama(int heads, int keyValueHeads, int hidden, int vocabulary) {
    return sizes("llama", heads, keyValueHeads, hidden)
        .tensor("token_embd.weight", F32, bytes(random(vocabulary * hidden)), hidden, vocabulary);
  }

  private static TestGguf sizes(String architecture, int heads, int keyValueHeads, int hidden) {
    return new TestGguf()
        .text("general.architecture", architecture)
        .integer(architecture + ".block_count", 1)
        .integer(architecture + ".context_length", 128)
        .integer(architecture + ".embedding_length", hidden)
        .integer(architecture + ".feed_forward_length", 96)
        .integer(architecture + ".attention.head_count", heads)
        .integer(architecture + ".attention.head_count_kv", keyValueHeads)
        .number(architecture + ".attention.layer_norm_rms_epsilon", 1e-5f);
  }

  private Checkpoint open(TestGguf file) throws IOException {
    return open(file.file());
  }

  private Checkpoint open(byte[] file) throws IOException {
    Path path = folder.resolve("model.gguf");
    Files.write(path, file);
    return Checkpoint.open(path);
  }

  private static float[] random(int count) {
    float[] values = new float[count];
    Random random = new Random(count);
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private static byte[] bytes(float[] values) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    return bytes.array();
  }
}
