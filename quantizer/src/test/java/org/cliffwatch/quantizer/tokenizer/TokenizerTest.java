package org.cliffwatch.quantizer.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.checkpoint.SmallModels;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Of the byte-level vocabulary of {@link SmallModels}: 256 bytes, specials, " a" to " v". */
class TokenizerTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path folder;

  @BeforeEach
  void model() throws IOException {
    SmallModels.folder(folder);
  }

  private Tokenizer open() {
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      return Tokenizer.open(checkpoint);
    }
  }

  private void config(String json) throws IOException {
    Files.writeString(folder.resolve("tokenizer_config.json"), json);
  }

  private ObjectNode definition() throws IOException {
    return (ObjectNode) JSON.readTree(SmallModels.tokenizer());
  }

  private void definition(ObjectNode changed) throws IOException {
    JSON.writeValue(folder.resolve("tokenizer.json").toFile(), changed);
  }

  @Test
  void specialTokensAreAddedOnlyWhenAskedFor() {
    Tokenizer tokenizer = open();
    assertThat(tokenizer.encode("b c", false)).containsExactly('b', 260);
    assertThat(tokenizer.encode("b c", true)).containsExactly(256, 'b', 260);
    assertThat(tokenizer.encode("b<s>c", false)).containsExactly('b', 256, 'c');
    assertThat(tokenizer.encode("", true)).containsExactly(256);
    assertThat(tokenizer.addsBos()).isTrue();
    assertThat(tokenizer.bos()).hasValue(256);
    assertThat(tokenizer.decode(new int[] {256, 'b', 260})).isEqualTo("<s>b c");
  }

  /** tokenizer.json itself says "truncation": {"max_length": 4}. */
  @Test
  void nothingIsCutOff() {
    assertThat(open().encode("x".repeat(1000), false)).hasSize(1000);
  }

  /**
   * As in transformers: "</s>" is in the vocabulary, but only the configuration makes it special.
   */
  @Test
  void tokensThatOnlyTheConfigurationDeclaresAreSpecial() throws IOException {
    assertThat(open().encode("a</s>b", false)).containsExactly('a', 257, 'b');
    assertThat(open().eos()).hasValue(257);
    config("{\"tokenizer_class\": \"PreTrainedTokenizerFast\", \"bos_token\": null}");
    assertThat(open().encode("a</s>b", false)).hasSize(6);
    assertThat(open().eos()).isEmpty();
    assertThat(open().bos()).isEmpty();
    assertThat(open().addsBos()).isFalse();
    config("{\"tokenizer_class\": \"GPT2Tokenizer\"}"); // declares its tokens in code
    assertThat(open().eos()).hasValue(257);
    config("{\"pad_token\": \"<pad>\"}"); // in neither: a new id
    assertThat(open().vocabularySize()).isEqualTo(282);
    assertThat(open().encode("<pad>", false)).containsExactly(281);
  }

  @Test
  void furtherTokensOfTheConfigurationAreAdded() throws IOException {
    config(
        """
        {"additional_special_tokens": ["<more>"], "eos_token": "<end>", "added_tokens_decoder": {
          "9": {"content": "</s>", "special": true, "normalized": false},
          "10": {"content": "nine", "special": false, "single_word": true}}}
        """);
    Tokenizer tokenizer = open();
    assertThat(tokenizer.encode("</s> nine<more><end>", false))
        .containsExactly(257, 32, 281, 283, 282);
    assertThat(tokenizer.eos()).hasValue(282);
    assertThat(tokenizer.vocabularySize()).isEqualTo(284);
  }

  @Test
  void lengthWithoutLimitIsNone() throws IOException {
    assertThat(open().modelMaxLength()).hasValue(128);
    config("{\"model_max_length\": 1000000000000000019884624838656}");
    assertThat(open().modelMaxLength()).isEmpty();
  }

  @Test
  void anyTextIsEncodedAndComesBack() {
    Tokenizer tokenizer = open();
    for (String text : List.of("\u0000", "é\ud83d\ude00\u200b", "\n\n\t 12 345 ", "\ufffd\uffff")) {
      assertThat(tokenizer.decode(tokenizer.encode(text, false))).isEqualTo(text);
    }
    assertThatThrownBy(() -> tokenizer.encode("a\ud83db", false))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("lone surrogate U+D83D at 1");
    assertThatThrownBy(() -> tokenizer.encode("\ude00", false)).hasMessageContaining("U+DE00 at 0");
  }

  @Test
  void threadsShareATokenizer() throws Exception {
    Tokenizer tokenizer = open();
    List<String> texts = new ArrayList<>();
    List<int[]> expected = new ArrayList<>();
    for (int i = 0; i < 500; i++) {
      texts.add("text " + Integer.toString(i * 7919, 36) + " and more");
      expected.add(tokenizer.encode(texts.get(i), true));
    }
    ExecutorService pool = Executors.newFixedThreadPool(4);
    try {
      List<Callable<Boolean>> tasks = new ArrayList<>();
      for (int t = 0; t < 4; t++) {
        tasks.add(
            () -> {
              for (int i = 0; i < texts.size(); i++) {
                assertThat(tokenizer.encode(texts.get(i), true)).isEqualTo(expected.get(i));
              }
              return true;
            });
      }
      for (Future<Boolean> task : pool.invokeAll(tasks)) {
        assertThat(task.get()).isTrue();
      }
    } finally {
      pool.shutdownNow();
    }
  }

  @Test
  void wordsOfAWordLevelVocabularyAreRead() throws IOException {
    definition(
        (ObjectNode)
            JSON.readTree(
                """
                {"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
                 "normalizer": null, "pre_tokenizer": {"type": "WhitespaceSplit"},
                 "post_processor": null, "decoder": null,
                 "model": {"type": "WordLevel", "vocab": {"<unk>": 0, "a": 1, "word": 2},
                  "unk_token": "<unk>"}}
                """));
    config("{\"tokenizer_class\": \"PreTrainedTokenizerFast\"}");
    assertThat(open().encode("word a other  word", true)).containsExactly(2, 1, 0, 2);
    assertThat(open().vocabularySize()).isEqualTo(3);
  }

  /** Files of before the model said its type. */
  @Test
  void withoutATypeTheModelIsBytePairEncoding() throws IOException {
    ObjectNode root = definition();
    ((ObjectNode) root.get("model")).remove("type");
    definition(root);
    assertThat(open().encode("b c", false)).containsExactly('b', 260);
  }

  /** Each of these ends the JVM, or may, if the tokenizers library gets it. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          /post_processor/special_tokens | {} | special_tokens.<s>": missing, the template uses it
          /post_processor/single | [{"Sequence": {"id": "B", "type_id": 0}}] | found B, expected A
          /post_processor/single | [] | expected the text exactly once
          /normalizer | {"type": "Precompiled", "precompiled_charsmap": "AA"} | found a trie of 0 bytes
          /model/continuing_subword_prefix | "##" | not implemented, expected none
          /model/dropout | 0.1 | the ids of a text would vary
          /model/type | "WordPiece" | found WordPiece, expected BPE, Unigram or WordLevel
          /model/vocab/! | 34 | is given twice
          /model/vocab/! | 99999999 | expected an id below 2^22
          /decoder | {"type": "Strip", "content": "x", "start": 0, "stop": 1} | expected 0
          /pre_tokenizer | {"type": "Split", "pattern": {"Regex": "(a+)+b"}, "behavior": "Isolated", "invert": false} | Regex": repeats what repeats itself
          /normalizer | {"type": "Prepend", "prepend": "%s"} | lengthen the text more than 64 times
          /added_tokens/0/id | 3 | found 3 for "<s>", which the vocabulary makes 256
          """)
  void whatTheLibraryCannotBearIsRefused(String pointer, String value, String expected)
      throws IOException {
    ObjectNode root = definition();
    int slash = pointer.lastIndexOf('/');
    var parent = root.at(pointer.substring(0, slash));
    var node = JSON.readTree(value.replace("%s", "x".repeat(100)));
    String name = pointer.substring(slash + 1);
    ((ObjectNode) parent).set(name, node);
    definition(root);
    assertThatThrownBy(this::open)
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContainingAll(folder.resolve("tokenizer.json").toString(), expected);
  }

  @Test
  void aCheckpointWithoutTokenizerSaysWhatToDo() throws IOException {
    Files.delete(folder.resolve("tokenizer.json"));
    assertThatThrownBy(this::open)
        .hasMessageContaining("no tokenizer.json")
        .hasMessageContaining("save_pretrained");
  }
}
