package org.cliffwatch.quantizer.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.JsonDamage;
import org.cliffwatch.quantizer.checkpoint.TokenizerFiles;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Settings of tokenizer_config.json and SentencePiece's Unigram, by what transformers makes of
 * them: {@code make_tokenizers.py}.
 */
class TokenizerSettingsTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int DAMAGES = 400;
  private static final int DEFINITIONS = 1500;
  private static final String[] TEXTS = {
    "The river carries the stone",
    "Ａ ﬁne café\u3000and\u200b zero",
    "\u200b",
    "e\u0301ﷺ中文\ud83d\ude00",
    "\u0000"
  };

  @TempDir Path folder;

  private static JsonNode golden() throws IOException {
    try (InputStream in = TokenizerSettingsTest.class.getResourceAsStream("tokenizers.json")) {
      return JSON.readTree(in);
    }
  }

  static Stream<JsonNode> cases() throws IOException {
    return StreamSupport.stream(golden().get("cases").spliterator(), false);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void idsEqualTransformers(JsonNode golden) throws IOException {
    JsonNode definition = golden().get("tokenizers").get(golden.get("tokenizer").textValue());
    Tokenizer tokenizer = open(definition, golden.get("config"));
    JsonNode ids = golden.get("ids");
    assertThat(tokenizer.encode(golden.get("text").textValue(), true))
        .isEqualTo(IntStream.range(0, ids.size()).map(i -> ids.get(i).intValue()).toArray());
  }

  private Tokenizer open(JsonNode definition, JsonNode config) throws IOException {
    JSON.writeValue(folder.resolve("tokenizer.json").toFile(), definition);
    JSON.writeValue(folder.resolve("tokenizer_config.json").toFile(), config);
    return Tokenizer.open(TokenizerFiles.read(folder));
  }

  @Test
  void splitSpecialTokensAreRefusedWhereOthersWouldGetTheirIds() throws IOException {
    JsonNode definition = golden().get("tokenizers").get("byte-level");
    JsonNode config =
        JSON.readTree(
            """
            {"split_special_tokens": true, "eos_token": "<end>", "added_tokens_decoder": {
              "330": {"content": "<end>", "special": true},
              "331": {"content": "<plain>", "special": false}}}
            """);
    assertThatThrownBy(() -> open(definition, config))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("split_special_tokens");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "[] | expected a list",
        "[[\"a\", 1], [\"a\", 2]] | the token \"a\" is given twice",
        "[[\"a\"]] | expected a token and its score",
        "[[\"\", 1]] | expected a token and its score",
        "[[\"a\", 1e999]] | expected a token and its score",
        "[[\"a\", -1]] | unk_id\": found 7, expected an id below 1"
      })
  void damagedPiecesAreRefused(String vocabulary, String message) throws IOException {
    ObjectNode definition = (ObjectNode) golden().get("tokenizers").get("unigram");
    ((ObjectNode) definition.get("model")).put("unk_id", 7).set("vocab", JSON.readTree(vocabulary));
    assertThatThrownBy(() -> open(definition, JSON.createObjectNode()))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("tokenizer.json")
        .hasMessageContaining(message);
  }

  @ParameterizedTest
  @ValueSource(strings = {"unigram", "unigram-bytes", "byte-level"})
  void damagedDefinitionsAreRefusedOrRead(String name) throws IOException {
    JsonNode sound = golden().get("tokenizers").get(name);
    Random random = new Random(name.hashCode());
    int refused = 0;
    for (int i = 0; i < DEFINITIONS; i++) {
      JsonNode damaged = sound.deepCopy();
      for (int edits = 1 + random.nextInt(2); edits > 0; edits--) {
        JsonDamage.edit(damaged, random);
      }
      try {
        Tokenizer tokenizer = open(damaged, JSON.createObjectNode());
        for (String text : TEXTS) {
          int[] ids = tokenizer.encode(text, true);
          for (int id : ids) {
            assertThat(id).isBetween(0, tokenizer.vocabularySize() - 1);
          }
          tokenizer.decode(ids);
        }
      } catch (InvalidInputException e) {
        assertThat(e).hasMessageContaining("tokenizer.json");
        refused++;
      }
    }
    assertThat(refused).isBetween(DEFINITIONS / 4, DEFINITIONS - 1);
  }

  /** A path that leads outside is a panic of the library, and the end of this JVM. */
  @Test
  void damagedReplacementsAreRefusedOrHarmless() throws IOException {
    ObjectNode definition = (ObjectNode) golden().get("tokenizers").get("unigram-bytes");
    ObjectNode precompiled = (ObjectNode) definition.get("normalizer").get("normalizers").get(0);
    byte[] sound = Base64.getDecoder().decode(precompiled.get("precompiled_charsmap").textValue());
    Random random = new Random(DAMAGES);
    int refused = 0;
    for (int i = 0; i < DAMAGES; i++) {
      byte[] damaged = sound.clone();
      for (int edits = 1 + random.nextInt(3); edits > 0; edits--) {
        damaged[random.nextInt(damaged.length)] ^= (byte) (1 << random.nextInt(8));
      }
      if (random.nextInt(4) == 0) {
        damaged = Arrays.copyOf(damaged, random.nextInt(damaged.length));
      }
      precompiled.put("precompiled_charsmap", Base64.getEncoder().encodeToString(damaged));
      try {
        Tokenizer tokenizer = open(definition, JSON.createObjectNode());
        for (String text : TEXTS) {
          tokenizer.encode(text, true);
        }
      } catch (InvalidInputException e) {
        assertThat(e).hasMessageContaining("tokenizer.json");
        refused++;
      }
    }
    assertThat(refused).isBetween(DAMAGES / 10, DAMAGES - 1);
  }
}
