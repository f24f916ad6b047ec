package org.cliffwatch.tasks.definition;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.cliffwatch.tasks.jinja.JinjaException;
import org.cliffwatch.tasks.jinja.JinjaTemplate;
import org.cliffwatch.tasks.jinja.PythonLiteral;
import org.cliffwatch.tasks.prompt.PromptException;
import org.cliffwatch.tasks.prompt.PythonJson;

/**
 * What a definition in lm-evaluation-harness's own YAML asks, by the rules of its {@code
 * ConfigurableTask}: a text that is a column's name is that column, any other a Jinja template.
 * Immutable and safe to share between threads.
 */
public final class HarnessPrompt {
  /** A key's rule: a document → what it is for it. */
  private interface Rule {
    JsonNode value(ObjectNode doc);
  }

  private final Map<String, String> sources;
  private final Rule description;
  private final Rule docToText;
  private final Rule docToTarget;
  private final Rule docToChoice;
  private final String targetDelimiter;
  private final String fewshotDelimiter;
  private final String shotsRefusal;

  /**
   * @param keys the definition's keys, {@code doc_to_text} and what else it has
   * @param shotsRefusal why no shots can be put before its questions; null where they can
   * @throws JinjaException for a template that is none
   */
  HarnessPrompt(Map<String, JsonNode> keys, String shotsRefusal) {
    boolean choices = keys.containsKey("doc_to_choice");
    this.sources = new HashMap<>();
    keys.forEach(
        (key, value) -> sources.put(key, value.isTextual() ? value.textValue() : value.toString()));
    this.description = template("description", keys.get("description"));
    this.docToText =
        index(keys.get("doc_to_text"), template("doc_to_text", keys.get("doc_to_text")), choices);
    this.docToTarget =
        target(
            index(
                keys.get("doc_to_target"),
                template("doc_to_target", keys.get("doc_to_target")),
                choices));
    this.docToChoice = choices ? choices(keys.get("doc_to_choice")) : null;
    JsonNode delimiter = keys.get("target_delimiter");
    this.targetDelimiter = delimiter == null ? " " : delimiter.asText();
    JsonNode between = keys.get("fewshot_delimiter");
    this.fewshotDelimiter = between == null ? "\n\n" : between.asText();
    this.shotsRefusal = shotsRefusal;
  }

  /** A key as the definition has it, or null. */
  public String source(String key) {
    return sources.get(key);
  }

  /** What stands between a context and a choice. */
  public String targetDelimiter() {
    return targetDelimiter;
  }

  /** What stands after each shot. */
  public String fewshotDelimiter() {
    return fewshotDelimiter;
  }

  /** Why no shots can be put before its questions; null where they can. */
  public String shotsRefusal() {
    return shotsRefusal;
  }

  /** What stands before a context, or nothing. */
  public String description(ObjectNode doc) {
    return description == null ? "" : PythonJson.text(description.value(doc));
  }

  /** The context; an integer where the choices are contexts. */
  public JsonNode text(ObjectNode doc) {
    return docToText == null ? TextNode.valueOf("") : docToText.value(doc);
  }

  /** The right choice or its index; the continuation where there are no choices. */
  public JsonNode target(ObjectNode doc) {
    return docToTarget.value(doc);
  }

  /** The choices. */
  public List<String> choices(ObjectNode doc) {
    List<String> choices = new ArrayList<>();
    JsonNode found = docToChoice.value(doc);
    if (!(found instanceof ArrayNode) || found.isEmpty()) {
      throw new PromptException(
          "doc_to_choice: found " + PythonJson.line(found) + ", expected a list of texts");
    }
    for (JsonNode choice : found) {
      if (!choice.isTextual()) {
        throw new PromptException(
            "doc_to_choice: found " + PythonJson.line(choice) + ", expected a text");
      }
      choices.add(choice.textValue());
    }
    return choices;
  }

  private static Rule template(String key, JsonNode value) {
    if (value == null) {
      return null;
    }
    if (!value.isTextual()) {
      return doc -> value;
    }
    String source = value.textValue();
    JinjaTemplate template;
    try {
      template = JinjaTemplate.prompt(source);
    } catch (JinjaException e) {
      throw e.within(key);
    }
    return doc -> {
      JsonNode column = doc.get(source);
      if (column != null) {
        return column;
      }
      Map<String, JsonNode> variables = new HashMap<>();
      doc.properties().forEach(field -> variables.put(field.getKey(), field.getValue()));
      try {
        return TextNode.valueOf(template.render(variables));
      } catch (JinjaException e) {
        throw new PromptException(key + ": " + e.getMessage());
      }
    };
  }

  /** With choices, a template that renders digits gives their number; a column of them does not. */
  private static Rule index(JsonNode source, Rule rule, boolean choices) {
    if (rule == null || !choices || !source.isTextual()) {
      return rule;
    }
    return doc -> {
      JsonNode value = rule.value(doc);
      String digits = value.asText();
      if (doc.has(source.textValue()) || !digits.matches("[0-9]+")) {
        return value;
      }
      if (digits.length() > 9 || digits.matches("0+[1-9][0-9]*")) {
        throw new PromptException("found " + digits + ", expected an index as Python writes it");
      }
      return IntNode.valueOf(Integer.parseInt(digits));
    };
  }

  /** A rendered list would be several right answers. */
  private static Rule target(Rule rule) {
    return doc -> {
      JsonNode value = rule.value(doc);
      boolean list =
          value.isArray()
              || (value.isTextual()
                  && value.textValue().startsWith("[")
                  && value.textValue().endsWith("]")
                  && value.textValue().length() > 1
                  && isLiteral(value.textValue()));
      if (list) {
        throw new PromptException(
            "doc_to_target: found a list, expected one right answer: several are not known here");
      }
      return value;
    };
  }

  private static boolean isLiteral(String text) {
    try {
      PythonLiteral.parse(text);
      return true;
    } catch (JinjaException e) {
      return false;
    }
  }

  /** A list is taken as it is, its elements are no templates. */
  private static Rule choices(JsonNode value) {
    if (value.isObject()) {
      ArrayNode values = value.isEmpty() ? null : ((ObjectNode) value).arrayNode();
      value.forEach(values::add);
      return doc -> values;
    }
    Rule rule = template("doc_to_choice", value);
    return doc -> {
      JsonNode found = rule.value(doc);
      if (!found.isTextual()) {
        return found;
      }
      try {
        return PythonLiteral.parse(found.textValue());
      } catch (JinjaException e) {
        throw new PromptException("doc_to_choice: " + e.getMessage());
      }
    };
  }
}
