package org.cliffwatch.quantizer.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What we cannot run is refused by name, whatever the family. */
class FamilyErrorsTest {
  private static final ObjectMapper MAPPER = new ObjectMapper();

  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "llama | model_type | \"mamba\" | found \"mamba\", which is not implemented",
        "llama | hidden_act | \"relu6\" | found \"relu6\", which is not implemented",
        "llama | rope_parameters | {\"rope_type\": \"su\"} | found \"su\"",
        "llama | rope_parameters | {\"rope_type\": \"longrope\"} | short_factor\": found 0 factors",
        "llama | rope_parameters | {\"rope_type\": \"linear\"} | factor\": missing",
        "llama | rope_parameters | {\"mrope_section\": [1]} | rope_parameters.mrope_section",
        "llama | hidden_size | 0 | found 0, expected at least 1",
        "llama | hidden_size | \"32\" | expected an integer",
        "llama | num_key_value_heads | 3 | expected a divisor of num_attention_heads 4",
        "llama | quantization_config | {\"quant_method\": \"quip\"} | not implemented; expected awq",
        "llama | logit_softcapping | 30.0 | not implemented in llama",
        "llama | is_encoder_decoder | true | not implemented; expected false",
        "llama | rope_interleaved | true | not implemented; expected false",
        "mistral | attention_bias | true | not implemented in mistral",
        "mixtral | num_experts_per_tok | 5 | found 5, expected at most the 4 there are",
        "mixtral | num_local_experts | 0 | found 0, expected at least 1",
        "mixtral | norm_topk_prob | false | not implemented in mixtral",
        "mixtral | decoder_sparse_step | 2 | not implemented in mixtral",
        "mixtral | shared_expert_intermediate_size | 64 | not implemented in mixtral",
        "qwen2 | layer_types | [\"full_attention\"] | found 1 entries, expected one a layer: 3",
        "qwen2 | use_mrope | true | not implemented; expected false",
        "olmoe | clip_qkv | -8.0 | expected a positive number, or null",
        "olmoe | num_experts_per_tok | 7 | found 7, expected at most the 6 there are",
        "olmoe | sliding_window | 8 | not implemented in olmoe",
        "qwen3_moe | num_experts_per_tok | 6 | found 6, expected at most the 5 there are",
        "qwen3_moe | decoder_sparse_step | 0 | found 0, expected at least 1",
        "qwen3_moe | mlp_only_layers | [\"first\"] | number",
        "qwen3_moe | layer_types | [\"sliding_attention\"] | not implemented in qwen3_moe",
        "phi3 | rope_parameters | {\"rope_type\": \"llama3\"} | rope_type",
        "smollm3 | no_rope_layers | [1, 0] | expected a 0 or 1 for each of 3",
        "stablelm | qk_layernorm | true | not implemented; expected false",
        "cohere | use_qk_norm | true | not implemented; expected false",
        "cohere2 | sliding_window | null | expected a window, for layers that slide",
        "gemma2 | final_logit_softcapping | -1 | expected a positive number, or null",
        "gemma3_text | attn_logit_softcapping | 50 | not implemented; expected null",
        "gemma3_text | rope_scaling | {\"factor\": 8, \"rope_type\": \"linear\"} | beside rope_parameters",
        "falcon | alibi | true | not implemented; expected false",
        "falcon | num_ln_in_parallel_attn | 2 | expected 1 outside the new decoder architecture",
        "gpt_neo | attention_types | [[[\"global\"], 2]] | gives 2 layers, expected num_layers 3",
        "gpt_neo | attention_types | [[[\"spiral\"], 3]] | found \"spiral\"",
        "gptj | rotary_dim | 9 | expected an even number up to 8",
        "bloom | n_inner | 100 | expected four times the hidden size"
      })
  void refusesAField(String family, String field, String value, String message) throws IOException {
    Variant variant = Variant.of(example(family));
    variant.config.set(field, MAPPER.readTree(value));
    try (Checkpoint checkpoint = Checkpoint.open(variant.write(folder))) {
      assertThatThrownBy(() -> Inventory.of(checkpoint))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("config.json")
          .hasMessageContaining(field)
          .hasMessageContaining(message);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "bloom",
        "cohere",
        "cohere2",
        "falcon",
        "gemma2",
        "gemma3_text",
        "gpt2",
        "gpt_neo",
        "gpt_neox",
        "gptj",
        "granite",
        "llama",
        "mistral",
        "mixtral",
        "olmo2",
        "olmoe",
        "opt",
        "phi3",
        "qwen2",
        "qwen3",
        "qwen3_moe",
        "smollm3",
        "stablelm"
      })
  void refusesAMissingMisshapenOrUnknownTensor(String family) throws IOException {
    for (String name : Variant.of(example(family)).shapes.keySet()) {
      Variant variant = Variant.of(example(family));
      long[] shape = variant.shapes.remove(name);
      assertRefused(variant, name);
      shape[0]++;
      variant.shapes.put(name, shape);
      assertRefused(variant, name);
    }
    Variant variant = Variant.of(example(family));
    variant.shapes.put("adapter.weight", new long[] {2, 2});
    assertRefused(variant, "adapter.weight");
  }

  @Test
  void acceptsWhatHoldsNoWeights() throws IOException {
    Variant variant = Variant.of("gpt_neox-sequential");
    variant.shapes.put("gpt_neox.layers.0.attention.bias", new long[] {1, 1, 4, 4});
    variant.shapes.put("gpt_neox.layers.1.attention.masked_bias", new long[] {1});
    variant.shapes.put("gpt_neox.layers.1.attention.rotary_emb.inv_freq", new long[] {2});
    variant.config.put("initializer_range", 7).put("attention_dropout", 0.5);
    try (Checkpoint checkpoint = Checkpoint.open(variant.write(folder))) {
      assertThat(Inventory.of(checkpoint).architecture().family()).isEqualTo("gpt_neox");
    }
  }

  @Test
  void refusesATiedHeadThatIsAnother() throws IOException {
    Variant variant = Variant.of("llama-biases");
    variant.shapes.put("lm_head.weight", variant.shapes.get("model.embed_tokens.weight"));
    assertRefused(variant, "lm_head.weight differs from model.embed_tokens.weight in row 0");
  }

  @Test
  void findsTensorsOfADecoderSavedWithoutItsHead() throws IOException {
    Variant variant = Variant.of("gpt2-scaled-by-layer");
    for (String name : variant.shapes.keySet().toArray(new String[0])) {
      variant.shapes.put(name.substring("transformer.".length()), variant.shapes.remove(name));
    }
    try (Checkpoint checkpoint = Checkpoint.open(variant.write(folder))) {
      assertThat(Inventory.of(checkpoint).embedding().name()).isEqualTo("wte.weight");
    }
  }

  private void assertRefused(Variant variant, String named) throws IOException {
    try (Checkpoint checkpoint = Checkpoint.open(variant.write(folder))) {
      assertThatThrownBy(() -> Inventory.of(checkpoint))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining(folder.toString())
          .hasMessageContaining(named);
    }
  }

  private static String example(String family) {
    for (String name : Variant.NAMES) {
      if (name.startsWith(family + "-")) {
        return name;
      }
    }
    throw new IllegalArgumentException(family);
  }
}
