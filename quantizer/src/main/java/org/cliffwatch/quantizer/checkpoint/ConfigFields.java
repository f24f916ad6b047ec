package org.cliffwatch.quantizer.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.cliffwatch.quantizer.InvalidInputException;

/**
 * The fields of a {@code config.json}, read by name and type.
 *
 * <p>A field that is {@code null} counts as absent, as in transformers. Which fields were read is
 * remembered, so that whoever interprets a configuration can refuse or name what it did not: {@link
 * #unread()}. Every error names the file, the field, what was found and what was expected.
 */
public final class ConfigFields {
  private final String file;
  private final String prefix;
  private final ObjectNode node;
  private final Set<String> read;
  private final Set<String> opened;

  private ConfigFields(
      String file, String prefix, ObjectNode node, Set<String> read, Set<String> opened) {
    this.file = file;
    this.prefix = prefix;
    this.node = node;
    this.read = read;
    this.opened = opened;
  }

  /** The fields of {@code node}, which {@code file} holds. */
  public static ConfigFields of(String file, ObjectNode node) {
    return new ConfigFields(
        file, "", node, ConcurrentHashMap.newKeySet(), ConcurrentHashMap.newKeySet());
  }

  ObjectNode node() {
    return node;
  }

  /** The file the fields come from, for messages. */
  public String file() {
    return file;
  }

  /** The names of all fields. */
  public List<String> names() {
    List<String> names = new ArrayList<>();
    node.fieldNames().forEachRemaining(names::add);
    return names;
  }

  /** Whether the field is there and not null. Does not count as reading it. */
  public boolean has(String name) {
    return node.hasNonNull(name);
  }

  /** Whether the field is there and says null, which can mean more than its absence. */
  public boolean isNull(String name) {
    JsonNode value = node.get(name);
    return value != null && value.isNull();
  }

  /** Whether the field is a string. Does not count as reading it. */
  public boolean isText(String name) {
    return node.path(name).isTextual();
  }

  /** Whether the field is a number. Does not count as reading it. */
  public boolean isNumber(String name) {
    return node.path(name).isNumber();
  }

  public int integer(String name) {
    return toInt(name, required(name, "an integer"));
  }

  public int integer(String name, int otherwise) {
    JsonNode value = value(name);
    return value == null ? otherwise : toInt(name, value);
  }

  /** An integer of at least 1: sizes and counts. */
  public int positive(String name) {
    return atLeastOne(name, integer(name));
  }

  /** An integer of at least 1, or {@code otherwise} where the field is absent. */
  public int positive(String name, int otherwise) {
    return has(name) ? positive(name) : integer(name, otherwise);
  }

  public double number(String name) {
    return toDouble(name, required(name, "a number"));
  }

  public double number(String name, double otherwise) {
    JsonNode value = value(name);
    return value == null ? otherwise : toDouble(name, value);
  }

  public String text(String name) {
    return toText(name, required(name, "a string"));
  }

  public String text(String name, String otherwise) {
    JsonNode value = value(name);
    return value == null ? otherwise : toText(name, value);
  }

  public boolean flag(String name) {
    return toFlag(name, required(name, "true or false"));
  }

  public boolean flag(String name, boolean otherwise) {
    JsonNode value = value(name);
    return value == null ? otherwise : toFlag(name, value);
  }

  /** A list of strings; empty where the field is absent. */
  public List<String> texts(String name) {
    List<String> texts = new ArrayList<>();
    for (JsonNode element : list(name)) {
      texts.add(toText(name, element));
    }
    return texts;
  }

  /** A list of numbers; empty where the field is absent. */
  public List<Double> numbers(String name) {
    List<Double> numbers = new ArrayList<>();
    for (JsonNode element : list(name)) {
      numbers.add(toDouble(name, element));
    }
    return numbers;
  }

  /** A list of whatever is in it; empty where the field is absent. */
  public List<JsonNode> list(String name) {
    JsonNode value = value(name);
    if (value == null) {
      return List.of();
    }
    if (!value.isArray()) {
      throw mismatch(name, value, "a list");
    }
    List<JsonNode> elements = new ArrayList<>();
    value.forEach(elements::add);
    return Collections.unmodifiableList(elements);
  }

  /** A nested object, whose fields are remembered as {@code name.field}; empty where absent. */
  public Optional<ConfigFields> object(String name) {
    JsonNode value = value(name);
    if (value == null) {
      return Optional.empty();
    }
    if (!(value instanceof ObjectNode object)) {
      throw mismatch(name, value, "an object");
    }
    opened.add(path(name));
    return Optional.of(new ConfigFields(file, path(name) + ".", object, read, opened));
  }

  /**
   * A list of objects, whose fields are remembered as {@code name[i].field}; empty where absent.
   */
  public List<ConfigFields> objects(String name) {
    List<JsonNode> elements = list(name);
    List<ConfigFields> objects = new ArrayList<>(elements.size());
    for (int i = 0; i < elements.size(); i++) {
      String element = name + "[" + i + "]";
      if (!(elements.get(i) instanceof ObjectNode object)) {
        throw mismatch(element, elements.get(i), "an object");
      }
      objects.add(new ConfigFields(file, path(element) + ".", object, read, opened));
    }
    return objects;
  }

  /** The field as it stands; a missing node if absent. Does not count as reading it. */
  public JsonNode peek(String name) {
    return node.path(name);
  }

  /** The field as it stands, for shapes that have no accessor here; a missing node if absent. */
  public JsonNode node(String name) {
    read.add(path(name));
    return node.path(name);
  }

  /** Marks fields as known to change nothing in the arithmetic. */
  public void ignore(String... names) {
    for (String name : names) {
      read.add(path(name));
    }
  }

  /** An error about a field, for values that have the right type and still cannot be used. */
  public InvalidInputException error(String name, String problem) {
    return new InvalidInputException(where(name) + ": " + problem);
  }

  /**
   * Fields with a value that nobody has read or ignored, nested ones as {@code outer.inner}. A
   * nested object that was not asked for at all is given by its own name.
   */
  public SortedMap<String, JsonNode> unread() {
    SortedMap<String, JsonNode> unread = new TreeMap<>();
    collectUnread(node, prefix, unread);
    return unread;
  }

  private void collectUnread(ObjectNode object, String outer, Map<String, JsonNode> unread) {
    object
        .properties()
        .forEach(
            field -> {
              String path = outer + field.getKey();
              if (field.getValue().isNull()) {
                return;
              }
              if (!read.contains(path)) {
                unread.put(path, field.getValue());
              } else if (field.getValue() instanceof ObjectNode inner && opened.contains(path)) {
                collectUnread(inner, path + ".", unread);
              }
            });
  }

  private JsonNode value(String name) {
    read.add(path(name));
    JsonNode value = node.get(name);
    return value == null || value.isNull() ? null : value;
  }

  private JsonNode required(String name, String expected) {
    JsonNode value = value(name);
    if (value == null) {
      throw error(name, "missing, expected " + expected);
    }
    return value;
  }

  private int toInt(String name, JsonNode value) {
    if (!value.isNumber()
        || value.doubleValue() != Math.rint(value.doubleValue())
        || Math.abs(value.doubleValue()) > Integer.MAX_VALUE) {
      throw mismatch(name, value, "an integer");
    }
    return value.intValue();
  }

  private int atLeastOne(String name, int value) {
    if (value < 1) {
      throw error(name, "found " + value + ", expected at least 1");
    }
    return value;
  }

  private double toDouble(String name, JsonNode value) {
    if (!value.isNumber() || !Double.isFinite(value.doubleValue())) {
      throw mismatch(name, value, "a number");
    }
    return value.doubleValue();
  }

  private String toText(String name, JsonNode value) {
    if (!value.isTextual()) {
      throw mismatch(name, value, "a string");
    }
    return value.textValue();
  }

  private boolean toFlag(String name, JsonNode value) {
    if (!value.isBoolean()) {
      throw mismatch(name, value, "true or false");
    }
    return value.booleanValue();
  }

  /** An error about a field that has another value than it should. */
  public InvalidInputException mismatch(String name, JsonNode value, String expected) {
    return error(name, "found " + shown(value) + ", expected " + expected);
  }

  /**
   * Refuses a value that is not implemented, or an absent field that would stand for one.
   *
   * @param holds whether the value is one of those {@code expected} names
   */
  public void require(String name, boolean holds, String expected) {
    if (!holds) {
      throw notImplemented(name, expected);
    }
  }

  /** An error about a field whose value, or whose absence, stands for what is not implemented. */
  public InvalidInputException notImplemented(String name, String expected) {
    JsonNode value = peek(name);
    return error(
        name,
        value.isMissingNode()
            ? "missing, expected " + expected
            : "found " + shown(value) + ", which is not implemented; expected " + expected);
  }

  private static String shown(JsonNode value) {
    String text = value.toString();
    return text.length() > 80 ? text.substring(0, 80) + "…" : text;
  }

  private String where(String name) {
    return file + ": field \"" + path(name) + "\"";
  }

  private String path(String name) {
    return prefix + name;
  }
}
