package org.cliffwatch.quantizer.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.checkpoint.Json;
import org.cliffwatch.quantizer.checkpoint.TokenizerFiles;

/**
 * A {@code tokenizer.json} made ready for the tokenizers library, as transformers does it: special
 * tokens that only tokenizer_config.json or special_tokens_map.json declare are added, the flags of
 * its added_tokens_decoder and the space of GPT-2's kin are those that count, truncation and
 * padding are off.
 */
final class TokenizerDefinition {
  private static final List<String> SPECIAL_TOKENS =
      List.of(
          "bos_token",
          "eos_token",
          "unk_token",
          "sep_token",
          "pad_token",
          "cls_token",
          "mask_token");

  /** Lists of further ones, by their old and their new name. */
  private static final List<String> EXTRA_TOKENS =
      List.of("additional_special_tokens", "extra_special_tokens");

  /** Classes that declare no special tokens of their own. */
  private static final Set<String> BARE_CLASSES =
      Set.of("PreTrainedTokenizerFast", "TokenizersBackend");

  /**
   * Classes that make their byte-level pre-tokenizer anew, with or without a space before a text,
   * whatever {@code tokenizer.json} says.
   */
  private static final Set<String> SPACED_CLASSES =
      Stream.of("GPT2", "GPTNeoX", "CodeGen", "Roberta", "Cohere", "Blenderbot", "Whisper")
          .flatMap(name -> Stream.of(name + "Tokenizer", name + "TokenizerFast"))
          .collect(Collectors.toUnmodifiableSet());

  private final TokenizerFiles files;
  private final ConfigFields modelConfig;
  private final ObjectNode root;

  /** The model's own tokens and their ids. */
  private Map<String, Integer> vocabulary = Map.of();

  private TokenizerDefinition(TokenizerFiles files, ConfigFields modelConfig) {
    this.files = files;
    this.modelConfig = modelConfig;
    this.root = Json.object(files.json(), files.origin());
  }

  static TokenizerDefinition read(TokenizerFiles files, ConfigFields modelConfig) {
    TokenizerDefinition definition = new TokenizerDefinition(files, modelConfig);
    definition.prepare();
    return definition;
  }

  /** The file, for messages. */
  String origin() {
    return files.origin();
  }

  /**
   * What the tokenizers library is given. With {@code split_special_tokens} special tokens in a
   * text are cut like any text: the library then does not know them.
   */
  String json() {
    if (!files.config().flag("split_special_tokens", false)) {
      return root.toString();
    }
    List<JsonNode> special = new ArrayList<>();
    List<JsonNode> kept = new ArrayList<>();
    for (JsonNode token : root.get("added_tokens")) {
      (token.get("special").booleanValue() ? special : kept).add(token);
    }
    // The library numbers tokens beyond the vocabulary itself, one after the other.
    Predicate<JsonNode> beyond = t -> !vocabulary.containsKey(t.get("content").textValue());
    if (special.stream().anyMatch(beyond) && kept.stream().anyMatch(beyond)) {
      throw files
          .config()
          .error(
              "split_special_tokens",
              "found true with both special and other tokens beyond the vocabulary, which is not"
                  + " implemented; expected false");
    }
    ObjectNode given = JsonNodeFactory.instance.objectNode();
    given.setAll(root);
    given.set("added_tokens", JsonNodeFactory.instance.arrayNode().addAll(kept));
    return given.toString();
  }

  /** The highest id, plus 1. */
  int vocabularySize() {
    int size = 0;
    for (int id : vocabulary.values()) {
      size = Math.max(size, id + 1);
    }
    for (JsonNode token : root.path("added_tokens")) {
      size = Math.max(size, token.path("id").intValue() + 1);
    }
    return size;
  }

  OptionalInt bos() {
    return special("bos_token");
  }

  OptionalInt eos() {
    return special("eos_token");
  }

  /** {@code model_max_length}; transformers writes 10³⁰ where there is no limit. */
  OptionalInt modelMaxLength() {
    double length = files.config().number("model_max_length", Double.MAX_VALUE);
    return length >= 1 && length <= Integer.MAX_VALUE
        ? OptionalInt.of((int) length)
        : OptionalInt.empty();
  }

  private void prepare() {
    vocabulary = TokenizerCheck.check(ConfigFields.of(files.origin(), root));
    root.putNull("truncation");
    root.putNull("padding");
    ObjectNode model = (ObjectNode) root.get("model");
    model.putIfAbsent("type", TextNode.valueOf("BPE")); // older files leave it out
    ArrayNode added =
        root.get("added_tokens") instanceof ArrayNode array ? array : root.putArray("added_tokens");
    Map<String, ObjectNode> known = new HashMap<>();
    int next = vocabulary.size();
    for (JsonNode token : added) {
      known.put(token.get("content").textValue(), (ObjectNode) token);
      next = Math.max(next, token.get("id").intValue() + 1);
    }
    Set<String> named = new HashSet<>();
    SPECIAL_TOKENS.forEach(name -> named.add(declared(name)));
    List<ObjectNode> declared = decoderTokens();
    for (ObjectNode token : declared) {
      String content = token.get("content").textValue();
      if (named.contains(content)) {
        token.put("special", true);
      }
      // Its flags are those that count, whatever tokenizer.json says.
      if (known.containsKey(content)) {
        known.get(content).setAll(token);
      }
    }
    declared.addAll(namedTokens());
    for (ObjectNode token : declared) {
      String content = token.get("content").textValue();
      if (known.putIfAbsent(content, token) == null) {
        Integer id = vocabulary.get(content);
        added.add(token.put("id", id != null ? id : next++));
      }
    }
    if (SPACED_CLASSES.contains(files.config().text("tokenizer_class", ""))) {
      prefixSpace(root.path("pre_tokenizer"), files.config().flag("add_prefix_space", false));
    }
  }

  private static void prefixSpace(JsonNode preTokenizer, boolean added) {
    if (preTokenizer.path("type").asText().equals("ByteLevel")) {
      ((ObjectNode) preTokenizer).put("add_prefix_space", added);
    }
    preTokenizer.path("pretokenizers").forEach(part -> prefixSpace(part, added));
  }

  /** Of {@code added_tokens_decoder}, in the order of their ids. */
  private List<ObjectNode> decoderTokens() {
    List<ObjectNode> tokens = new ArrayList<>();
    decoder()
        .ifPresent(
            decoder ->
                decoder.names().stream()
                    .sorted(Comparator.comparingInt(TokenizerDefinition::id))
                    .forEach(id -> decoder.object(id).map(this::token).ifPresent(tokens::add)));
    return tokens;
  }

  /** Tokens that the configuration names beside those, in transformers' order. */
  private List<ObjectNode> namedTokens() {
    List<ObjectNode> tokens = new ArrayList<>();
    for (String name : SPECIAL_TOKENS) {
      String content = declared(name);
      if (content != null) {
        tokens.add(special(files.config(), name, content));
      }
    }
    for (String name : EXTRA_TOKENS) {
      // A list, or an object of names and tokens.
      for (JsonNode extra : files.config().node(name)) {
        String content = (extra.isObject() ? extra.path("content") : extra).asText("");
        if (!content.isEmpty()) {
          tokens.add(special(files.config(), name, content));
        }
      }
    }
    return tokens;
  }

  private Optional<ConfigFields> decoder() {
    return files.config().object("added_tokens_decoder");
  }

  private static int id(String name) {
    return name.matches("\\d{1,8}") ? Integer.parseInt(name) : Integer.MAX_VALUE;
  }

  private ObjectNode token(ConfigFields fields) {
    ObjectNode token = special(fields, "content", fields.text("content"));
    boolean special = fields.flag("special", false);
    token.put("special", special);
    token.put("normalized", fields.flag("normalized", !special));
    for (String flag : new String[] {"single_word", "lstrip", "rstrip"}) {
      token.put(flag, fields.flag(flag, false));
    }
    return token;
  }

  private static ObjectNode special(ConfigFields fields, String name, String content) {
    if (content.isEmpty() || content.length() > TokenizerCheck.MAX_TOKEN_CHARACTERS) {
      throw fields.error(name, "a token of " + content.length() + " characters");
    }
    ObjectNode token = JsonNodeFactory.instance.objectNode();
    token.put("content", content);
    token.put("single_word", false);
    token.put("lstrip", false);
    token.put("rstrip", false);
    token.put("normalized", false);
    token.put("special", true);
    return token;
  }

  /** The text of a special token, or null. special_tokens_map.json is read as of old: first. */
  private String declared(String name) {
    List<ConfigFields> sources =
        decoder().isPresent()
            ? List.of(files.config())
            : List.of(files.specialTokens(), files.config());
    for (ConfigFields fields : sources) {
      if (fields.has(name)) {
        String content =
            fields.isText(name)
                ? fields.text(name)
                : fields.object(name).map(token -> token.text("content")).orElse("");
        return content.isEmpty() ? null : content;
      }
    }
    return null;
  }

  private OptionalInt special(String name) {
    String content = declared(name);
    if (content != null) {
      for (JsonNode token : root.path("added_tokens")) {
        if (content.equals(token.path("content").textValue())) {
          return OptionalInt.of(token.path("id").intValue());
        }
      }
    }
    boolean saysNone = files.config().isNull(name);
    if (saysNone || BARE_CLASSES.contains(files.config().text("tokenizer_class", ""))) {
      return OptionalInt.empty();
    }
    // Tokenizer classes such as GPT2Tokenizer declare theirs in code; config.json has the ids.
    String id = name + "_id";
    return modelConfig.has(id) && modelConfig.isNumber(id)
        ? OptionalInt.of(modelConfig.integer(id))
        : OptionalInt.empty();
  }
}
