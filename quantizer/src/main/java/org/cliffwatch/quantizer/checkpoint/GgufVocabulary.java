package org.cliffwatch.quantizer.checkpoint;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.cliffwatch.quantizer.InvalidInputException;

/**
 * Writes the {@code tokenizer.json} that a GGUF file's vocabulary stands for.
 *
 * <p>Two kinds of vocabulary: {@code gpt2}, byte-level BPE with a named way of cutting text into
 * words (the names are those of ggml-org/llama.cpp {@code src/llama-vocab.cpp}, their meaning that
 * of the {@code tokenizer.json} they were given for, where llama.cpp's is another); and {@code
 * llama}, SentencePiece BPE, whose merges are recovered from the pieces' scores as transformers
 * does ({@code generate_merges}).
 */
final class GgufVocabulary {
  /**
   * How byte-level vocabularies of a kind cut text into words, within which merges are made.
   *
   * @param steps of the pre-tokenizer
   * @param isComposed whether text is normalized to NFC before
   * @param keepsWhole whether a word that is a token is that token, whatever the merges say
   * @param begins whether llama.cpp begins with BOS unless told otherwise
   */
  private record Words(
      List<ObjectNode> steps, boolean isComposed, boolean keepsWhole, boolean begins) {
    static Words of(ObjectNode... steps) {
      return new Words(List.of(steps), false, false, false);
    }

    Words composed() {
      return new Words(steps, true, keepsWhole, begins);
    }

    Words whole() {
      return new Words(steps, isComposed, true, begins);
    }

    Words begun() {
      return new Words(steps, isComposed, keepsWhole, true);
    }
  }

  private static final String CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";

  /** GPT-4's. */
  private static final String CL100K =
      CONTRACTIONS
          + "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
          + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

  private static final String CL100K_SINGLE_DIGITS = CL100K.replace("{1,3}", "");

  /** Oniguruma's syntax: a set within a set. */
  private static final String BLOOM =
      " ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+";

  /** What {@code tokenizer.ggml.pre} may be. */
  private static final Map<String, Words> WORDS = new TreeMap<>();

  static {
    // SmolLM's digits are single tokens, so that cutting them apart first, as llama.cpp does, only
    // moves spaces; transformers does not.
    add(Words.of(bytes(true)), "gpt-2", "smollm");
    add(Words.of(bytes(true)).composed(), "olmo", "mpt");
    add(Words.of(digits(true), bytes(true)), "refact", "starcoder");
    add(Words.of(digits(true), bytes(true)).composed(), "command-r");
    add(Words.of(punctuation(), bytes(true), digits(false), split("[0-9][0-9][0-9]")), "falcon");
    add(Words.of(split(BLOOM), bytes(false)), "bloom");
    add(Words.of(split(CL100K), bytes(false)).whole().begun(), "llama-bpe", "llama-v3", "llama3");
    add(Words.of(split(CL100K), bytes(false)), "dbrx");
    add(
        Words.of(split(CL100K_SINGLE_DIGITS), bytes(false)).composed(),
        "qwen2",
        "deepseek-r1-qwen",
        "stablelm2");
    add(Words.of(split(cased(CONTRACTIONS + "?", "{1,3}")), bytes(false)), "gpt-4o");
    add(Words.of(split(cased("", "")), bytes(false)).whole().begun(), "tekken");
  }

  private static void add(Words words, String... names) {
    for (String name : names) {
      WORDS.put(name, words);
    }
  }

  /**
   * Words that begin anew where a capital follows a small letter.
   *
   * @param suffix of a word
   * @param count of digits in a number
   */
  private static String cased(String suffix, String count) {
    String capital = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
    String small = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
    String first = "[^\\r\\n\\p{L}\\p{N}]?";
    return first
        + capital
        + "*"
        + small
        + "+"
        + suffix
        + "|"
        + first
        + capital
        + "+"
        + small
        + "*"
        + suffix
        + "|\\p{N}"
        + count
        + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  }

  /** SentencePiece's stand-in for a space. */
  private static final String SPACE = "\u2581";

  /** The longest piece whose merges are recovered; the work grows with the square. */
  private static final int MAX_PIECE = 512;

  private static final int UNKNOWN = 2;
  private static final int CONTROL = 3;
  private static final int USER_DEFINED = 4;
  private static final int BYTE = 6;

  private final GgufFile file;
  private final List<String> tokens;
  private final double[] types;
  private final ObjectNode root = JsonNodeFactory.instance.objectNode();

  private GgufVocabulary(GgufFile file) {
    this.file = file;
    this.tokens = file.strings("tokenizer.ggml.tokens");
    this.types =
        file.has("tokenizer.ggml.token_type")
            ? sized("tokenizer.ggml.token_type")
            : new double[tokens.size()];
  }

  /** The tokenizer's files, or null if the file has no vocabulary. */
  static TokenizerFiles read(GgufFile file) {
    if (!file.has("tokenizer.ggml.model") || !file.has("tokenizer.ggml.tokens")) {
      return null;
    }
    return new GgufVocabulary(file).files();
  }

  private TokenizerFiles files() {
    String kind = file.text("tokenizer.ggml.model");
    root.put("version", "1.0");
    root.putNull("truncation");
    root.putNull("padding");
    addedTokens();
    boolean beginsByDefault;
    switch (kind) {
      case "gpt2" -> beginsByDefault = byteLevel();
      case "llama" -> {
        sentencePiece();
        beginsByDefault = true;
      }
      default ->
          throw file.error("tokenizer.ggml.model", "found " + kind + ", expected gpt2 or llama");
    }
    template(
        flag("add_bos_token", beginsByDefault) ? special("bos_token_id") : null,
        flag("add_eos_token", false) ? special("eos_token_id") : null);
    ObjectNode config = JsonNodeFactory.instance.objectNode();
    config.put("tokenizer_class", "PreTrainedTokenizerFast");
    config.put("bos_token", special("bos_token_id"));
    config.put("eos_token", special("eos_token_id"));
    config.put("unk_token", special("unknown_token_id"));
    config.put("pad_token", special("padding_token_id"));
    String origin = file.path().toString();
    return new TokenizerFiles(
        origin,
        root.toString().getBytes(StandardCharsets.UTF_8),
        ConfigFields.of(origin, config),
        ConfigFields.of(origin, JsonNodeFactory.instance.objectNode()));
  }

  private void addedTokens() {
    ArrayNode added = root.putArray("added_tokens");
    for (int id = 0; id < tokens.size(); id++) {
      boolean unknown = types[id] == UNKNOWN;
      if (unknown || types[id] == CONTROL || types[id] == USER_DEFINED) {
        ObjectNode token = added.addObject();
        token.put("id", id);
        token.put("content", tokens.get(id));
        token.put("single_word", false);
        token.put("lstrip", false);
        token.put("rstrip", false);
        token.put("normalized", false);
        token.put("special", types[id] != USER_DEFINED);
      }
    }
  }

  /** Byte-level BPE. Returns whether llama.cpp begins with BOS unless told otherwise. */
  private boolean byteLevel() {
    ObjectNode model = bpe();
    model.putNull("unk_token");
    model.put("byte_fallback", false);
    model.put("fuse_unk", false);
    ArrayNode merges = model.putArray("merges");
    for (String merge : file.strings("tokenizer.ggml.merges")) {
      // The second part may begin with a space only if the first is one; tokens have no spaces.
      int space = merge.indexOf(' ', 1);
      if (space < 1 || space == merge.length() - 1) {
        throw file.error("tokenizer.ggml.merges", "found \"" + merge + "\", expected two tokens");
      }
      merges.addArray().add(merge.substring(0, space)).add(merge.substring(space + 1));
    }
    root.putObject("decoder")
        .put("type", "ByteLevel")
        .put("add_prefix_space", true)
        .put("trim_offsets", true)
        .put("use_regex", true);
    return words(model);
  }

  private boolean words(ObjectNode model) {
    String key = "tokenizer.ggml.pre";
    String name = file.has(key) ? file.text(key) : "absent";
    Words words = WORDS.get(name);
    if (words == null) {
      throw file.error(
          key,
          "found "
              + name
              + ", expected one of "
              + String.join(", ", WORDS.keySet())
              + "; for others put the model's tokenizer.json beside the file");
    }
    if (words.steps().size() == 1) {
      root.set("pre_tokenizer", words.steps().get(0).deepCopy());
    } else {
      ArrayNode steps =
          root.putObject("pre_tokenizer").put("type", "Sequence").putArray("pretokenizers");
      words.steps().forEach(step -> steps.add(step.deepCopy()));
    }
    if (words.isComposed()) {
      root.putObject("normalizer").put("type", "NFC");
    }
    if (words.keepsWhole()) {
      model.put("ignore_merges", true);
    }
    return words.begins();
  }

  private static ObjectNode split(String words) {
    ObjectNode split = JsonNodeFactory.instance.objectNode().put("type", "Split");
    split.putObject("pattern").put("Regex", words);
    return split.put("behavior", "Isolated").put("invert", false);
  }

  private static ObjectNode digits(boolean areSingle) {
    return JsonNodeFactory.instance
        .objectNode()
        .put("type", "Digits")
        .put("individual_digits", areSingle);
  }

  private static ObjectNode punctuation() {
    return JsonNodeFactory.instance
        .objectNode()
        .put("type", "Punctuation")
        .put("behavior", "Contiguous");
  }

  private static ObjectNode bytes(boolean words) {
    return JsonNodeFactory.instance
        .objectNode()
        .put("type", "ByteLevel")
        .put("add_prefix_space", false)
        .put("trim_offsets", true)
        .put("use_regex", words);
  }

  private void sentencePiece() {
    ObjectNode model = bpe();
    model.put("unk_token", special("unknown_token_id"));
    model.put("fuse_unk", true);
    model.put("byte_fallback", true);
    ArrayNode merges = model.putArray("merges");
    for (Merge merge : merges()) {
      merges.addArray().add(merge.left()).add(merge.right());
    }
    ArrayNode steps = root.putObject("normalizer").put("type", "Sequence").putArray("normalizers");
    if (flag("add_space_prefix", true)) {
      steps.addObject().put("type", "Prepend").put("prepend", SPACE);
    }
    ObjectNode replace = steps.addObject().put("type", "Replace");
    replace.putObject("pattern").put("String", " ");
    replace.put("content", SPACE);
    ArrayNode decoders = root.putObject("decoder").put("type", "Sequence").putArray("decoders");
    ObjectNode back = decoders.addObject().put("type", "Replace");
    back.putObject("pattern").put("String", SPACE);
    back.put("content", " ");
    decoders.addObject().put("type", "ByteFallback");
    decoders.addObject().put("type", "Fuse");
    decoders
        .addObject()
        .put("type", "Strip")
        .put("content", " ")
        .put("start", flag("add_space_prefix", true) ? 1 : 0)
        .put("stop", 0);
  }

  private record Merge(String left, String right, int leftId, int rightId, double score) {}

  /**
   * Every way to make a piece of two others, the piece of the highest score first; among equals the
   * shorter left part, then the shorter right part.
   */
  private List<Merge> merges() {
    double[] scores = sized("tokenizer.ggml.scores");
    Map<String, Integer> ids = new HashMap<>();
    for (int id = 0; id < tokens.size(); id++) {
      ids.put(tokens.get(id), id);
    }
    List<Merge> merges = new ArrayList<>();
    for (int id = 0; id < tokens.size(); id++) {
      if (types[id] == CONTROL || types[id] == UNKNOWN || types[id] == BYTE) {
        continue;
      }
      String piece = tokens.get(id);
      if (piece.length() > MAX_PIECE) {
        throw file.error(
            "tokenizer.ggml.tokens",
            "token "
                + id
                + " has "
                + piece.length()
                + " characters, expected at most "
                + MAX_PIECE);
      }
      int first = merges.size();
      for (int cut = 1; cut < piece.length(); cut++) {
        if (Character.isLowSurrogate(piece.charAt(cut))) {
          continue;
        }
        Integer left = ids.get(piece.substring(0, cut));
        Integer right = ids.get(piece.substring(cut));
        if (left != null && right != null) {
          merges.add(
              new Merge(piece.substring(0, cut), piece.substring(cut), left, right, scores[id]));
        }
      }
      merges
          .subList(first, merges.size())
          .sort(Comparator.comparingInt(Merge::leftId).thenComparingInt(Merge::rightId));
    }
    // Python sorts by (score, len(left), len(right)) and reverses, keeping the order of equals.
    merges.sort(
        Comparator.comparingDouble(Merge::score)
            .thenComparingInt(m -> m.left().codePointCount(0, m.left().length()))
            .thenComparingInt(m -> m.right().codePointCount(0, m.right().length()))
            .reversed());
    return merges;
  }

  private ObjectNode bpe() {
    ObjectNode model = root.putObject("model").put("type", "BPE");
    model.putNull("dropout");
    model.putNull("continuing_subword_prefix");
    model.putNull("end_of_word_suffix");
    model.put("ignore_merges", false);
    ObjectNode vocabulary = model.putObject("vocab");
    for (int id = 0; id < tokens.size(); id++) {
      if (vocabulary.replace(tokens.get(id), JsonNodeFactory.instance.numberNode(id)) != null) {
        throw file.error("tokenizer.ggml.tokens", "\"" + tokens.get(id) + "\" is given twice");
      }
    }
    return model;
  }

  private void template(String begin, String end) {
    ObjectNode template = root.putObject("post_processor").put("type", "TemplateProcessing");
    ArrayNode single = template.putArray("single");
    ObjectNode specials = JsonNodeFactory.instance.objectNode();
    special(single, specials, begin);
    single.addObject().putObject("Sequence").put("id", "A").put("type_id", 0);
    special(single, specials, end);
    ArrayNode pair = template.putArray("pair");
    pair.addObject().putObject("Sequence").put("id", "A").put("type_id", 0);
    pair.addObject().putObject("Sequence").put("id", "B").put("type_id", 1);
    template.set("special_tokens", specials);
  }

  private void special(ArrayNode template, ObjectNode specials, String token) {
    if (token != null) {
      template.addObject().putObject("SpecialToken").put("id", token).put("type_id", 0);
      ObjectNode special = specials.putObject(token).put("id", token);
      special.putArray("ids").add(tokens.indexOf(token));
      special.putArray("tokens").add(token);
    }
  }

  /** The text of a token that the file gives by id, or null. */
  private String special(String name) {
    String key = "tokenizer.ggml." + name;
    if (!file.has(key)) {
      return null;
    }
    long id = file.integer(key);
    if (id < 0 || id >= tokens.size()) {
      throw file.error(key, "found " + id + ", expected less than " + tokens.size() + " tokens");
    }
    return tokens.get((int) id);
  }

  private boolean flag(String name, boolean otherwise) {
    String key = "tokenizer.ggml." + name;
    return file.has(key) ? file.flag(key) : otherwise;
  }

  private double[] sized(String key) {
    double[] numbers = file.numbers(key);
    if (numbers.length != tokens.size()) {
      throw new InvalidInputException(
          file.path()
              + ": "
              + key
              + ": "
              + numbers.length
              + " elements, expected one for each of "
              + tokens.size()
              + " tokens");
    }
    return numbers;
  }
}
