package org.cliffwatch.quantizer.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;

/**
 * Checks a {@code tokenizer.json} before the tokenizers library sees it: in that library much that
 * does not fit is a panic, which ends the whole JVM, or takes time and memory without bound. What
 * is accepted here is byte-pair encoding, SentencePiece's Unigram and vocabularies of whole words,
 * with the parts that such tokenizers are made of.
 */
final class TokenizerCheck {
  /** One past the highest id; the largest vocabularies of real models have 2¹⁸ tokens. */
  static final int MAX_VOCABULARY = 1 << 22;

  /** The library compares each with every other. */
  private static final int MAX_ADDED_TOKENS = 1 << 14;

  static final int MAX_TOKEN_CHARACTERS = 1 << 12;

  /** How much longer than the text all replacements together may make it. */
  private static final int MAX_GROWTH = 64;

  private static final Set<String> SPLIT_BEHAVIOURS =
      Set.of("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous");

  private interface Part {
    void check(ConfigFields fields);
  }

  private final String origin;
  private Map<String, Integer> ids = Map.of();
  private int vocabulary;
  private int growth = 1;

  private final Map<String, Part> normalizers =
      Map.ofEntries(
          Map.entry("NFC", fields -> {}),
          Map.entry("NFD", fields -> {}),
          Map.entry("NFKC", fields -> {}),
          Map.entry("NFKD", fields -> {}),
          Map.entry("Lowercase", fields -> {}),
          Map.entry("StripAccents", fields -> {}),
          Map.entry("Strip", TokenizerCheck::strip),
          Map.entry("Nmt", fields -> {}),
          Map.entry("Precompiled", this::precompiled),
          Map.entry("Prepend", fields -> grow(fields, "prepend")),
          Map.entry("Replace", this::replace),
          Map.entry("Sequence", fields -> parts(fields, "normalizers", normalizers())));

  private final Map<String, Part> preTokenizers =
      Map.of(
          "ByteLevel", TokenizerCheck::byteLevel,
          "Split", TokenizerCheck::split,
          "Digits", fields -> fields.flag("individual_digits"),
          "Metaspace", TokenizerCheck::metaspace,
          "Whitespace", fields -> {},
          "WhitespaceSplit", fields -> {},
          "Punctuation", fields -> behaviour(fields, fields.text("behavior", "Isolated")),
          "Sequence", fields -> parts(fields, "pretokenizers", preTokenizers()));

  private final Map<String, Part> postProcessors =
      Map.of(
          "ByteLevel", TokenizerCheck::byteLevel,
          "TemplateProcessing", this::template,
          "Sequence", fields -> parts(fields, "processors", postProcessors()));

  private final Map<String, Part> decoders =
      Map.of(
          "ByteLevel",
          TokenizerCheck::byteLevel,
          "Metaspace",
          TokenizerCheck::metaspace,
          "Replace",
          this::replace,
          "Fuse",
          fields -> {},
          "ByteFallback",
          fields -> {},
          "BPEDecoder",
          fields -> fields.text("suffix"),
          "Strip",
          TokenizerCheck::stripDecoder,
          "Sequence",
          fields -> parts(fields, "decoders", decoders()));

  private TokenizerCheck(String origin) {
    this.origin = origin;
  }

  /**
   * Checks all of {@code root}.
   *
   * @return the model's own tokens and their ids
   * @throws InvalidInputException naming the file and the field
   */
  static Map<String, Integer> check(ConfigFields root) {
    TokenizerCheck check = new TokenizerCheck(root.file());
    root.text("version", "1.0");
    check.model(
        root.object("model").orElseThrow(() -> root.error("model", "missing, expected an object")));
    check.ids = numbered(root.peek("model").path("vocab"));
    check.addedTokens(root);
    root.object("normalizer").ifPresent(part -> check.part(part, check.normalizers));
    check.growth = 1;
    root.object("pre_tokenizer").ifPresent(part -> check.part(part, check.preTokenizers));
    root.object("post_processor").ifPresent(part -> check.part(part, check.postProcessors));
    root.object("decoder").ifPresent(part -> check.part(part, check.decoders));
    return check.ids;
  }

  private Map<String, Part> normalizers() {
    return normalizers;
  }

  private Map<String, Part> preTokenizers() {
    return preTokenizers;
  }

  private Map<String, Part> postProcessors() {
    return postProcessors;
  }

  private Map<String, Part> decoders() {
    return decoders;
  }

  private void part(ConfigFields fields, Map<String, Part> known) {
    String type = fields.text("type");
    Part part = known.get(type);
    if (part == null) {
      throw fields.error("type", "found " + type + ", expected one of " + known.keySet());
    }
    part.check(fields);
  }

  private void parts(ConfigFields fields, String name, Map<String, Part> known) {
    fields.objects(name).forEach(part -> part(part, known));
  }

  private void model(ConfigFields model) {
    String type = model.text("type", "BPE");
    if (type.equals("WordLevel")) {
      model.text("unk_token");
      ids(model);
      return;
    }
    if (type.equals("Unigram")) {
      model.flag("byte_fallback", false);
      pieces(model);
      return;
    }
    if (!type.equals("BPE")) {
      throw model.error("type", "found " + type + ", expected BPE, Unigram or WordLevel");
    }
    if (model.number("dropout", 0) != 0) {
      throw model.error("dropout", "expected none: the ids of a text would vary");
    }
    for (String affix : new String[] {"continuing_subword_prefix", "end_of_word_suffix"}) {
      if (!model.text(affix, "").isEmpty()) {
        throw model.error(affix, "not implemented, expected none");
      }
    }
    model.text("unk_token", "");
    model.flag("fuse_unk", false);
    model.flag("byte_fallback", false);
    model.flag("ignore_merges", false);
    ids(model);
    merges(model);
  }

  private void ids(ConfigFields model) {
    JsonNode tokens = model.node("vocab");
    if (!tokens.isObject() || tokens.isEmpty()) {
      throw model.error("vocab", "expected an object of tokens and their ids");
    }
    BitSet seen = new BitSet();
    tokens
        .properties()
        .forEach(
            token -> {
              JsonNode id = token.getValue();
              if (!id.isInt() || id.intValue() < 0 || id.intValue() >= MAX_VOCABULARY) {
                throw model.error(
                    "vocab", token.getKey() + ": found " + id + ", expected an id below 2^22");
              }
              if (seen.get(id.intValue())) {
                throw model.error("vocab", token.getKey() + ": id " + id + " is given twice");
              }
              length(model, "vocab", token.getKey());
              seen.set(id.intValue());
            });
    vocabulary = seen.length();
  }

  /** Tokens and their logarithmic probabilities; a token's id is its place. */
  private void pieces(ConfigFields model) {
    JsonNode pieces = model.node("vocab");
    if (!pieces.isArray() || pieces.isEmpty() || pieces.size() > MAX_VOCABULARY) {
      throw model.error("vocab", "expected a list of at most 2^22 tokens and their scores");
    }
    Set<String> seen = new HashSet<>();
    for (JsonNode piece : pieces) {
      boolean scored =
          piece.isArray()
              && piece.size() == 2
              && piece.get(0).isTextual()
              && piece.get(1).isNumber()
              && Double.isFinite(piece.get(1).doubleValue());
      if (!scored || piece.get(0).textValue().isEmpty()) {
        throw model.error("vocab", "found " + piece + ", expected a token and its score");
      }
      length(model, "vocab", piece.get(0).textValue());
      if (!seen.add(piece.get(0).textValue())) {
        throw model.error("vocab", "the token " + piece.get(0) + " is given twice");
      }
    }
    vocabulary = pieces.size();
    if (model.has("unk_id")) {
      int unknown = model.integer("unk_id");
      if (unknown < 0 || unknown >= vocabulary) {
        throw model.error("unk_id", "found " + unknown + ", expected an id below " + vocabulary);
      }
    }
  }

  private static Map<String, Integer> numbered(JsonNode tokens) {
    Map<String, Integer> ids = new HashMap<>();
    if (tokens.isArray()) {
      tokens.forEach(piece -> ids.put(piece.get(0).textValue(), ids.size()));
    } else {
      tokens.properties().forEach(token -> ids.put(token.getKey(), token.getValue().intValue()));
    }
    return ids;
  }

  private void merges(ConfigFields model) {
    JsonNode merges = model.node("merges");
    if (!merges.isArray()) {
      throw model.error("merges", "expected a list");
    }
    for (JsonNode merge : merges) {
      boolean pair =
          merge.isArray()
              && merge.size() == 2
              && merge.get(0).isTextual()
              && merge.get(1).isTextual();
      if (!pair && !merge.isTextual()) {
        throw model.error("merges", "found " + merge + ", expected two tokens");
      }
    }
  }

  /** The library numbers tokens that are not in the vocabulary itself, whatever their "id" says. */
  private void addedTokens(ConfigFields root) {
    int next = ids.size();
    int count = 0;
    for (ConfigFields token : root.objects("added_tokens")) {
      if (++count > MAX_ADDED_TOKENS) {
        throw root.error("added_tokens", "more than " + MAX_ADDED_TOKENS);
      }
      int id = token.integer("id");
      String content = token.text("content");
      length(token, "content", content);
      for (String flag : new String[] {"single_word", "lstrip", "rstrip", "special"}) {
        token.flag(flag);
      }
      if (token.flag("normalized") && content.isBlank() && content.length() > 1 << 8) {
        throw token.error("content", "too long a run of spaces");
      }
      int given = ids.getOrDefault(content, next);
      if (content.isEmpty() || id != given) {
        throw token.error(
            "id", "found " + id + " for \"" + content + "\", which the vocabulary makes " + given);
      }
      next = Math.max(next, given + 1);
      vocabulary = Math.max(vocabulary, given + 1);
    }
  }

  private static void length(ConfigFields fields, String name, String token) {
    if (token.length() > MAX_TOKEN_CHARACTERS) {
      throw fields.error(name, "a token of " + token.length() + " characters, expected fewer");
    }
  }

  private static void byteLevel(ConfigFields fields) {
    fields.flag("add_prefix_space", true);
    fields.flag("trim_offsets", true);
    fields.flag("use_regex", true);
  }

  private static void metaspace(ConfigFields fields) {
    character(fields, "replacement");
    String scheme = fields.text("prepend_scheme", "always");
    if (!Set.of("always", "never", "first").contains(scheme)) {
      throw fields.error("prepend_scheme", "found " + scheme + ", expected always, never or first");
    }
    fields.flag("split", true);
    fields.flag("add_prefix_space", true);
  }

  private static void split(ConfigFields fields) {
    pattern(fields);
    behaviour(fields, fields.text("behavior"));
    fields.flag("invert");
  }

  private static void behaviour(ConfigFields fields, String behaviour) {
    if (!SPLIT_BEHAVIOURS.contains(behaviour)) {
      throw fields.error(
          "behavior", "found " + behaviour + ", expected one of " + SPLIT_BEHAVIOURS);
    }
  }

  private static void strip(ConfigFields fields) {
    fields.flag("strip_left");
    fields.flag("strip_right");
  }

  private static void stripDecoder(ConfigFields fields) {
    character(fields, "content");
    int start = fields.integer("start");
    int stop = fields.integer("stop");
    if (start < 0 || start > 1 << 10) {
      throw fields.error("start", "found " + start + ", expected a small count");
    }
    if (stop != 0) { // the library looks before the beginning of a token of nothing but these
      throw fields.error("stop", "found " + stop + ", expected 0");
    }
  }

  private void replace(ConfigFields fields) {
    pattern(fields);
    grow(fields, "content");
  }

  private void grow(ConfigFields fields, String name) {
    String content = fields.text(name);
    grow(fields, name, content.codePointCount(0, content.length()));
  }

  private void grow(ConfigFields fields, String name, int characters) {
    growth *= Math.min(MAX_GROWTH + 1, Math.max(1, characters));
    if (growth > MAX_GROWTH) {
      throw fields.error(name, "replacements lengthen the text more than " + MAX_GROWTH + " times");
    }
  }

  private void precompiled(ConfigFields fields) {
    grow(
        fields,
        "precompiled_charsmap",
        PrecompiledCharsmap.longestReplacement(fields, "precompiled_charsmap"));
  }

  private static void character(ConfigFields fields, String name) {
    String text = fields.text(name);
    if (text.codePointCount(0, text.length()) != 1) {
      throw fields.error(name, "found \"" + text + "\", expected one character");
    }
  }

  private static void pattern(ConfigFields fields) {
    ConfigFields pattern =
        fields
            .object("pattern")
            .orElseThrow(() -> fields.error("pattern", "missing, expected String or Regex"));
    boolean plain = pattern.has("String");
    if (plain == pattern.has("Regex")) {
      throw fields.error("pattern", "expected either String or Regex");
    }
    String text = pattern.text(plain ? "String" : "Regex");
    String problem = text.isEmpty() ? "empty" : plain ? null : RegexCheck.problem(text);
    if (problem != null) {
      throw pattern.error(plain ? "String" : "Regex", problem);
    }
  }

  /** Every special token of a template must be defined, and the one text be there exactly once. */
  private void template(ConfigFields fields) {
    ConfigFields specials =
        fields
            .object("special_tokens")
            .orElseThrow(() -> fields.error("special_tokens", "missing, expected an object"));
    for (String name : new String[] {"single", "pair"}) {
      int texts = 0;
      for (ConfigFields piece : fields.objects(name)) {
        if (piece.has("Sequence") == piece.has("SpecialToken")) {
          throw piece.error("Sequence", "expected either it or SpecialToken");
        }
        boolean text = piece.has("Sequence");
        ConfigFields body = piece.object(text ? "Sequence" : "SpecialToken").orElseThrow();
        String id = body.text("id");
        if (body.integer("type_id") < 0) {
          throw body.error("type_id", "expected no negative number");
        }
        if (!text) {
          special(specials, id);
        } else if (id.equals("A") || (id.equals("B") && name.equals("pair"))) {
          texts++;
        } else {
          throw body.error("id", "found " + id + ", expected A");
        }
      }
      if (name.equals("single") && texts != 1) {
        throw fields.error(name, "expected the text exactly once, found it " + texts + " times");
      }
    }
  }

  private void special(ConfigFields specials, String id) {
    ConfigFields special =
        specials.object(id).orElseThrow(() -> specials.error(id, "missing, the template uses it"));
    special.text("id");
    int count = special.texts("tokens").size();
    for (double token : special.numbers("ids")) {
      count--;
      if (token != Math.rint(token) || token < 0 || token >= vocabulary) {
        throw special.error("ids", "found " + token + ", expected ids below " + vocabulary);
      }
    }
    if (count != 0) {
      throw new InvalidInputException(
          origin + ": post_processor: " + id + ": expected as many ids as tokens");
    }
  }
}
