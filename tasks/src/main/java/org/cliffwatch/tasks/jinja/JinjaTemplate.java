package org.cliffwatch.tasks.jinja;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * A Jinja template, rendered as Jinja2 renders it. Immutable and safe to share between threads.
 *
 * <p>Costs what it does, and at most {@value Budget#MOST_STEPS} steps; nothing of Java or of the
 * machine can be reached from it.
 */
public final class JinjaTemplate {
  /** Longer ones are no templates. */
  private static final int LONGEST = 1 << 20;

  private static final Pattern BLOCK_ALONE = Pattern.compile("(?m)^[ \\t]+(?=\\{[%#](?!\\+))");
  private static final Pattern BLOCK_KEPT = Pattern.compile("\\{([%#])\\+");
  private static final Pattern LINE_KEPT = Pattern.compile("\\+([%#]\\})(\\n?)");

  private final Statement statement;
  private final Map<String, Object> functions;
  private final boolean strict;

  private JinjaTemplate(Statement statement, Map<String, Object> functions, boolean strict) {
    this.statement = statement;
    this.functions = functions;
    this.strict = strict;
  }

  /**
   * A prompt's template, as lm-evaluation-harness's environment has it: {@code StrictUndefined},
   * {@code keep_trailing_newline}.
   *
   * @throws JinjaException for what is no template, or more than is known here
   */
  public static JinjaTemplate prompt(String source) {
    return new JinjaTemplate(StatementReader.read(lines(source), false), Functions.ofJinja(), true);
  }

  /**
   * A chat template, as transformers' environment has it: {@code trim_blocks}, {@code
   * lstrip_blocks}, loop controls.
   *
   * @throws JinjaException for what is no template, or more than is known here
   */
  public static JinjaTemplate chat(String source) {
    String text = lines(source);
    text = text.endsWith("\n") ? text.substring(0, text.length() - 1) : text;
    text = BLOCK_ALONE.matcher(text).replaceAll("");
    text = BLOCK_KEPT.matcher(text).replaceAll("{$1");
    text = LINE_KEPT.matcher(text).replaceAll("$1$2$2");
    return new JinjaTemplate(StatementReader.read(text, true), Functions.ofChatTemplates(), false);
  }

  private static String lines(String source) {
    if (source.length() > LONGEST) {
      throw new JinjaException(
          "found " + source.length() + " characters, expected at most " + LONGEST);
    }
    return source.replace("\r\n", "\n").replace('\r', '\n');
  }

  /**
   * The rendered text.
   *
   * @throws JinjaException where a value is missing or of another type, where the template itself
   *     refuses, or where it spends too much
   */
  public String render(Map<String, JsonNode> variables) {
    Scope scope = new Scope(null);
    functions.forEach(scope::set);
    Scope given = new Scope(scope);
    variables.forEach((name, value) -> given.set(name, Values.of(value)));
    Rendering rendering = new Rendering(given, strict);
    StringBuilder out = new StringBuilder();
    statement.run(rendering, out);
    return out.toString();
  }
}
