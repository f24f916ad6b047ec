package org.cliffwatch.jobs.suite;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.IntFunction;
import org.cliffwatch.tasks.Suggestion;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.error.MarkedYAMLException;
import org.yaml.snakeyaml.nodes.MappingNode;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.NodeTuple;
import org.yaml.snakeyaml.nodes.ScalarNode;
import org.yaml.snakeyaml.nodes.SequenceNode;
import org.yaml.snakeyaml.nodes.Tag;

/**
 * A YAML value that knows where it was written (file and line, environment variable or flag), so
 * that every complaint can say so. Scalars are kept as text; the typed accessors check them.
 */
public final class YamlValue {
  private final String path;
  private final String place;
  private final Map<String, YamlValue> fields;
  private final List<YamlValue> elements;
  private final String scalar;

  private YamlValue(
      String path,
      String place,
      Map<String, YamlValue> fields,
      List<YamlValue> elements,
      String scalar) {
    this.path = path;
    this.place = place;
    this.fields = fields;
    this.elements = elements;
    this.scalar = scalar;
  }

  /** An empty mapping, for a suite given by flags alone. */
  static YamlValue emptyMapping(String place) {
    return new YamlValue("", place, new LinkedHashMap<>(), null, null);
  }

  public static YamlValue parse(String text, String file) {
    return parse(text, "", line -> file + ":" + line, file);
  }

  /**
   * @param at the place of a line, from 1
   */
  private static YamlValue parse(String text, String path, IntFunction<String> at, String origin) {
    LoaderOptions options = new LoaderOptions();
    options.setAllowDuplicateKeys(false);
    options.setMaxAliasesForCollections(50);
    try {
      Node root = new Yaml(options).compose(new java.io.StringReader(text));
      if (root == null) {
        throw new SuiteException(origin + ": found nothing, expected a mapping of suite keys");
      }
      return of(root, path, at);
    } catch (MarkedYAMLException e) {
      int line = e.getProblemMark() == null ? 0 : e.getProblemMark().getLine() + 1;
      throw new SuiteException(
          at.apply(line) + ": not valid YAML: " + e.getProblem() + hint(text, line));
    }
  }

  /** Within braces, {step} begins a mapping of its own unless it is quoted. */
  private static String hint(String text, int line) {
    String found = text.lines().skip(Math.max(0, line - 1)).findFirst().orElse("");
    return found.contains("{step}") && found.indexOf('{') < found.indexOf("{step}")
        ? "; a value with {step} within braces needs quotes: path: \"a/{step}\""
        : "";
  }

  private static YamlValue of(Node node, String path, IntFunction<String> at) {
    String place = at.apply(node.getStartMark().getLine() + 1);
    if (node instanceof MappingNode mapping) {
      Map<String, YamlValue> fields = new LinkedHashMap<>();
      for (NodeTuple tuple : mapping.getValue()) {
        if (!(tuple.getKeyNode() instanceof ScalarNode key)) {
          throw new SuiteException(place + ": found a key that is not a name");
        }
        String name = key.getValue();
        String keyPlace = at.apply(key.getStartMark().getLine() + 1);
        YamlValue value = of(tuple.getValueNode(), join(path, name), at).at(keyPlace);
        if (fields.put(name, value) != null) {
          throw new SuiteException(keyPlace + ": found key '" + name + "' twice, expected it once");
        }
      }
      return new YamlValue(path, place, fields, null, null);
    }
    if (node instanceof SequenceNode sequence) {
      List<YamlValue> elements = new ArrayList<>();
      for (Node element : sequence.getValue()) {
        elements.add(of(element, join(path, String.valueOf(elements.size())), at));
      }
      return new YamlValue(path, place, null, elements, null);
    }
    ScalarNode scalar = (ScalarNode) node;
    boolean absent = scalar.getTag().equals(Tag.NULL);
    return new YamlValue(path, place, null, null, absent ? null : scalar.getValue());
  }

  private YamlValue at(String newPlace) {
    return new YamlValue(path, newPlace, fields, elements, scalar);
  }

  private static String join(String path, String name) {
    return path.isEmpty() ? name : path + "." + name;
  }

  /**
   * Sets the value at a dotted path ({@code seed}, {@code tasks.0.limit}), making missing mappings.
   *
   * @param text YAML: a scalar, or a flow list or mapping
   */
  void set(String dotted, String text, String origin) {
    int dot = dotted.indexOf('.');
    String head = dot < 0 ? dotted : dotted.substring(0, dot);
    YamlValue child = null;
    if (elements != null) {
      int index = index(head, dotted, origin);
      child = elements.get(index);
      if (dot < 0) {
        elements.set(index, parse(text, join(path, head), line -> origin, origin));
        return;
      }
    } else if (fields != null) {
      child = fields.get(head);
      if (dot < 0) {
        fields.put(head, parse(text, join(path, head), line -> origin, origin));
        return;
      }
      if (child == null) {
        child = new YamlValue(join(path, head), origin, new LinkedHashMap<>(), null, null);
        fields.put(head, child);
      }
    } else {
      throw new SuiteException(
          origin + ": '" + path + "' is a single value and has no '" + head + "'");
    }
    child.set(dotted.substring(dot + 1), text, origin);
  }

  private int index(String head, String dotted, String origin) {
    int index = head.matches("\\d{1,6}") ? Integer.parseInt(head) : -1;
    if (index < 0 || index >= elements.size()) {
      throw new SuiteException(
          origin
              + ": found '"
              + head
              + "' in '"
              + dotted
              + "', expected an index of '"
              + path
              + "' from 0 to "
              + (elements.size() - 1));
    }
    return index;
  }

  /** All dotted paths of the values below, with their places: what a flag could set. */
  Map<String, YamlValue> leaves() {
    Map<String, YamlValue> leaves = new TreeMap<>();
    collect(leaves);
    return leaves;
  }

  private void collect(Map<String, YamlValue> leaves) {
    if (fields != null) {
      fields.values().forEach(child -> child.collect(leaves));
    } else if (elements != null) {
      elements.forEach(child -> child.collect(leaves));
    } else {
      leaves.put(path, this);
    }
  }

  public boolean isMapping() {
    return fields != null;
  }

  /** The keys of a mapping of single values. */
  Map<String, String> texts() {
    Map<String, String> texts = new LinkedHashMap<>();
    mapping().forEach((name, value) -> texts.put(name, value.text()));
    return texts;
  }

  public boolean isList() {
    return elements != null;
  }

  /** Refuses keys that are not among the known ones, suggesting the nearest. */
  public void allowOnly(Collection<String> known) {
    mapping()
        .forEach(
            (name, value) -> {
              if (!known.contains(name)) {
                throw new SuiteException(
                    value.place
                        + ": found unknown key '"
                        + value.path
                        + "'"
                        + Suggestion.among(known, name));
              }
            });
  }

  /**
   * Refuses what is no mapping.
   *
   * @param example of one that could stand here
   */
  void requireMapping(String example) {
    if (fields == null) {
      throw wrong("a mapping such as " + example);
    }
  }

  private Map<String, YamlValue> mapping() {
    if (fields == null) {
      throw wrong("a mapping of keys");
    }
    return fields;
  }

  public List<YamlValue> list() {
    if (elements == null) {
      throw wrong(scalar == null ? "a list" : "a list: [" + scalar + "]");
    }
    return elements;
  }

  /** The value of a key, or null where it is absent or empty. */
  public YamlValue field(String name) {
    YamlValue value = mapping().get(name);
    return value == null || value.isAbsent() ? null : value;
  }

  private boolean isAbsent() {
    return fields == null && elements == null && scalar == null;
  }

  public YamlValue required(String name) {
    YamlValue value = field(name);
    if (value == null) {
      throw new SuiteException(place + ": missing key '" + join(path, name) + "'");
    }
    return value;
  }

  public String text() {
    if (scalar == null) {
      throw wrong("a single value");
    }
    return scalar;
  }

  public long integer(long least, long most) {
    try {
      long value = Long.parseLong(text().replace("_", ""));
      if (value >= least && value <= most) {
        return value;
      }
    } catch (NumberFormatException e) {
      // falls through to the complaint
    }
    throw wrong("a whole number from " + least + (most == Long.MAX_VALUE ? "" : " to " + most));
  }

  double fraction() {
    return number(0, 1);
  }

  /** A number of an interval, its ends included. */
  public double number(double least, double most) {
    try {
      double value = Double.parseDouble(text());
      if (value >= least && value <= most) {
        return value;
      }
    } catch (NumberFormatException e) {
      // falls through to the complaint
    }
    throw wrong(
        "a number from " + plain(least) + (most == Double.MAX_VALUE ? "" : " to " + plain(most)));
  }

  private static String plain(double value) {
    return value == Math.rint(value) ? Long.toString((long) value) : Double.toString(value);
  }

  public String oneOf(Collection<String> known) {
    if (!known.contains(text())) {
      throw new SuiteException(
          place + ": found '" + text() + "' for '" + path + "'" + Suggestion.among(known, text()));
    }
    return text();
  }

  public SuiteException wrong(String expected) {
    String found = fields != null ? "a mapping" : elements != null ? "a list" : "'" + scalar + "'";
    return new SuiteException(
        place
            + ": found "
            + found
            + (path.isEmpty() ? "" : " for '" + path + "'")
            + ", expected "
            + expected);
  }

  public String place() {
    return place;
  }

  String path() {
    return path;
  }
}
