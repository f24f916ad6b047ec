package org.cliffwatch.tasks.prompt;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.Suggestion;

/**
 * A prompt template: text with {@code {{path | step | step: path}}} in it. It looks like the part
 * of Jinja that lm-evaluation-harness's definitions live on, and is no more than that: a path of
 * names and positions into the document ({@code choices.text}, {@code options[0]}, {@code
 * choices[*].text} for a list of every choice's), and {@link Step}s of a closed set. Immutable and
 * safe to share between threads.
 */
public final class Template {
  private static final Pattern EXPRESSION = Pattern.compile("\\{\\{(.*?)\\}\\}", Pattern.DOTALL);
  private static final Pattern PATH =
      Pattern.compile("[A-Za-z_][A-Za-z0-9_]*(\\.[A-Za-z_][A-Za-z0-9_]*|\\[([0-9]{1,4}|\\*)\\])*");

  /** In a path: of every element what the rest of the path finds. */
  private static final String EVERY = "*";

  private sealed interface Part {}

  private record Literal(String text) implements Part {}

  private record Expression(List<String> path, List<Call> steps) implements Part {}

  private record Call(Step step, List<String> argument) {}

  private final String source;
  private final List<Part> parts;

  private Template(String source, List<Part> parts) {
    this.source = source;
    this.parts = parts;
  }

  /**
   * Reads a template.
   *
   * @throws InvalidInputException for an unknown step or a malformed expression
   */
  public static Template parse(String source) {
    List<Part> parts = new ArrayList<>();
    Matcher matcher = EXPRESSION.matcher(source);
    int from = 0;
    while (matcher.find()) {
      addLiteral(parts, source.substring(from, matcher.start()), source);
      parts.add(expression(matcher.group(1), source));
      from = matcher.end();
    }
    addLiteral(parts, source.substring(from), source);
    return new Template(source, List.copyOf(parts));
  }

  /** The rendered text. */
  public String render(Scope scope) {
    StringBuilder text = new StringBuilder();
    for (Part part : parts) {
      if (part instanceof Literal literal) {
        text.append(literal.text());
      } else if (part instanceof Expression expression) {
        text.append(PythonJson.text(evaluate(expression, scope)));
      }
    }
    return text.toString();
  }

  /** The value of a template that is one expression, in its own type; else the rendered text. */
  public JsonNode value(Scope scope) {
    return parts.size() == 1 && parts.get(0) instanceof Expression expression
        ? evaluate(expression, scope)
        : TextNode.valueOf(render(scope));
  }

  @Override
  public String toString() {
    return source;
  }

  private static void addLiteral(List<Part> parts, String text, String source) {
    if (text.contains("{{") || text.contains("}}") || text.contains("{%")) {
      throw malformed(source, "found '" + text + "', expected only {{…}} expressions");
    }
    if (!text.isEmpty()) {
      parts.add(new Literal(text));
    }
  }

  private static Expression expression(String body, String source) {
    List<String> fields = PythonText.split(body, "|");
    List<Call> calls = new ArrayList<>();
    for (String field : fields.subList(1, fields.size())) {
      calls.add(call(field.strip(), source));
    }
    return new Expression(path(fields.get(0).strip(), source), List.copyOf(calls));
  }

  private static Call call(String text, String source) {
    int colon = text.indexOf(':');
    String name = (colon < 0 ? text : text.substring(0, colon)).strip();
    Step step = Step.byName().get(name);
    if (step == null) {
      throw malformed(
          source, "found step '" + name + "'" + Suggestion.among(Step.byName().keySet(), name));
    }
    if (step.takesArgument() != (colon >= 0)) {
      throw malformed(
          source, "step " + name + (colon < 0 ? " expects ': path'" : " takes no argument"));
    }
    return new Call(step, colon < 0 ? List.of() : path(text.substring(colon + 1).strip(), source));
  }

  private static List<String> path(String text, String source) {
    if (!PATH.matcher(text).matches()) {
      throw malformed(source, "found '" + text + "', expected a path such as choices.text[0]");
    }
    return List.of(text.replace("]", "").split("[.\\[]", -1));
  }

  private static InvalidInputException malformed(String source, String what) {
    return new InvalidInputException("template '" + source + "': " + what);
  }

  private static JsonNode evaluate(Expression expression, Scope scope) {
    JsonNode value = resolve(expression.path(), scope);
    for (Call call : expression.steps()) {
      JsonNode argument = call.argument().isEmpty() ? null : resolve(call.argument(), scope);
      try {
        value = call.step().apply(value, argument);
      } catch (PromptException e) {
        throw new PromptException(
            String.join(".", expression.path()) + " | " + call.step() + ": " + e.getMessage());
      }
    }
    return value;
  }

  private static JsonNode resolve(List<String> path, Scope scope) {
    return resolve(path, 1, scope.lookUp(path.get(0)));
  }

  private static JsonNode resolve(List<String> path, int from, JsonNode start) {
    JsonNode value = start;
    for (int i = from; i < path.size(); i++) {
      String name = path.get(i);
      if (name.equals(EVERY) && value.isArray()) {
        ArrayNode list = JsonNodeFactory.instance.arrayNode();
        for (JsonNode element : value) {
          list.add(resolve(path, i + 1, element));
        }
        return list;
      }
      JsonNode inner =
          Character.isDigit(name.charAt(0)) ? value.get(Integer.parseInt(name)) : value.get(name);
      if (inner == null) {
        throw new PromptException(
            "found no '" + String.join(".", path) + "', which the prompt names");
      }
      value = inner;
    }
    return value;
  }
}
