package org.cliffwatch.tasks.prompt;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;

/**
 * Python's {@code ast.literal_eval} of what {@code str} writes of lists and dictionaries of texts.
 */
final class PythonLiteral {
  /** Deeper than any data set nests, shallower than the stack. */
  private static final int DEEPEST = 100;

  private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

  private final String text;
  private int at;

  private PythonLiteral(String text) {
    this.text = text;
  }

  /**
   * The value of a literal.
   *
   * @throws PromptException with the character at which it is none
   */
  static JsonNode read(String text) {
    PythonLiteral reader = new PythonLiteral(text);
    JsonNode value = reader.value(0);
    reader.space();
    if (reader.at < text.length()) {
      throw reader.found("the end");
    }
    return value;
  }

  private JsonNode value(int depth) {
    space();
    char c = peek();
    if (depth == DEEPEST) {
      throw found("less nesting");
    }
    return switch (c) {
      case '[' -> list(depth);
      case '{' -> dictionary(depth);
      case '\'', '"' -> TextNode.valueOf(string());
      default -> throw found("a list, a dictionary or a text");
    };
  }

  private ArrayNode list(int depth) {
    ArrayNode list = JSON.arrayNode();
    at++;
    for (space(); peek() != ']'; separator(']')) {
      list.add(value(depth + 1));
    }
    at++;
    return list;
  }

  private ObjectNode dictionary(int depth) {
    ObjectNode dictionary = JSON.objectNode();
    at++;
    for (space(); peek() != '}'; separator('}')) {
      if (peek() != '\'' && peek() != '"') {
        throw found("a text as key");
      }
      String key = string();
      space();
      if (peek() != ':') {
        throw found("':'");
      }
      at++;
      dictionary.set(key, value(depth + 1));
    }
    at++;
    return dictionary;
  }

  /** A comma, or the end that follows. */
  private void separator(char end) {
    space();
    if (peek() == ',') {
      at++;
      space();
    } else if (peek() != end) {
      throw found("',' or '" + end + "'");
    }
  }

  private String string() {
    char quote = text.charAt(at++);
    StringBuilder value = new StringBuilder();
    while (peek() != quote) {
      char c = text.charAt(at++);
      if (c == '\n') {
        at--;
        throw found("the text's end");
      }
      if (c == '\\') {
        escape(value);
      } else {
        value.append(c);
      }
    }
    at++;
    return value.toString();
  }

  private void escape(StringBuilder value) {
    char c = peek();
    at++;
    switch (c) {
      case '\\', '\'', '"' -> value.append(c);
      case 'n' -> value.append('\n');
      case 'r' -> value.append('\r');
      case 't' -> value.append('\t');
      case 'x' -> value.appendCodePoint(hexadecimal(2));
      case 'u' -> value.appendCodePoint(hexadecimal(4));
      case 'U' -> value.appendCodePoint(hexadecimal(8));
      default -> {
        at--;
        throw found("one of the escapes that str writes");
      }
    }
  }

  private int hexadecimal(int digits) {
    int end = at + digits;
    if (end > text.length() || !text.substring(at, end).matches("[0-9a-fA-F]+")) {
      throw found(digits + " hexadecimal digits");
    }
    long code = Long.parseLong(text.substring(at, end), 16);
    if (code > Character.MAX_CODE_POINT) {
      throw found("a code point");
    }
    at = end;
    return (int) code;
  }

  private void space() {
    while (at < text.length() && " \t\n\r\f".indexOf(text.charAt(at)) >= 0) {
      at++;
    }
  }

  private char peek() {
    if (at >= text.length()) {
      throw found("more");
    }
    return text.charAt(at);
  }

  private PromptException found(String expected) {
    String what =
        at < text.length()
            ? "'" + text.substring(at, text.offsetByCodePoints(at, 1)) + "'"
            : "the end";
    return new PromptException(
        "found " + what + " at character " + at + " of a Python literal, expected " + expected);
  }
}
