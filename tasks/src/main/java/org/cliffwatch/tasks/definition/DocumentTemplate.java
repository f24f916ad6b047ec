package org.cliffwatch.tasks.definition;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.prompt.PromptException;
import org.cliffwatch.tasks.prompt.Scope;
import org.cliffwatch.tasks.prompt.Template;

/**
 * A document whose fields are templates of another's, in objects and lists as they are nested: how
 * a release becomes the form the prompt is written for. Immutable.
 */
public final class DocumentTemplate {
  private sealed interface Part {
    JsonNode fill(Scope scope);
  }

  private record Leaf(Template template) implements Part {
    @Override
    public JsonNode fill(Scope scope) {
      return template.value(scope);
    }
  }

  private record Branches(Map<String, Part> parts) implements Part {
    @Override
    public JsonNode fill(Scope scope) {
      ObjectNode object = scope.doc().objectNode();
      parts.forEach((name, part) -> object.set(name, part.fill(scope)));
      return object;
    }
  }

  private record Elements(List<Part> parts) implements Part {
    @Override
    public JsonNode fill(Scope scope) {
      ArrayNode array = scope.doc().arrayNode();
      parts.forEach(part -> array.add(part.fill(scope)));
      return array;
    }
  }

  private final Part root;

  /**
   * Reads the templates.
   *
   * @throws InvalidInputException for what is no object of texts, lists and objects
   */
  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  DocumentTemplate(JsonNode tree) {
    if (!tree.isObject()) {
      throw new InvalidInputException("found " + tree + ", expected fields with their templates");
    }
    this.root = part(tree);
  }

  private static Part part(JsonNode tree) {
    if (tree.isObject()) {
      Map<String, Part> parts = new LinkedHashMap<>();
      tree.properties().forEach(field -> parts.put(field.getKey(), part(field.getValue())));
      return new Branches(parts);
    }
    if (tree.isArray()) {
      List<Part> parts = new ArrayList<>();
      tree.forEach(element -> parts.add(part(element)));
      return new Elements(parts);
    }
    if (!tree.isTextual()) {
      throw new InvalidInputException("found " + tree + ", expected a template in quotes");
    }
    return new Leaf(Template.parse(tree.textValue()));
  }

  /**
   * The document of a record.
   *
   * @throws PromptException where the record does not give what a template needs
   */
  ObjectNode fill(ObjectNode record) {
    return (ObjectNode) root.fill(new Scope(record, record.objectNode()));
  }
}
