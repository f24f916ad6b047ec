package org.cliffwatch.tasks.prompt;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BinaryOperator;
import java.util.function.UnaryOperator;

/**
 * The closed set of steps that a template may pipe a value through: {@code {{premise | strip}}}.
 * Definitions hold no code; what they cannot say with these steps is a new constant here, with its
 * tests.
 */
public enum Step {
  /** {@code str.strip()}. */
  STRIP(text(PythonText::strip)),
  /** {@code str.lstrip()}. */
  LSTRIP(text(PythonText::lstrip)),
  /** {@code str[:-1]}. */
  WITHOUT_LAST_CHARACTER(text(s -> PythonText.slice(s, 0, Math.max(0, PythonText.length(s) - 1)))),
  /** {@code str[0].lower() + str[1:]}. */
  LOWER_FIRST(text(Step::lowerFirst)),
  /** {@code str.lstrip()} on a line of its own; nothing at all where that is empty. */
  OWN_LINE(text(s -> PythonText.lstrip(s).isEmpty() ? "" : PythonText.lstrip(s) + "\n")),
  /** COPA: {@code cause} → {@code because}, {@code effect} → {@code therefore}. */
  COPA_CONNECTOR(text(Step::copaConnector)),
  /** LAMBADA: {@code ' '.join(str.split(' ')[:-1])}. */
  ALL_BUT_LAST_WORD(text(s -> s.substring(0, Math.max(0, s.lastIndexOf(' '))))),
  /** LAMBADA: {@code str.split(' ')[-1]}. */
  LAST_WORD(text(s -> s.substring(s.lastIndexOf(' ') + 1))),
  /** WinoGrande: what stands before the first {@code _}. */
  BEFORE_BLANK(text(s -> s.substring(0, blank(s)))),
  /** WinoGrande: what stands after the first {@code _}. */
  AFTER_BLANK(text(s -> s.substring(blank(s) + 1))),
  /** HellaSwag's cleaning of WikiHow texts. */
  HELLASWAG_TEXT(text(HellaSwag::clean)),
  /** WikiText's token spacing undone. */
  WIKITEXT_DETOKENIZE(text(WikiText::detokenize)),
  /** An answer counted from 1 as an index. */
  ONE_BASED((value, none) -> IntNode.valueOf(index(value) - 1)),
  /** The other one of the indices 0 and 1. */
  ONE_MINUS((value, none) -> IntNode.valueOf(1 - index(value))),
  /** A letter, {@code a} or {@code A} for the first, as an index. */
  LETTER_INDEX((value, none) -> IntNode.valueOf(letter(value.asText()))),
  /** MathQA: {@code a ) 38 , b ) 27 , …} as the list of what stands behind the letters. */
  MATHQA_OPTIONS((value, none) -> MathQa.options(textOf(value))),
  /** The names of an object's fields, as a list. */
  KEYS((value, none) -> keys(value)),
  /** The values of an object's fields, as a list. */
  VALUES((value, none) -> values(value)),
  /** {@code {{answerKey | index_in: choices.label}}}: the first position of a value in a list. */
  INDEX_IN(Step::indexIn, true),
  /** {@code {{label | element_of: doc_to_choice}}}: the element at an index. */
  ELEMENT_OF(Step::elementOf, true);

  private static final Map<String, Step> BY_NAME = new TreeMap<>();

  static {
    Arrays.stream(values()).forEach(step -> BY_NAME.put(step.toString(), step));
  }

  @SuppressWarnings("ImmutableEnumChecker") // functions without state
  private final BinaryOperator<JsonNode> function;

  private final boolean takesArgument;

  Step(BinaryOperator<JsonNode> function) {
    this(function, false);
  }

  Step(BinaryOperator<JsonNode> function, boolean takesArgument) {
    this.function = function;
    this.takesArgument = takesArgument;
  }

  /** All steps by the name a template uses. */
  static Map<String, Step> byName() {
    return BY_NAME;
  }

  boolean takesArgument() {
    return takesArgument;
  }

  /**
   * Applies this step.
   *
   * @param argument the list named after the colon; null for a step that takes none
   * @throws PromptException where the value is not one this step is for
   */
  JsonNode apply(JsonNode value, JsonNode argument) {
    return function.apply(value, argument);
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }

  private static BinaryOperator<JsonNode> text(UnaryOperator<String> function) {
    return (value, none) -> TextNode.valueOf(function.apply(textOf(value)));
  }

  private static String textOf(JsonNode value) {
    if (!value.isTextual()) {
      throw new PromptException("found " + PythonJson.compact(value) + ", expected a text");
    }
    return value.textValue();
  }

  private static ArrayNode keys(JsonNode value) {
    ArrayNode keys = JsonNodeFactory.instance.arrayNode();
    object(value).fieldNames().forEachRemaining(keys::add);
    return keys;
  }

  private static ArrayNode values(JsonNode value) {
    ArrayNode values = JsonNodeFactory.instance.arrayNode();
    object(value).forEach(values::add);
    return values;
  }

  private static JsonNode object(JsonNode value) {
    if (!value.isObject()) {
      throw new PromptException("found " + PythonJson.compact(value) + ", expected an object");
    }
    return value;
  }

  private static String lowerFirst(String text) {
    if (text.isEmpty()) {
      throw new PromptException("found an empty text, expected at least one character");
    }
    return PythonText.lowerFirst(text);
  }

  private static String copaConnector(String question) {
    return switch (question) {
      case "cause" -> "because";
      case "effect" -> "therefore";
      default ->
          throw new PromptException(
              "found question '" + question + "', expected 'cause' or 'effect'");
    };
  }

  private static int blank(String sentence) {
    int at = sentence.indexOf('_');
    if (at < 0) {
      throw new PromptException("found no '_' in '" + sentence + "', expected one to fill");
    }
    return at;
  }

  /** An index given as an integer or as its decimal digits. */
  static int index(JsonNode value) {
    if (value.isInt()) {
      return value.intValue();
    }
    if (value.isTextual() && value.textValue().matches("[0-9]{1,9}")) {
      return Integer.parseInt(value.textValue());
    }
    throw new PromptException("found " + PythonJson.compact(value) + ", expected an index");
  }

  private static int letter(String text) {
    if (text.length() == 1) {
      char letter = Character.toLowerCase(text.charAt(0));
      if (letter >= 'a' && letter <= 'z') {
        return letter - 'a';
      }
    }
    throw new PromptException("found '" + text + "', expected one letter");
  }

  private static JsonNode indexIn(JsonNode value, JsonNode list) {
    for (int i = 0; i < list.size(); i++) {
      if (list.get(i).equals(value)) {
        return IntNode.valueOf(i);
      }
    }
    throw new PromptException(
        "found " + PythonJson.compact(value) + ", expected one of " + PythonJson.compact(list));
  }

  private static JsonNode elementOf(JsonNode value, JsonNode list) {
    int index = index(value);
    if (index < 0 || index >= list.size()) {
      throw new PromptException("found index " + index + ", expected 0 to " + (list.size() - 1));
    }
    return list.get(index);
  }
}
