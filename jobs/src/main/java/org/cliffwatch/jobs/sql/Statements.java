package org.cliffwatch.jobs.sql;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * SQL text, split at the semicolons outside quotes and comments. Comments are left out, hints are
 * not.
 *
 * @param finished statements that a semicolon ends
 * @param rest what follows the last semicolon, as it stands; blank where nothing does
 */
public record Statements(List<String> finished, String rest) {

  public static Statements of(String text) {
    List<String> finished = new ArrayList<>();
    StringBuilder statement = new StringBuilder();
    for (int at = 0; at < text.length(); ) {
      int end = tokenEnd(text, at);
      if (text.charAt(at) == ';') {
        if (!statement.toString().isBlank()) {
          finished.add(statement.toString().strip());
        }
        statement.setLength(0);
      } else if (!isClosedComment(text, at, end)) {
        statement.append(text, at, end);
      }
      at = end;
    }
    return new Statements(finished, statement.toString());
  }

  /** Whether nothing follows the last semicolon. */
  public boolean isEnded() {
    return rest.isBlank();
  }

  /** Every statement, the last with or without its semicolon. */
  public List<String> all() {
    return isEnded()
        ? finished
        : Stream.concat(finished.stream(), Stream.of(rest.strip())).toList();
  }

  /** Where the quoted text, the comment or the single character that begins here ends. */
  private static int tokenEnd(String text, int at) {
    char c = text.charAt(at);
    if (text.startsWith("--", at)) {
      int newline = text.indexOf('\n', at);
      return newline < 0 ? text.length() : newline;
    }
    if (text.startsWith("/*", at)) {
      int close = text.indexOf("*/", at + 2);
      return close < 0 ? text.length() : close + 2;
    }
    if (c == '\'' || c == '"' || c == '`') {
      int i = at + 1;
      while (i < text.length() && text.charAt(i) != c) {
        i += text.charAt(i) == '\\' && c != '`' ? 2 : 1;
      }
      return Math.min(i + 1, text.length());
    }
    return at + 1;
  }

  /** A block comment that is not closed stays, so that the statement is not taken for finished. */
  private static boolean isClosedComment(String text, int at, int end) {
    return text.startsWith("--", at)
        || (text.startsWith("/*", at)
            && !text.startsWith("/*+", at)
            && end >= at + 4
            && text.startsWith("*/", end - 2));
  }
}
