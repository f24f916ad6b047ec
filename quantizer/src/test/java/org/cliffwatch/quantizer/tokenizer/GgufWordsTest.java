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

/** How a GGUF file's {@code tokenizer.ggml.pre} cuts text: {@code make_words.py}. */
class GgufWordsTest {
  @TempDir Path folder;

  private static JsonNode golden() throws IOException {
    try (InputStream in = GgufWordsTest.class.getResourceAsStream("/golden/gguf/words.json")) {
      return new ObjectMapper().readTree(in);
    }
  }

  static Set<String> kinds() throws IOException {
    Set<String> kinds = new TreeSet<>();
    golden().get("ids").fieldNames().forEachRemaining(kinds::add);
    return kinds;
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void idsEqualTokenizersOwn(String kind) throws IOException {
    JsonNode golden = golden();
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

  @Test
  void othersAreRefusedByName() throws IOException {
    Path file = gguf(golden(), "jais-2");
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
        new TestGguf()
            .text("general.architecture", "gpt2")
            .integer("gpt2.block_count", 1)
            .integer("gpt2.context_length", 64)
            .integer("gpt2.embedding_length", 1)
            .integer("gpt2.feed_forward_length", 4)
            .integer("gpt2.attention.head_count", 1)
            .number("gpt2.attention.layer_norm_epsilon", 1e-5f)
            .text("tokenizer.ggml.model", "gpt2")
            .text("tokenizer.ggml.pre", kind)
            .texts("tokenizer.ggml.tokens", tokens)
            .integers(
                "tokenizer.ggml.token_type",
                Collections.nCopies(tokens.size(), 1).stream().mapToInt(type -> type).toArray())
            .texts("tokenizer.ggml.merges", texts(golden.get("merges")))
            .tensor("token_embd.weight", 0, new byte[4 * tokens.size()], 1, tokens.size())
            .file());
  }

  private static List<String> texts(JsonNode list) {
    return StreamSupport.stream(list.spliterator(), false).map(JsonNode::asText).toList();
  }

  private static int[] integers(JsonNode list) {
    return StreamSupport.stream(list.spliterator(), false).mapToInt(JsonNode::intValue).toArray();
  }
}
