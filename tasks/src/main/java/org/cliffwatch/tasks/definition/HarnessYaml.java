package org.cliffwatch.tasks.definition;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.cliffwatch.tasks.InvalidInputException;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.error.MarkedYAMLException;
import org.yaml.snakeyaml.error.YAMLException;
import org.yaml.snakeyaml.nodes.MappingNode;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.NodeTuple;
import org.yaml.snakeyaml.nodes.ScalarNode;
import org.yaml.snakeyaml.nodes.SequenceNode;
import org.yaml.snakeyaml.nodes.Tag;

/**
 * The keys of a YAML file of lm-evaluation-harness's and of those it includes, as its {@code
 * load_yaml} merges them: whole keys, the including file's own over the included ones'.
 *
 * @param values by key
 * @param places file and line of each key, for messages
 * @param functions {@code !function} tags by key: Python that the value needs
 */
record HarnessYaml(
    Map<String, JsonNode> values, Map<String, String> places, Map<String, String> functions) {
  private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
  private static final String FUNCTION = "!function";

  /** A list that the Python file names does not go to those that include it. */
  private static final String OF_ITS_OWN_FILE = "task_list";

  private static final int MOST_ALIASES = 50;
  private static final int DEEPEST = 32;

  /**
   * Reads a file and what it includes.
   *
   * @throws InvalidInputException naming file and line
   */
  static HarnessYaml read(Path file) {
    HarnessYaml yaml =
        new HarnessYaml(new LinkedHashMap<>(), new LinkedHashMap<>(), new LinkedHashMap<>());
    yaml.merge(file, Set.of());
    return yaml;
  }

  /** Where a key is, or the file itself. */
  String place(String key, String file) {
    return places.getOrDefault(key, file);
  }

  private void merge(Path file, Set<Path> including) {
    Path path = file.toAbsolutePath().normalize();
    if (including.contains(path)) {
      throw new InvalidInputException(file + ": includes itself");
    }
    MappingNode root = root(file);
    for (NodeTuple tuple : root.getValue()) {
      if (key(tuple, file).equals("include")) {
        Set<Path> seen = new HashSet<>(including);
        seen.add(path);
        for (String name : names(value(tuple.getValueNode(), place(tuple.getKeyNode(), file), 0))) {
          Path included = path.resolveSibling(name);
          if (!Files.isRegularFile(included)) {
            throw new InvalidInputException(
                place(tuple.getKeyNode(), file)
                    + ": include: found no file "
                    + included
                    + ", expected one beside this");
          }
          HarnessYaml other =
              new HarnessYaml(new LinkedHashMap<>(), new LinkedHashMap<>(), new LinkedHashMap<>());
          other.merge(included, seen);
          other.values.remove(OF_ITS_OWN_FILE);
          other.values.keySet().forEach(functions::remove);
          values.putAll(other.values);
          places.putAll(other.places);
          functions.putAll(other.functions);
        }
      }
    }
    for (NodeTuple tuple : root.getValue()) {
      String key = key(tuple, file);
      if (key.equals("include")) {
        continue;
      }
      String place = place(tuple.getKeyNode(), file);
      functions.remove(key);
      function(tuple.getValueNode())
          .ifPresentOrElse(name -> functions.put(key, name), () -> functions.remove(key));
      values.put(key, value(tuple.getValueNode(), place, 0));
      places.put(key, place);
    }
  }

  private static MappingNode root(Path file) {
    LoaderOptions options = new LoaderOptions();
    options.setMaxAliasesForCollections(MOST_ALIASES);
    try {
      Node root = new Yaml(options).compose(new StringReader(Files.readString(file)));
      if (root instanceof MappingNode mapping) {
        return mapping;
      }
      throw new InvalidInputException(file + ": found no mapping, expected the keys of a task");
    } catch (MarkedYAMLException e) {
      int line = e.getProblemMark() == null ? 1 : e.getProblemMark().getLine() + 1;
      throw new InvalidInputException(
          file + ", line " + line + ": not valid YAML: " + e.getProblem(), e);
    } catch (IOException | YAMLException e) {
      throw new InvalidInputException(file + ": cannot be read: " + e.getMessage(), e);
    }
  }

  private static String place(Node node, Path file) {
    return file + ", line " + (node.getStartMark().getLine() + 1);
  }

  private static String key(NodeTuple tuple, Path file) {
    if (tuple.getKeyNode() instanceof ScalarNode key && !key.getTag().equals(Tag.MERGE)) {
      return key.getValue();
    }
    throw new InvalidInputException(
        place(tuple.getKeyNode(), file) + ": found a key that is no name, expected one");
  }

  private static List<String> names(JsonNode value) {
    if (!value.isArray()) {
      return List.of(value.asText());
    }
    List<String> names = new ArrayList<>();
    value.forEach(name -> names.add(name.asText()));
    return names;
  }

  private static Optional<String> function(Node node) {
    if (node.getTag().getValue().equals(FUNCTION) && node instanceof ScalarNode scalar) {
      return Optional.of(scalar.getValue());
    }
    List<Node> inner = new ArrayList<>();
    if (node instanceof SequenceNode sequence) {
      inner.addAll(sequence.getValue());
    } else if (node instanceof MappingNode mapping) {
      mapping.getValue().forEach(tuple -> inner.add(tuple.getValueNode()));
    }
    return inner.stream().flatMap(element -> function(element).stream()).findFirst();
  }

  private static JsonNode value(Node node, String place, int depth) {
    if (depth > DEEPEST) {
      throw new InvalidInputException(place + ": found values nested deeper than " + DEEPEST);
    }
    if (node instanceof SequenceNode sequence) {
      ArrayNode array = JSON.arrayNode();
      sequence.getValue().forEach(element -> array.add(value(element, place, depth + 1)));
      return array;
    }
    if (node instanceof MappingNode mapping) {
      ObjectNode object = JSON.objectNode();
      for (NodeTuple tuple : mapping.getValue()) {
        if (!(tuple.getKeyNode() instanceof ScalarNode key)) {
          throw new InvalidInputException(place + ": found a key that is no name, expected one");
        }
        object.set(key.getValue(), value(tuple.getValueNode(), place, depth + 1));
      }
      return object;
    }
    return scalar((ScalarNode) node, place);
  }

  /** YAML 1.1's types, as PyYAML and SnakeYAML tell them. */
  private static JsonNode scalar(ScalarNode node, String place) {
    String text = node.getValue();
    if (node.getTag().equals(Tag.NULL)) {
      return JSON.nullNode();
    }
    if (node.getTag().equals(Tag.BOOL)) {
      return JSON.booleanNode(text.matches("(?i)yes|true|on"));
    }
    try {
      if (node.getTag().equals(Tag.INT)) {
        return JSON.numberNode(Integer.parseInt(text.replace("_", "")));
      }
      if (node.getTag().equals(Tag.FLOAT)) {
        return JSON.numberNode(Double.parseDouble(text.replace("_", "")));
      }
    } catch (NumberFormatException e) {
      throw new InvalidInputException(
          place + ": found '" + text + "', expected a decimal number", e);
    }
    return JSON.textNode(text);
  }
}
