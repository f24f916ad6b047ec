package org.cliffwatch.tasks.jinja;

import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.JinjavaConfig;
import com.hubspot.jinjava.LegacyOverrides;
import com.hubspot.jinjava.interpret.Context;
import com.hubspot.jinjava.interpret.InterpretException;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.interpret.TemplateError;
import com.hubspot.jinjava.lib.tag.Tag;
import com.hubspot.jinjava.tree.ExpressionNode;
import com.hubspot.jinjava.tree.Node;
import com.hubspot.jinjava.tree.TagNode;
import com.hubspot.jinjava.tree.TextNode;
import com.hubspot.jinjava.tree.parse.ExpressionToken;
import com.hubspot.jinjava.tree.parse.TextToken;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.cliffwatch.tasks.jinja.Rendering.Leaving;

/**
 * A template's text → statements. jinjava tells text, expressions and tags apart, controls the
 * white space between them and matches tags with their ends; what the tags do is here.
 */
final class StatementReader {
  /** Its own limit for whatever it nests while it reads. */
  private static final int DEEPEST = 64;

  private static final LegacyOverrides AS_JINJA =
      LegacyOverrides.newBuilder()
          .withParseWhitespaceControlStrictly(true)
          .withAllowAdjacentTextNodes(true)
          .withUseTrimmingForNotesAndExpressions(true)
          .build();

  private static final Jinjava JINJAVA = jinjava();

  private final boolean chat;
  private int depth;
  private int loops;

  private StatementReader(boolean chat) {
    this.chat = chat;
  }

  /**
   * Reads a template.
   *
   * @param chat whether as transformers' environment does: blocks leave no line behind, and loops
   *     can be left
   */
  static Statement read(String source, boolean chat) {
    return new StatementReader(chat).block(nodes(source, chat));
  }

  private static Jinjava jinjava() {
    Jinjava jinjava = new Jinjava();
    jinjava.getGlobalContext().registerTag(new GenerationTag());
    return jinjava;
  }

  private static List<Node> nodes(String source, boolean chat) {
    JinjavaConfig config =
        JinjavaConfig.newBuilder().withTrimBlocks(chat).withLegacyOverrides(AS_JINJA).build();
    JinjavaInterpreter interpreter =
        new JinjavaInterpreter(JINJAVA, new Context(JINJAVA.getGlobalContext()), config);
    List<Node> nodes;
    JinjavaInterpreter.pushCurrent(interpreter);
    try {
      nodes = interpreter.parse(source).getChildren();
    } catch (InterpretException | StringIndexOutOfBoundsException e) {
      throw new JinjaException("not a Jinja template: " + e.getMessage());
    } finally {
      JinjavaInterpreter.popCurrent();
    }
    List<TemplateError> errors = interpreter.getErrorsCopy();
    if (!errors.isEmpty()) {
      TemplateError first = errors.get(0);
      throw new JinjaException(first.getMessage()).at(first.getLineno());
    }
    return nodes;
  }

  private Statement block(List<Node> nodes) {
    if (++depth > DEEPEST) {
      throw new JinjaException("blocks nest deeper than " + DEEPEST);
    }
    List<Statement> statements = new ArrayList<>();
    for (Node node : nodes) {
      try {
        statements.add(placed(node.getLineNumber(), statement(node)));
      } catch (JinjaException e) {
        throw e.at(node.getLineNumber());
      }
    }
    depth--;
    return Statement.all(statements);
  }

  private static Statement placed(int line, Statement statement) {
    return (rendering, out) -> {
      try {
        statement.run(rendering, out);
      } catch (JinjaException e) {
        throw e.at(line);
      }
    };
  }

  private Statement statement(Node node) {
    if (node instanceof TextNode) {
      String text = ((TextToken) node.getMaster()).output();
      return (r, out) -> {
        r.values().made(text.length());
        out.append(text);
      };
    }
    if (node instanceof ExpressionNode) {
      Expression expression =
          ExpressionParser.parse(((ExpressionToken) node.getMaster()).getExpr());
      return (r, out) -> {
        String text = r.values().text(expression.value(r));
        r.values().made(text.length());
        out.append(text);
      };
    }
    TagNode tag = (TagNode) node;
    return switch (tag.getName()) {
      case "if" -> branches(tag.getHelpers(), tag.getChildren());
      case "for" -> loop(tag);
      case "set" -> assignment(tag);
      case "macro" -> macro(tag);
      case "raw" -> block(tag.getChildren());
      case "break" -> leave(tag, Leaving.LOOP);
      case "continue" -> leave(tag, Leaving.TURN);
      case "generation" -> generation(tag);
      default -> throw new JinjaException("the tag " + tag.getName() + " is not known here");
    };
  }

  /** {@code if}, and the {@code elif} and {@code else} among what is in it. */
  private Statement branches(String condition, List<Node> nodes) {
    int end = 0;
    while (end < nodes.size() && !isTag(nodes.get(end), "elif") && !isTag(nodes.get(end), "else")) {
      end++;
    }
    Expression asked = ExpressionParser.parse(condition);
    Statement then = block(nodes.subList(0, end));
    Statement otherwise = otherwise(nodes, end);
    return (r, out) -> (r.values().truth(asked.value(r)) ? then : otherwise).run(r, out);
  }

  private Statement otherwise(List<Node> nodes, int at) {
    if (at == nodes.size()) {
      return (r, out) -> {};
    }
    List<Node> rest = nodes.subList(at + 1, nodes.size());
    if (isTag(nodes.get(at), "elif")) {
      return branches(((TagNode) nodes.get(at)).getHelpers(), rest);
    }
    if (rest.stream().anyMatch(node -> isTag(node, "elif") || isTag(node, "else"))) {
      throw new JinjaException("found elif or else after an else");
    }
    return block(rest);
  }

  private static boolean isTag(Node node, String name) {
    return node instanceof TagNode tag && tag.getName().equals(name);
  }

  private Statement loop(TagNode tag) {
    ExpressionParser parser = new ExpressionParser(tag.getHelpers());
    Target target = target(parser);
    parser.expect("in");
    Expression collection = parser.tuple(false);
    Expression condition = parser.accept("if") ? parser.expression() : null;
    parser.end();
    List<Node> nodes = tag.getChildren();
    int end = 0;
    while (end < nodes.size() && !isTag(nodes.get(end), "else")) {
      end++;
    }
    loops++;
    Statement body = block(nodes.subList(0, end));
    loops--;
    Statement otherwise = end == nodes.size() ? null : block(nodes.subList(end + 1, nodes.size()));
    return (r, out) -> {
      Scope around = r.scope();
      List<Object> elements = r.values().list(collection.value(r));
      if (condition != null) {
        List<Object> chosen = new ArrayList<>();
        for (Object element : elements) {
          r.scope(new Scope(around));
          target.set(r, element);
          if (r.values().truth(condition.value(r))) {
            chosen.add(element);
          }
        }
        elements = chosen;
      }
      turns(r, out, around, elements, target, body);
      r.scope(around);
      if (elements.isEmpty() && otherwise != null) {
        otherwise.run(r, out);
      }
    };
  }

  private static void turns(
      Rendering r,
      StringBuilder out,
      Scope around,
      List<Object> elements,
      Target target,
      Statement body) {
    int depth = around.get("loop") instanceof Loop outer ? outer.depth() + 1 : 1;
    Loop loop = new Loop(elements, depth);
    for (int i = 0; i < elements.size(); i++) {
      r.spend(1);
      Scope turn = new Scope(around);
      turn.set("loop", loop);
      r.scope(turn);
      loop.turn(i);
      target.set(r, elements.get(i));
      body.run(r, out);
      Leaving leaving = r.leaving();
      r.leaving(Leaving.NOTHING);
      if (leaving == Leaving.LOOP) {
        break;
      }
    }
  }

  private Statement leave(TagNode tag, Leaving what) {
    if (!chat || loops == 0) {
      throw new JinjaException("found " + tag.getName() + " outside a loop of a chat template");
    }
    return (r, out) -> r.leaving(what);
  }

  private Statement generation(TagNode tag) {
    if (!chat) {
      throw new JinjaException("the tag generation is one of chat templates only");
    }
    Statement body = block(tag.getChildren());
    return (r, out) -> {
      Scope around = r.scope();
      r.scope(new Scope(around));
      body.run(r, out);
      r.scope(around);
    };
  }

  /** What is assigned to. */
  @FunctionalInterface
  private interface Target {
    void set(Rendering rendering, Object value);
  }

  private static Target target(ExpressionParser parser) {
    List<Target> targets = new ArrayList<>();
    boolean tuple = false;
    do {
      if (targets.size() > 0 && parser.isAtEnd()) {
        break;
      }
      targets.add(singleTarget(parser));
      tuple |= targets.size() > 1;
    } while (parser.accept(","));
    if (!tuple) {
      return targets.get(0);
    }
    return (r, value) -> {
      List<Object> elements = r.values().list(value);
      if (elements.size() != targets.size()) {
        throw new JinjaException(
            "found " + elements.size() + " values to unpack, expected " + targets.size());
      }
      for (int i = 0; i < targets.size(); i++) {
        targets.get(i).set(r, elements.get(i));
      }
    };
  }

  private static Target singleTarget(ExpressionParser parser) {
    if (parser.accept("(")) {
      Target inner = target(parser);
      parser.expect(")");
      return inner;
    }
    String name = parser.name();
    if (!parser.accept(".")) {
      return (r, value) -> r.scope().set(name, value);
    }
    String attribute = parser.name();
    if (attribute.startsWith("_")) {
      throw new JinjaException(
          "found the attribute " + attribute + ", expected none of Python's inside");
    }
    return (r, value) -> {
      if (!(r.scope().get(name) instanceof Namespace namespace)) {
        throw new JinjaException("found '" + name + "', expected a namespace to set attributes of");
      }
      namespace.set(attribute, value);
    };
  }

  private Statement assignment(TagNode tag) {
    ExpressionParser parser = new ExpressionParser(tag.getHelpers());
    Target target = target(parser);
    if (parser.accept("=")) {
      Expression expression = parser.tuple(true);
      parser.end();
      return (r, out) -> {
        r.spend(1);
        target.set(r, expression.value(r));
      };
    }
    Expression filtered = parser.filtersOf(r -> r.scope().get(""));
    parser.end();
    Statement body = block(tag.getChildren());
    return (r, out) -> {
      Scope around = r.scope();
      Scope inner = new Scope(around);
      r.scope(inner);
      StringBuilder captured = new StringBuilder();
      body.run(r, captured);
      inner.set("", captured.toString());
      Object value = filtered.value(r);
      r.scope(around);
      target.set(r, value);
    };
  }

  private Statement macro(TagNode tag) {
    ExpressionParser parser = new ExpressionParser(tag.getHelpers());
    String name = parser.name();
    Map<String, Expression> parameters = new LinkedHashMap<>();
    parser.expect("(");
    while (!parser.accept(")")) {
      String parameter = parser.name();
      parameters.put(parameter, parser.accept("=") ? parser.expression() : null);
      if (!parser.accept(",")) {
        parser.expect(")");
        break;
      }
    }
    parser.end();
    int around = loops;
    loops = 0;
    Statement body = block(tag.getChildren());
    loops = around;
    return (r, out) -> r.scope().set(name, callable(r.scope(), parameters, body));
  }

  private static Callable callable(
      Scope defined, Map<String, Expression> parameters, Statement body) {
    List<String> names = List.copyOf(parameters.keySet());
    return (r, arguments) -> {
      List<Object> given = arguments.bound(names);
      Scope caller = r.scope();
      Scope inner = new Scope(defined);
      r.budget().enter();
      r.scope(inner);
      for (int i = 0; i < names.size(); i++) {
        Expression otherwise = parameters.get(names.get(i));
        inner.set(
            names.get(i),
            given.get(i) != null
                ? given.get(i)
                : otherwise == null
                    ? new Undefined("parameter '" + names.get(i) + "'")
                    : otherwise.value(r));
      }
      StringBuilder text = new StringBuilder();
      body.run(r, text);
      r.scope(caller);
      r.budget().leave();
      return text.toString();
    };
  }

  /** transformers' {@code generation}, which only marks what a model wrote. */
  private static final class GenerationTag implements Tag {
    private static final long serialVersionUID = 1L;

    @Override
    public String getName() {
      return "generation";
    }

    @Override
    public String interpret(TagNode node, JinjavaInterpreter interpreter) {
      throw new UnsupportedOperationException("templates are read by jinjava, not rendered");
    }
  }
}
