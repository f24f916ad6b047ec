package org.cliffwatch.tasks.jinja;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.cliffwatch.tasks.jinja.Lexer.Kind;
import org.cliffwatch.tasks.jinja.Lexer.Token;

/** Tokens → expressions: the grammar of {@code jinja2.parser}, level by level. */
final class ExpressionParser {
  private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");

  /** Names that stand for what is not known here. */
  private static final Set<String> RESERVED =
      Set.of("self", "super", "varargs", "kwargs", "caller");

  private final String text;
  private final List<Token> tokens;
  private int at;
  private int depth;

  ExpressionParser(String text) {
    this.text = text;
    this.tokens = Lexer.tokens(text);
  }

  /** The whole text as one expression; commas make a tuple. */
  static Expression parse(String text) {
    ExpressionParser parser = new ExpressionParser(text);
    Expression expression = parser.tuple(true);
    parser.end();
    return expression;
  }

  boolean accept(String operatorOrName) {
    if (peek().is(operatorOrName)) {
      at++;
      return true;
    }
    return false;
  }

  void expect(String operatorOrName) {
    if (!accept(operatorOrName)) {
      throw unexpected("'" + operatorOrName + "'");
    }
  }

  String name() {
    if (peek().kind() != Kind.NAME) {
      throw unexpected("a name");
    }
    return tokens.get(at++).text();
  }

  boolean isAtEnd() {
    return peek().kind() == Kind.END;
  }

  void end() {
    if (!isAtEnd()) {
      throw unexpected("the end");
    }
  }

  JinjaException unexpected(String expected) {
    String found = isAtEnd() ? "the end" : "'" + peek().text() + "'";
    return new JinjaException(
        "found " + found + " in '" + text.strip() + "', expected " + expected);
  }

  private Token peek() {
    return tokens.get(at);
  }

  private Token next(int ahead) {
    return tokens.get(Math.min(at + ahead, tokens.size() - 1));
  }

  /**
   * An expression, or several with commas.
   *
   * @param conditional whether {@code a if b else c} is one; not before a loop's own {@code if}
   */
  Expression tuple(boolean conditional) {
    Expression first = conditional ? expression() : or();
    if (!peek().is(",")) {
      return first;
    }
    List<Expression> elements = new ArrayList<>(List.of(first));
    while (accept(",") && !isAtEnd() && !peek().is(")")) {
      elements.add(conditional ? expression() : or());
    }
    return r -> new Tuple(values(r, elements));
  }

  Expression expression() {
    if (++depth > Budget.DEEPEST) {
      throw new JinjaException("an expression nests deeper than " + Budget.DEEPEST);
    }
    Expression value = or();
    while (accept("if")) {
      Expression then = value;
      Expression condition = or();
      Expression otherwise =
          accept("else") ? expression() : r -> new Undefined("an inline if without an else");
      value = r -> r.values().truth(condition.value(r)) ? then.value(r) : otherwise.value(r);
    }
    depth--;
    return value;
  }

  private Expression or() {
    Expression value = and();
    while (accept("or")) {
      Expression left = value;
      Expression right = and();
      value =
          r -> {
            Object first = left.value(r);
            return r.values().truth(first) ? first : right.value(r);
          };
    }
    return value;
  }

  private Expression and() {
    Expression value = not();
    while (accept("and")) {
      Expression left = value;
      Expression right = not();
      value =
          r -> {
            Object first = left.value(r);
            return r.values().truth(first) ? right.value(r) : first;
          };
    }
    return value;
  }

  private Expression not() {
    boolean negated = false;
    boolean found = false;
    while (accept("not")) {
      negated = !negated;
      found = true;
    }
    Expression value = comparison();
    boolean wanted = !negated;
    return found ? r -> r.values().truth(value.value(r)) == wanted : value;
  }

  private Expression comparison() {
    Expression first = sum();
    List<String> operators = new ArrayList<>();
    List<Expression> operands = new ArrayList<>();
    while (true) {
      if (peek().kind() == Kind.OPERATOR && COMPARISONS.contains(peek().text())) {
        operators.add(tokens.get(at++).text());
      } else if (accept("in")) {
        operators.add("in");
      } else if (peek().is("not") && next(1).is("in")) {
        at += 2;
        operators.add("not in");
      } else {
        break;
      }
      operands.add(sum());
    }
    if (operators.isEmpty()) {
      return first;
    }
    return r -> {
      Object left = first.value(r);
      for (int i = 0; i < operators.size(); i++) {
        Object right = operands.get(i).value(r);
        if (!compare(r.values(), operators.get(i), left, right)) {
          return false;
        }
        left = right;
      }
      return true;
    };
  }

  static boolean compare(Values values, String operator, Object a, Object b) {
    return switch (operator) {
      case "==" -> values.equal(a, b);
      case "!=" -> !values.equal(a, b);
      case "<" -> values.compare(a, b) < 0;
      case "<=" -> values.compare(a, b) <= 0;
      case ">" -> values.compare(a, b) > 0;
      case ">=" -> values.compare(a, b) >= 0;
      case "in" -> values.contains(b, a);
      case "not in" -> !values.contains(b, a);
      default -> throw new IllegalArgumentException(operator);
    };
  }

  private Expression sum() {
    Expression value = concatenation();
    while (true) {
      Expression left = value;
      if (accept("+")) {
        Expression right = concatenation();
        value = r -> r.values().add(left.value(r), right.value(r));
      } else if (accept("-")) {
        Expression right = concatenation();
        value = r -> r.values().arithmetic("-", left.value(r), right.value(r));
      } else {
        return value;
      }
    }
  }

  private Expression concatenation() {
    Expression value = product();
    while (accept("~")) {
      Expression left = value;
      Expression right = product();
      value =
          r -> {
            String first = r.values().text(left.value(r));
            return r.values().made(first, r.values().text(right.value(r)));
          };
    }
    return value;
  }

  private Expression product() {
    Expression value = power();
    while (true) {
      Expression left = value;
      if (accept("*")) {
        Expression right = power();
        value = r -> r.values().multiply(left.value(r), right.value(r));
      } else if (peek().is("/") || peek().is("//") || peek().is("%")) {
        String operator = tokens.get(at++).text();
        Expression right = power();
        value = r -> r.values().arithmetic(operator, left.value(r), right.value(r));
      } else {
        return value;
      }
    }
  }

  private Expression power() {
    Expression value = unary(true);
    while (accept("**")) {
      Expression left = value;
      Expression right = unary(true);
      value = r -> r.values().arithmetic("**", left.value(r), right.value(r));
    }
    return value;
  }

  private Expression unary(boolean filtered) {
    if (++depth > Budget.DEEPEST) {
      throw new JinjaException("an expression nests deeper than " + Budget.DEEPEST);
    }
    Expression value;
    if (accept("-")) {
      Expression operand = unary(false);
      value = r -> r.values().negative(operand.value(r));
    } else if (accept("+")) {
      Expression operand = unary(false);
      value = r -> r.values().arithmetic("+", operand.value(r), 0L);
    } else {
      value = primary();
    }
    value = postfix(value);
    depth--;
    return filtered ? filters(value) : value;
  }

  private Expression primary() {
    Token token = tokens.get(at);
    switch (token.kind()) {
      case NAME -> {
        at++;
        return named(token.text());
      }
      case STRING -> {
        StringBuilder literal = new StringBuilder();
        while (peek().kind() == Kind.STRING) {
          literal.append(tokens.get(at++).text());
        }
        return constant(literal.toString());
      }
      case INTEGER -> {
        at++;
        return constant(Long.parseLong(token.text()));
      }
      case FLOAT -> {
        at++;
        return constant(Double.parseDouble(token.text()));
      }
      default -> {
        return bracketed();
      }
    }
  }

  private Expression named(String name) {
    return switch (name) {
      case "true", "True" -> constant(true);
      case "false", "False" -> constant(false);
      case "none", "None" -> constant(None.NONE);
      case "and", "or", "not", "if", "else", "in", "is", "recursive" -> {
        at--;
        throw unexpected("a value");
      }
      default -> {
        if (RESERVED.contains(name)) {
          throw new JinjaException("the name " + name + " is not known here");
        }
        yield r -> {
          r.spend(1);
          return r.scope().get(name);
        };
      }
    };
  }

  private static Expression constant(Object value) {
    return r -> value;
  }

  private Expression bracketed() {
    if (accept("(")) {
      if (accept(")")) {
        return r -> new Tuple(List.of());
      }
      Expression value = tuple(true);
      expect(")");
      return value;
    }
    if (accept("[")) {
      List<Expression> elements = new ArrayList<>();
      while (!accept("]")) {
        elements.add(expression());
        if (!peek().is("]")) {
          expect(",");
        }
      }
      return r -> values(r, elements);
    }
    if (accept("{")) {
      List<Expression> keys = new ArrayList<>();
      List<Expression> elements = new ArrayList<>();
      while (!accept("}")) {
        keys.add(expression());
        expect(":");
        elements.add(expression());
        if (!peek().is("}")) {
          expect(",");
        }
      }
      return r -> dict(values(r, keys), values(r, elements));
    }
    throw unexpected("a value");
  }

  private static List<Object> values(Rendering rendering, List<Expression> expressions) {
    rendering.spend(1 + expressions.size());
    List<Object> values = new ArrayList<>();
    expressions.forEach(expression -> values.add(expression.value(rendering)));
    return values;
  }

  private static Map<Object, Object> dict(List<Object> keys, List<Object> elements) {
    Map<Object, Object> map = new LinkedHashMap<>();
    for (int i = 0; i < keys.size(); i++) {
      map.put(Values.key(keys.get(i)), elements.get(i));
    }
    return map;
  }

  private Expression postfix(Expression operand) {
    Expression value = operand;
    while (true) {
      Expression base = value;
      if (accept(".")) {
        if (peek().kind() == Kind.INTEGER) {
          long index = Long.parseLong(tokens.get(at++).text());
          value = r -> r.values().element(base.value(r), index);
        } else {
          String name = attributeName();
          value = r -> Attributes.of(r, base.value(r), name);
        }
      } else if (accept("[")) {
        value = subscript(base);
      } else if (peek().is("(")) {
        value = call(base);
      } else {
        return value;
      }
    }
  }

  /** Names that begin with an underscore are Python's inside. */
  private String attributeName() {
    String name = name();
    if (name.startsWith("_")) {
      throw new JinjaException(
          "found the attribute " + name + ", expected none of Python's inside");
    }
    return name;
  }

  private Expression subscript(Expression base) {
    Expression from = peek().is(":") ? null : expression();
    if (accept("]")) {
      return r -> element(r, base.value(r), from.value(r));
    }
    expect(":");
    Expression to = peek().is(":") || peek().is("]") ? null : expression();
    Expression step = accept(":") && !peek().is("]") ? expression() : null;
    expect("]");
    return r -> {
      Object value = base.value(r);
      Values.refuseUndefined(value);
      return r.values().slice(value, bound(r, from), bound(r, to), bound(r, step));
    };
  }

  private static Object bound(Rendering rendering, Expression expression) {
    return expression == null ? null : expression.value(rendering);
  }

  /** Jinja2 looks for an attribute where there is no element. */
  private static Object element(Rendering rendering, Object value, Object key) {
    Object element = rendering.values().element(value, key);
    if (element instanceof Undefined && key instanceof String name) {
      if (name.startsWith("_")) {
        throw new JinjaException(
            "found the attribute " + name + ", expected none of Python's inside");
      }
      return Attributes.of(rendering, value, name);
    }
    return element;
  }

  private record CallArguments(List<Expression> positional, Map<String, Expression> named) {
    static final CallArguments NONE = new CallArguments(List.of(), Map.of());

    Arguments values(Rendering rendering, String of) {
      Map<String, Object> byName = new LinkedHashMap<>();
      named.forEach((name, expression) -> byName.put(name, expression.value(rendering)));
      return new Arguments(of, ExpressionParser.values(rendering, positional), byName);
    }
  }

  private CallArguments arguments() {
    expect("(");
    List<Expression> positional = new ArrayList<>();
    Map<String, Expression> named = new LinkedHashMap<>();
    while (!accept(")")) {
      if (peek().is("*") || peek().is("**")) {
        throw new JinjaException("'" + peek().text() + "' before an argument is not known here");
      }
      if (peek().kind() == Kind.NAME && next(1).is("=")) {
        String name = name();
        at++;
        named.put(name, expression());
      } else if (named.isEmpty()) {
        positional.add(expression());
      } else {
        throw unexpected("name=value");
      }
      if (!peek().is(")")) {
        expect(",");
      }
    }
    return new CallArguments(positional, named);
  }

  private Expression call(Expression base) {
    int first = Math.max(0, at - 1);
    String of = tokens.get(first).kind() == Kind.NAME ? tokens.get(first).text() : "a call";
    CallArguments arguments = arguments();
    return r -> {
      Object called = base.value(r);
      r.spend(1);
      Values.refuseUndefined(called);
      if (!(called instanceof Callable callable)) {
        throw new JinjaException("found " + Values.type(called) + ", expected what can be called");
      }
      return callable.call(r, arguments.values(r, of));
    };
  }

  private Expression filters(Expression operand) {
    Expression value = operand;
    while (true) {
      if (accept("|")) {
        value = filter(value, name());
      } else if (accept("is")) {
        value = test(value);
      } else if (peek().is("(")) {
        value = call(value);
      } else {
        return value;
      }
    }
  }

  /** The filters that a block's text goes through: {@code {% set x | upper %}}. */
  Expression filtersOf(Expression operand) {
    return filters(operand);
  }

  private Expression filter(Expression operand, String name) {
    Filters.Filter filter = Filters.named(name);
    CallArguments arguments = peek().is("(") ? arguments() : CallArguments.NONE;
    return r -> {
      Object value = operand.value(r);
      r.spend(1);
      return filter.apply(r, value, arguments.values(r, name));
    };
  }

  private Expression test(Expression operand) {
    boolean negated = accept("not");
    String name = name();
    ValueTests.ValueTest test = ValueTests.named(name);
    CallArguments arguments = testArguments();
    return r -> {
      Object value = operand.value(r);
      r.spend(1);
      return test.holds(r, value, arguments.values(r, name)) != negated;
    };
  }

  /** {@code is divisibleby 3} needs no parentheses. */
  private CallArguments testArguments() {
    if (peek().is("(")) {
      return arguments();
    }
    boolean value =
        switch (peek().kind()) {
          case NAME ->
              !Arrays.asList("else", "or", "and", "is", "if", "not", "in").contains(peek().text());
          case STRING, INTEGER, FLOAT -> true;
          default -> peek().is("[") || peek().is("{");
        };
    return value ? new CallArguments(List.of(postfix(primary())), Map.of()) : CallArguments.NONE;
  }
}
