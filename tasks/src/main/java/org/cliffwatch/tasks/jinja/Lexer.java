package org.cliffwatch.tasks.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** An expression's text → tokens, as {@code jinja2.lexer} cuts it. */
final class Lexer {
  /** What a token is. */
  enum Kind {
    NAME,
    STRING,
    INTEGER,
    FLOAT,
    OPERATOR,
    END
  }

  /**
   * A token.
   *
   * @param text a string's value, else what is written
   */
  record Token(Kind kind, String text) {
    boolean is(String operatorOrName) {
      return kind != Kind.STRING && text.equals(operatorOrName);
    }
  }

  private static final Pattern TOKEN =
      Pattern.compile(
          "(?<space>\\s+)"
              + "|(?<float>\\d+(?:_\\d+)*(?:\\.\\d+(?:_\\d+)*(?:[eE][+-]?\\d+)?|[eE][+-]?\\d+))"
              + "|(?<integer>\\d+(?:_\\d+)*)"
              + "|(?<name>[A-Za-z_][A-Za-z0-9_]*)"
              + "|(?<operator>\\*\\*|//|==|!=|<=|>=|[-+*/%~<>=.,:|()\\[\\]{}])",
          Pattern.DOTALL);

  private Lexer() {}

  /** The tokens, an {@code END} last. */
  static List<Token> tokens(String text) {
    List<Token> tokens = new ArrayList<>();
    Matcher matcher = TOKEN.matcher(text);
    int at = 0;
    while (at < text.length()) {
      char first = text.charAt(at);
      if (first == '\'' || first == '"') {
        int end = endOfString(text, at);
        tokens.add(new Token(Kind.STRING, unescaped(text.substring(at + 1, end))));
        at = end + 1;
        continue;
      }
      matcher.region(at, text.length());
      if (!matcher.lookingAt()) {
        throw new JinjaException(
            "found '"
                + text.substring(at, text.offsetByCodePoints(at, 1))
                + "' in '"
                + text.strip()
                + "'");
      }
      at = matcher.end();
      if (matcher.group("space") != null) {
        continue;
      }
      String found = matcher.group();
      if (matcher.group("float") != null) {
        tokens.add(new Token(Kind.FLOAT, found.replace("_", "")));
      } else if (matcher.group("integer") != null) {
        tokens.add(new Token(Kind.INTEGER, integer(found)));
      } else {
        tokens.add(new Token(matcher.group("name") != null ? Kind.NAME : Kind.OPERATOR, found));
      }
    }
    tokens.add(new Token(Kind.END, ""));
    return tokens;
  }

  private static int endOfString(String text, int start) {
    int at = start + 1;
    while (at < text.length() && text.charAt(at) != text.charAt(start)) {
      at += text.charAt(at) == '\\' ? 2 : 1;
    }
    if (at >= text.length()) {
      throw new JinjaException("found a text without an end in '" + text.strip() + "'");
    }
    return at;
  }

  private static String integer(String digits) {
    String plain = digits.replace("_", "");
    if (plain.length() > 18 || plain.matches("0+[1-9]\\d*")) {
      throw new JinjaException("found " + digits + ", expected an integer of 64 bits");
    }
    return plain;
  }

  /** A Python literal's inside. */
  private static String unescaped(String literal) {
    if (literal.indexOf('\\') < 0) {
      return literal;
    }
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < literal.length(); i++) {
      char c = literal.charAt(i);
      if (c != '\\') {
        text.append(c);
        continue;
      }
      char escaped = literal.charAt(++i);
      switch (escaped) {
        case '\n' -> {}
        case '\\', '\'', '"' -> text.append(escaped);
        case 'n' -> text.append('\n');
        case 'r' -> text.append('\r');
        case 't' -> text.append('\t');
        case 'b' -> text.append('\b');
        case 'f' -> text.append('\f');
        case 'a' -> text.append('\u0007');
        case 'v' -> text.append('\u000b');
        case 'x' -> i = codePoint(literal, i, 2, text);
        case 'u' -> i = codePoint(literal, i, 4, text);
        case 'U' -> i = codePoint(literal, i, 8, text);
        case 'N', '0', '1', '2', '3', '4', '5', '6', '7' ->
            throw new JinjaException("the escape \\" + escaped + " is not known here");
        default -> text.append('\\').append(escaped);
      }
    }
    return text.toString();
  }

  private static int codePoint(String literal, int at, int digits, StringBuilder text) {
    int end = at + 1 + digits;
    String hex = end <= literal.length() ? literal.substring(at + 1, end) : "";
    if (!hex.matches("[0-9a-fA-F]+")
        || !Character.isValidCodePoint(Integer.parseUnsignedInt(hex, 16))) {
      throw new JinjaException(
          "found \\" + literal.charAt(at) + ", expected " + digits + " hex digits");
    }
    text.appendCodePoint(Integer.parseUnsignedInt(hex, 16));
    return end - 1;
  }
}
