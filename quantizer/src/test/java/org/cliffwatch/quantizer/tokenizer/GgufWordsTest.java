package org.cliffwatch.quantizer.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.StreamSupport;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.checkpoint.TestGguf;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * How a GGUF file's vocabulary cuts text: {@code make_words.py}, {@code make_gemma_vocabulary.py}.
 */
class GgufWordsTest {
  @TempDir Path folder;

  private static JsonNode golden(String name) throws IOException {
    String resource = "/golden/gguf/" + name + ".json";
    try (InputStream in = GgufWordsTest.class.getResourceAsStream(resource)) {
      return new ObjectMapper().readTree(in);
    }
  }

  static Set<String> kinds() throws IOException {
    Set<String> kinds = new TreeSet<>();
    golden("words").get("ids").fieldNames().forEachRemaining(kinds::add);
    return kinds;
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void idsEqualTokenizersOwn(String kind) throws IOException {
    JsonNode golden = golden("words");
    try (Checkpoint checkpoint = Checkpoint.open(gguf(golden, kind))) {
      Tokenizer tokenizer = Tokenizer.open(checkpoint);
      for (int i = 0; i < golden.get("texts").size(); i++) {
        String text = golden.get("texts").get(i).asText();
        assertThat(tokenizer.encode(text, false))
            .as(text)
            .containsExactly(integers(golden.get("ids").get(kind).get(i)));
      }
    }
  }

  /** Gemma's: spaces and newlines in runs are tokens, and no space is added before a text. */
  @Test
  void idsOfGemmasEqualSentencePieces() throws IOException {
    JsonNode golden = golden("gemma_vocabulary");
    JsonNode metadata = golden.get("metadata");
    TestGguf gguf = model(metadata.get("tokenizer.ggml.tokens").size());
    metadata
        .properties()
        .forEach(
            field -> {
              JsonNode value = field.getValue();
              switch (field.getKey()) {
                case "tokenizer.ggml.tokens" -> gguf.texts(field.getKey(), texts(value));
                case "tokenizer.ggml.scores" -> gguf.numbers(field.getKey(), numbers(value));
                case "tokenizer.ggml.token_type" -> gguf.integers(field.getKey(), integers(value));
                default -> {
                  if (value.isTextual()) {
                    gguf.text(field.getKey(), value.asText());
                  } else if (value.isBoolean()) {
                    gguf.flag(field.getKey(), value.booleanValue());
                  } else {
                    gguf.integer(field.getKey(), value.intValue());
                  }
                }
              }
            });
    Path file = Files.write(folder.resolve("m.gguf"), gguf.file());
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      Tokenizer tokenizer = Tokenizer.open(checkpoint);
      assertThat(tokenizer.addsBos()).isTrue();
      for (int i = 0; i < golden.get("texts").size(); i++) {
        String text = golden.get("texts").get(i).asText();
        assertThat(tokenizer.encode(text, false))
            .as(text)
            .containsExactly(integers(golden.get("ids").get(i)));
      }
    }
  }

  @Test
  void othersAreRefusedByName() throws IOException {
    Path file = gguf(golden("words"), "jais-2");
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      assertThatThrownBy(checkpoint::tokenizerFiles)
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining(file + ": tokenizer.ggml.pre: found jais-2, expected one of bloom,")
          .hasMessageContaining("put the model's tokenizer.json beside the file");
    }
  }

  private Path gguf(JsonNode golden, String kind) throws IOException {
    List<String> tokens = texts(golden.get("tokens"));
    return Files.write(
        folder.resolve("m.gguf"),
        model(tokens.size())
            .text("tokenizer.ggml.model", "gpt2")
            .text("tokenizer.ggml.pre", kind)
            .texts("tokenizer.ggml.tokens", tokens)
            .integers(
                "tokenizer.ggml.token_type",
                Collections.nCopies(tokens.size(), 1).stream().mapToInt(type -> type).toArray())
            .texts("tokenizer.ggml.merges", texts(golden.get("merges")))
            .file());
  }

  /** As much of a model as is read before its vocabulary. */
  private static TestGguf model(int vocabulary) {
    return new TestGguf()
        .text("general.architecture", "gpt2")
        .integer("gpt2.block_count", 1)
        .integer("gpt2.context_length", 64)
        .integer("gpt2.embedding_length", 1)
        .integer("gpt2.feed_forward_length", 4)
        .integer("gpt2.attention.head_count", 1)
        .number("gpt2.attention.layer_norm_epsilon", 1e-5f)
        .tensor("token_embd.weight", 0, new byte[4 * vocabulary], 1, vocabulary);
  }

  private static float[] numbers(JsonNode list) {
    float[] numbers = new float[list.size()];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = list.get(i).floatValue();
    }
    return numbers;
  }

  private static List<String> texts(JsonNode list) {
    return StreamSupport.stream(list.spliterator(), false).map(JsonNode::asText).toList();
  }

  private static int[] integers(JsonNode list) {
    return StreamSupport.stream(list.spliterator(), false).mapToInt(JsonNode::intValue).toArray();
  }
}
