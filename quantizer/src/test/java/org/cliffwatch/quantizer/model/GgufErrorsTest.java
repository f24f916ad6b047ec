package org.cliffwatch.quantizer.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What is wrong or not implemented in a GGUF file is refused by name, whatever the architecture.
 */
class GgufErrorsTest {
  /** Whose absence, or number of rows, is what a model has and not an error. */
  private static final Set<String> SAYING =
      Set.of("output.weight", "token_embd.weight", "rope_freqs.weight");

  private static final int[] EXTREMES = {0, 1, 2, 3, -1, 255, 16_384, 65_536, Integer.MAX_VALUE};

  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      nullValues = "none",
      value = {
        "llama | attention.causal | false | llama.attention.causal: found false, expected true",
        "llama | attention.head_count | 3 | found shape [32, 32], expected a multiple of 2 · 3 rows",
        "llama | attention.value_length | 9 | llama.attention.value_length: found 9, expected 8",
        "llama | block_count | 3 | tensor model.layers.2.self_attn.q_proj.weight: missing",
        "llama | embedding_length | 33 | found shape [32, 32], expected [32, 33]",
        "llama | logit_scale | 2.0 | llama.logit_scale: changes the model in a way",
        "llama | rope.dimension_count | 4 | llama.rope.dimension_count: found 4, expected 8",
        "llama-yarn | rope.scaling.yarn_ext_factor | 1.0 | yarn_ext_factor: changes the model",
        "llama-yarn | rope.scaling.yarn_log_multiplier | 1.0 | changes the model",
        "mixtral | expert_count | none | llama.expert_used_count: found 3, expected 0",
        "mixtral | expert_count | 6 | tensor blk.0.ffn_gate_exps.weight: found shape [5, 40, 32],"
            + " expected three dimensions, the first the expert_count 6",
        "mixtral | expert_used_count | none | llama.expert_used_count: missing",
        "mixtral | expert_used_count | 6 | found 6, expected at most the 5 there are",
        "qwen3moe | expert_count | 2147483647 | the first the expert_count 2147483647",
        "qwen3moe | expert_count | 0 | qwen3moe.expert_count: found 0, expected at least 1",
        "qwen3moe | expert_feed_forward_length | 25 | found shape [24, 32], expected [25, 32]",
        "qwen3moe | expert_gating_func | 2 | expert_gating_func: found 2, expected 1",
        "qwen3moe | expert_shared_count | 1 | expert_shared_count: changes the model",
        "qwen3moe | expert_weights_scale | 2.5 | expert_weights_scale: changes the model",
        "olmoe | attention.clamp_kqv | 8.0 | attention.clamp_kqv: changes the model",
        "olmo2 | attention.sliding_window | 8 | olmo2.attention.sliding_window: changes the model",
        "gemma2 | attention.sliding_window_pattern | 0 | found 0, expected at least 1",
        "gemma2 | attention.sliding_window_pattern | [1, 0] | found 2 values, expected one a layer: 4",
        "gemma2 | block_count | 1000000 | block_count: found 1000000, but only 46 tensors",
        "gemma2 | final_logit_softcapping | -1.0 | expected a positive number, or null",
        "gemma2 | rope.freq_base_swa | 50.0 | found 50.0, expected that of all layers",
        "gemma3 | attn_logit_softcapping | 50.0 | gemma3.attn_logit_softcapping: changes the model",
        "gemma3 | rope.scaling.type | dynamic | found dynamic, expected linear or yarn",
        "granite | logit_scale | none | granite.logit_scale: missing",
        "granite | rope.scaling.finetuned | false | found false, expected true",
        "command-r | logit_scale | none | command-r.logit_scale: missing",
        "command-r | rope.scaling.type | linear | found linear, expected none",
        "cohere2 | attention.sliding_window | none | cohere2.attention.sliding_window: missing",
        "falcon-new | attention.head_count_kv | 3 | keys and values of 3, a divisor",
        "falcon-new | attention.head_count_kv | 4 | tensor blk.0.attn_qkv.weight: found shape [64,"
            + " 32], expected 96 rows",
        "falcon-new | tensor_data_layout | other | found other, expected jploski",
        "gptneox | attention.head_count_kv | 2 | found 2, expected 4",
        "bloom | attention.max_alibi_bias | 8.0 | bloom.attention.max_alibi_bias: changes the model",
        "bloom | feed_forward_length | 140 | expected four times the hidden size",
        "phi3 | rope.scaling.attn_factor | 1.5 | found 1.5 without tensor rope_factors_long.weight",
        "phi3-longrope | rope.dimension_count | 6 | rope_factors_long.weight: found shape [4]",
        "smollm3 | attention.layer_norm_rms_epsilon | none | layer_norm_rms_epsilon: missing",
        "stablelm-parallel | rope.dimension_count | 16 | above 0, up to 1"
      })
  void refusesMetadata(String variant, String key, String value, String message)
      throws IOException {
    assertRefused(GgufVariant.of(variant).with(key, parsed(value)), message);
  }

  private static Object parsed(String value) {
    if (value == null) {
      return null;
    }
    if (value.startsWith("[")) {
      return Stream.of(value.substring(1, value.length() - 1).split(", "))
          .mapToInt(Integer::parseInt)
          .toArray();
    }
    if (value.matches("-?\\d+\\.\\d+")) {
      return Float.valueOf(value);
    }
    if (value.matches("\\d+")) {
      return Integer.valueOf(value);
    }
    return value.equals("true") || value.equals("false") ? Boolean.valueOf(value) : value;
  }

  static Stream<String> variants() {
    return Stream.of(GgufVariant.NAMES);
  }

  @ParameterizedTest
  @MethodSource("variants")
  void refusesAMissingMisshapenOrUnknownTensor(String name) throws IOException {
    GgufVariant variant = GgufVariant.of(name);
    for (String tensor : Set.copyOf(variant.tensors.keySet())) {
      if (!SAYING.contains(tensor)) {
        GgufVariant.Tensor sound = variant.tensors.remove(tensor);
        assertRefused(variant, "tensor");
        variant.tensors.put(tensor, longer(sound));
        assertRefused(variant, "tensor");
        variant.tensors.put(tensor, sound);
      }
    }
    variant.tensors.put(
        "blk.0.adapter.weight", new GgufVariant.Tensor(new long[] {1}, new float[1], ""));
    assertRefused(variant, "blk.0.adapter.weight");
  }

  /** Norms of queries with weights for every head, which llama.cpp has stacked. */
  @ParameterizedTest
  @CsvSource({"command-r, use_qk_norm", "stablelm-sequential, qk_layernorm"})
  void refusesNormsOfEveryHead(String name, String field) throws IOException {
    GgufVariant variant = GgufVariant.of(name);
    variant.tensors.put(
        "blk.0.attn_q_norm.weight", new GgufVariant.Tensor(new long[] {8, 4}, new float[32], ""));
    assertRefused(variant, field + "\": found true, which is not implemented; expected false");
  }

  /** Headers damaged at random (seeded) are refused by the file's name, or read. */
  @ParameterizedTest
  @MethodSource("variants")
  void damagedHeadersAreRefusedOrRead(String name) throws IOException {
    Path file = GgufVariant.of(name).write(folder.resolve("m.gguf"));
    byte[] sound = Files.readAllBytes(file);
    Random random = new Random(name.hashCode());
    int refused = 0;
    int count = 200;
    for (int i = 0; i < count; i++) {
      byte[] damaged = sound.clone();
      int at = 24 + random.nextInt(random.nextBoolean() ? 900 : 4000);
      ByteBuffer bytes = ByteBuffer.wrap(damaged).order(ByteOrder.LITTLE_ENDIAN);
      switch (random.nextInt(3)) {
        case 0 -> damaged[at] ^= (byte) (1 << random.nextInt(8));
        case 1 -> bytes.putInt(at, EXTREMES[random.nextInt(EXTREMES.length)]);
        default -> bytes.putLong(at, EXTREMES[random.nextInt(EXTREMES.length)]);
      }
      Files.write(file, damaged);
      try (Checkpoint checkpoint = Checkpoint.open(file)) {
        checkpoint.tensorNames().forEach(tensor -> checkpoint.tensor(tensor).read());
        Inventory.of(checkpoint);
      } catch (InvalidInputException e) {
        refused++;
        assertThat(e).as(name + " number " + i).hasMessageContaining(file.toString());
      }
    }
    // A test in which all damage matters, or none does, tests nothing.
    assertThat(refused).isBetween(count / 4, count - 1);
  }

  /** One more of its outermost dimension. */
  private static GgufVariant.Tensor longer(GgufVariant.Tensor tensor) {
    long[] dimensions = tensor.dimensions().clone();
    int last = dimensions.length - 1;
    int added = (int) (tensor.values().length / dimensions[last]);
    dimensions[last]++;
    float[] values = Arrays.copyOf(tensor.values(), tensor.values().length + added);
    return new GgufVariant.Tensor(dimensions, values, "");
  }

  private void assertRefused(GgufVariant variant, String message) throws IOException {
    Path file = variant.write(folder.resolve("m.gguf"));
    assertThatThrownBy(
            () -> {
              try (Checkpoint checkpoint = Checkpoint.open(file)) {
                Inventory.of(checkpoint);
              }
            })
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining(file.toString())
        .hasMessageContaining(message);
  }
}
