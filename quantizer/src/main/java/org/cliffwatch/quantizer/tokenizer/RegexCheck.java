package org.cliffwatch.quantizer.tokenizer;

/**
 * Refuses regular expressions (in Oniguruma's syntax) whose matching can take more than about the
 * square of the text's length: Oniguruma gives up after ten million steps, and the tokenizers
 * library then ends the JVM.
 *
 * <p>Repetition of something that itself repeats without bound or has alternatives is refused, as
 * are more than two unbounded repetitions in one alternative, references back to groups, recursion,
 * conditionals and absent expressions. The patterns of GPT-2, GPT-4, Llama 3, Qwen, Tekken,
 * DeepSeek and BLOOM pass.
 */
public final class RegexCheck {
  private static final int MAX_LENGTH = 2048;
  private static final int MAX_REPEATS = 2;
  private static final int MAX_DEPTH = 16;
  private static final int MAX_COUNT = 1000;

  /** As often as this a choice may be repeated. */
  private static final int FEW = 4;

  private final String pattern;
  private int at;
  private String problem;

  private RegexCheck(String pattern) {
    this.pattern = pattern;
  }

  /** Why the pattern is refused, or null. */
  public static String problem(String pattern) {
    if (pattern.length() > MAX_LENGTH) {
      return "a pattern of " + pattern.length() + " characters, expected at most " + MAX_LENGTH;
    }
    RegexCheck check = new RegexCheck(pattern);
    check.alternatives(0);
    if (check.problem == null && check.at < pattern.length()) {
      check.problem = "unmatched )";
    }
    return check.problem == null
        ? null
        : check.problem + " at character " + check.at + " of " + pattern;
  }

  /**
   * What a piece of a pattern can do: how many unbounded repetitions, and whether it can choose.
   */
  private record Piece(int repeats, boolean chooses) {}

  private Piece alternatives(int depth) {
    int most = 0;
    boolean chooses = false;
    if (depth > MAX_DEPTH) {
      problem = "groups nested too deeply";
    }
    int repeats = 0;
    while (problem == null && at < pattern.length() && pattern.charAt(at) != ')') {
      if (pattern.charAt(at) == '|') {
        at++;
        chooses = true;
        repeats = 0;
        continue;
      }
      Piece piece = atom(depth);
      if (problem == null) {
        piece = quantified(piece);
      }
      repeats += piece.repeats();
      most = Math.max(most, repeats);
      if (problem == null && repeats > MAX_REPEATS) {
        problem = "more than " + MAX_REPEATS + " unbounded repetitions in a row";
      }
    }
    return new Piece(most, chooses);
  }

  private Piece atom(int depth) {
    char c = pattern.charAt(at++);
    switch (c) {
      case '(' -> {
        return group(depth);
      }
      case '[' -> characterClass();
      case '\\' -> escape();
      case '*', '+', '?' -> problem = "nothing to repeat";
      default -> {}
    }
    return new Piece(0, false);
  }

  private Piece group(int depth) {
    if (peek('?')) {
      at++;
      // Non-capturing, look-ahead, look-behind, atomic, and options such as (?i:
      while (at < pattern.length() && "imx-".indexOf(pattern.charAt(at)) >= 0) {
        at++;
      }
      if (at < pattern.length() && ":=!>".indexOf(pattern.charAt(at)) >= 0) {
        at++;
      } else if (pattern.startsWith("<=", at) || pattern.startsWith("<!", at)) {
        at += 2;
      } else if (!peek(')')) {
        problem = "a kind of group that is not accepted";
      }
    }
    Piece inside = alternatives(depth + 1);
    if (problem == null && !peek(')')) {
      problem = "a group without end";
    }
    at++;
    return inside;
  }

  private void characterClass() {
    int depth = 1;
    if (peek('^')) {
      at++;
    }
    if (peek(']')) {
      at++;
    }
    while (depth > 0 && problem == null) {
      if (at >= pattern.length()) {
        problem = "a character class without end";
        return;
      }
      char c = pattern.charAt(at++);
      if (c == '\\') {
        escape();
      } else if (c == '[') {
        depth++;
      } else if (c == ']') {
        depth--;
      }
    }
  }

  private void escape() {
    if (at >= pattern.length()) {
      problem = "an escape without end";
      return;
    }
    char c = pattern.charAt(at++);
    if ((c >= '1' && c <= '9') || "gkKRXyY".indexOf(c) >= 0) {
      problem = "\\" + c + " is not accepted";
    }
  }

  private Piece quantified(Piece piece) {
    while (problem == null && at < pattern.length()) {
      char c = pattern.charAt(at);
      int most;
      if (c == '*' || c == '+') {
        most = Integer.MAX_VALUE;
        at++;
      } else if (c == '?') {
        most = 1;
        at++;
      } else {
        most = c == '{' ? counted() : 0;
        if (most == 0) {
          return piece;
        }
      }
      if (most > FEW && (piece.repeats() > 0 || piece.chooses())) {
        problem = "repeats what repeats itself or has alternatives";
      }
      if (most == Integer.MAX_VALUE) {
        piece = new Piece(1, false);
      }
      // Lazy and possessive forms.
      if (peek('?') || peek('+')) {
        at++;
      }
    }
    return piece;
  }

  /** Reads {n}, {n,}, {,m} or {n,m}: the highest count, or 0 if the brace stands for itself. */
  private int counted() {
    int end = pattern.indexOf('}', at);
    if (end < 0 || !pattern.substring(at + 1, end).matches("\\d{1,6}(,\\d{0,6})?|,\\d{1,6}")) {
      return 0;
    }
    String counts = pattern.substring(at + 1, end);
    at = end + 1;
    if (counts.endsWith(",")) {
      return Integer.MAX_VALUE;
    }
    int most = Integer.parseInt(counts.substring(counts.indexOf(',') + 1));
    if (most > MAX_COUNT) {
      problem = "a repetition of more than " + MAX_COUNT;
    }
    return Math.max(1, most);
  }

  private boolean peek(char c) {
    return at < pattern.length() && pattern.charAt(at) == c;
  }
}
