package org.cliffwatch.tasks.jinja;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Set;
import org.cliffwatch.tasks.jinja.Lexer.Kind;
import org.cliffwatch.tasks.jinja.Lexer.Token;

/** Python's {@code ast.literal_eval} of what templates render: lists, texts, numbers. */
public final class PythonLiteral {
  private static final Set<String> NAMES = Set.of("True", "False", "None");
  private static final Set<String> OPERATORS = Set.of("[", "]", "(", ")", "{", "}", ",", ":", "-");

  private PythonLiteral() {}

  /**
   * The value; a tuple is a list.
   *
   * @throws JinjaException where the text is no literal
   */
  public static JsonNode parse(String text) {
    for (Token token : Lexer.tokens(text)) {
      boolean literal =
          switch (token.kind()) {
            case STRING, INTEGER, FLOAT, END -> true;
            case NAME -> NAMES.contains(token.text());
            case OPERATOR -> OPERATORS.contains(token.text());
          };
      if (!literal || (token.kind() == Kind.END && text.isBlank())) {
        throw new JinjaException("found '" + text + "', expected a Python literal");
      }
    }
    Rendering rendering = new Rendering(new Scope(null), true);
    return rendering.values().json(ExpressionParser.parse(text).value(rendering));
  }
}
