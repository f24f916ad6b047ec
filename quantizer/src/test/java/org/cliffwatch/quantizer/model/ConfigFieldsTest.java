package org.cliffwatch.quantizer.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.Shared;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.FieldSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Fields that a family does not read change nothing, or are refused. */
class ConfigFieldsTest {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final int UNKNOWN = 200;
  private static final int ADDED = 5;

  static final String[] VARIANTS = Variant.NAMES;

  @TempDir Path folder;

  @ParameterizedTest
  @FieldSource("VARIANTS")
  void anyFieldThatNobodyKnowsIsIgnoredAndNamed(String name) throws IOException {
    Random random = new Random(name.hashCode());
    Variant variant = Variant.of(name);
    float[] plain = logits(variant.write(folder.resolve("plain")), variant.tokens());
    List<String> unknown = unknown();
    Collections.shuffle(unknown, random);
    List<String> added = unknown.subList(0, ADDED);
    List<JsonNode> values =
        List.of(
            MAPPER.readTree("true"),
            MAPPER.readTree("-3.5"),
            MAPPER.readTree("\"text\""),
            MAPPER.readTree("[1, \"two\"]"),
            MAPPER.readTree("{\"inner\": {\"rope\": 7}}"));
    for (int i = 0; i < ADDED; i++) {
      variant.config.set(added.get(i), values.get(i));
    }
    Path with = variant.write(folder.resolve("with"));
    assertThat(logits(with, variant.tokens())).isEqualTo(plain);
    try (Checkpoint checkpoint = Checkpoint.open(with)) {
      Inventory inventory = Inventory.of(checkpoint);
      assertThat(inventory.ignoredFields()).containsExactlyInAnyOrderElementsOf(added);
      assertThat(inventory.warning().orElseThrow()).contains(added).doesNotContain("\n");
    }
  }

  /** Names as tools make them up; none is in any family's arithmetic. */
  private static List<String> unknown() {
    List<String> names = new ArrayList<>();
    for (String tool : new String[] {"unsloth", "axolotl", "trl", "peft", "_internal", "my"}) {
      for (String what : new String[] {"version", "fixed", "labels", "path", "rank", "dataset"}) {
        for (String kind : new String[] {"", "_name", "_size", "_id", "_flag", "_2"}) {
          names.add(tool + "_" + what + kind);
        }
      }
    }
    Collections.shuffle(names, new Random(UNKNOWN));
    return new ArrayList<>(names.subList(0, UNKNOWN));
  }

  @ParameterizedTest
  @FieldSource("VARIANTS")
  void everyFieldOfTheArithmeticIsReadOrRefused(String name) throws IOException {
    ObjectNode sound = Variant.of(name).config;
    int refused = 0;
    for (String field : ArithmeticFields.names()) {
      for (String value : new String[] {"\"other\"", "0.37"}) {
        ObjectNode changed = sound.deepCopy().set(field, MAPPER.readTree(value));
        ConfigFields config = ConfigFields.of("there/config.json", changed);
        try {
          Family.of(config).read(config);
        } catch (InvalidInputException e) {
          assertThat(e).hasMessageContaining(field); // read, and no value of its own
          continue;
        }
        if (!config.unread().containsKey(field)) {
          continue; // read, and what it says is computed
        }
        ConfigFields again = ConfigFields.of("there/config.json", changed);
        assertThatThrownBy(() -> Family.of(again).architecture(again))
            .as(field)
            .isInstanceOf(InvalidInputException.class)
            .hasMessageContaining("config.json: field \"" + field + "\": found " + value)
            .hasMessageContaining("not implemented in " + sound.get("model_type").textValue());
        refused++;
      }
    }
    assertThat(refused).isGreaterThan(ArithmeticFields.names().size());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "llama-linear | {\"partial_rotary_factor\": 1.0, \"head_dim\": 8, \"rotary_dim\": 8}",
        "llama-biases | {\"layer_types\": [\"full_attention\"], \"query_pre_attn_scalar\": 12}",
        "llama-linear | {\"sliding_window\": 64, \"attention_multiplier\": 0.35355339}",
        "llama-linear | {\"sliding_window\": 4, \"use_sliding_window\": false}",
        "llama-linear | {\"logit_scale\": 1, \"mlp_multipliers\": [1.0, 1], \"clip_qkv\": null}",
        "cohere2-pattern | {\"layer_types\": null, \"sliding_window_pattern\": 2, \"layer_switch\": 4}",
        "gemma3_text-two-bases | {\"rope_parameters\": null, \"rope_theta\": 1000, \"rope_local_base_freq\": 50, \"rope_scaling\": {\"factor\": 4, \"rope_type\": \"linear\"}}",
        "gemma3_text-two-bases | {\"layer_types\": null, \"sliding_window_pattern\": 2}",
        "phi3-longrope | {\"rope_parameters\": {\"type\": \"su\", \"rope_theta\": 100, \"short_factor\":"
            + " [1, 1.25, 1.5, 2], \"long_factor\": [1.5, 3, 5, 9]}, \"embd_pdrop\": 0.5}",
        "llama-linear | {\"num_experts_per_tok\": 2, \"norm_topk_prob\": true}",
        "mixtral-window | {\"norm_topk_prob\": true, \"decoder_sparse_step\": 1,"
            + " \"mlp_only_layers\": [], \"moe_intermediate_size\": 40, \"router_jitter_noise\": 0.5}",
        "qwen3_moe-sparse | {\"max_window_layers\": 1, \"output_router_logits\": true}",
        "gpt2-unscaled | {\"num_key_value_heads\": 4, \"rope_scaling\": {\"type\": \"default\"}}",
        "gpt2-unscaled | {\"position_embedding_type\": \"absolute\", \"norm_type\": \"layer_norm\"}"
      })
  void aNeutralValueIsNoWorthAWord(String name, String fields) throws IOException {
    Variant variant = Variant.of(name);
    float[] plain = logits(variant.write(folder.resolve("plain")), variant.tokens());
    variant.config.setAll((ObjectNode) MAPPER.readTree(fields));
    Path with = variant.write(folder.resolve("with"));
    assertThat(logits(with, variant.tokens())).isEqualTo(plain);
    try (Checkpoint checkpoint = Checkpoint.open(with)) {
      assertThat(Inventory.of(checkpoint).warning()).isEmpty();
    }
  }

  /** {@code attribute_map} of transformers' configuration classes. */
  @ParameterizedTest
  @CsvSource({
    "gpt2-unscaled, n_head, num_attention_heads",
    "gpt2-unscaled, n_embd, hidden_size",
    "gptj-rotary, n_layer, num_hidden_layers",
    "mixtral-window, num_local_experts, num_experts",
    "olmoe-clipped, num_experts, num_local_experts",
    "gpt_neo-local, num_heads, num_attention_heads",
    "bloom-six-heads, n_head, num_attention_heads"
  })
  void theNameThatAllFamiliesHaveCounts(String name, String own, String common) throws IOException {
    Variant variant = Variant.of(name);
    float[] plain = logits(variant.write(folder.resolve("plain")), variant.tokens());
    JsonNode value = variant.config.remove(own);
    variant.config.set(common, value);
    assertThat(logits(variant.write(folder.resolve("alone")), variant.tokens())).isEqualTo(plain);
    variant.config.put(own, 2 * value.intValue());
    assertThat(logits(variant.write(folder.resolve("both")), variant.tokens())).isEqualTo(plain);
  }

  static Stream<String> cases() throws IOException {
    return Files.readAllLines(Shared.path("cases/config-fields.jsonl")).stream();
  }

  @ParameterizedTest
  @MethodSource("cases")
  @Tag("shared")
  void fieldsOfPublishedCheckpoints(String line) throws IOException {
    JsonNode published = MAPPER.readTree(line);
    Path golden = Shared.path("golden/architectures/" + published.get("model_type").textValue());
    ObjectNode config = (ObjectNode) MAPPER.readTree(golden.resolve("config.json").toFile());
    config.setAll((ObjectNode) published.get("fields"));
    Path with = folder.resolve("with");
    Files.createDirectories(with);
    Files.copy(golden.resolve("model.safetensors"), with.resolve("model.safetensors"));
    MAPPER.writeValue(with.resolve("config.json").toFile(), config);
    int[] tokens = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5};
    if (published.get("expect").textValue().startsWith("refused")) {
      try (Checkpoint checkpoint = Checkpoint.open(with)) {
        assertThatThrownBy(() -> Inventory.of(checkpoint))
            .isInstanceOf(InvalidInputException.class)
            .hasMessageContaining(published.get("fields").fieldNames().next());
      }
    } else {
      assertThat(logits(with, tokens)).isEqualTo(logits(golden, tokens));
    }
  }

  private static float[] logits(Path checkpoint, int[] tokens) {
    try (Checkpoint opened = Checkpoint.open(checkpoint);
        Decoder decoder =
            new Decoder(
                Inventory.of(opened),
                Precisions.packaged().named("fp32"),
                Backends.open("reference"))) {
      return decoder.logits(tokens);
    }
  }
}
