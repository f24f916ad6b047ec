package org.cliffwatch.tasks.jinja;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import org.cliffwatch.tasks.Suggestion;
import org.cliffwatch.tasks.prompt.PythonJson;
import org.cliffwatch.tasks.prompt.PythonText;

/** Jinja2's filters that templates use; {@code tojson} is transformers'. */
final class Filters {
  /** A filter; arguments without the value. */
  @FunctionalInterface
  interface Filter {
    Object apply(Rendering rendering, Object value, Arguments arguments);
  }

  private static final Map<String, Filter> BY_NAME = new TreeMap<>();

  static {
    text("upper", text -> text.toUpperCase(Locale.ROOT));
    text("lower", PythonText::lower);
    text("capitalize", PythonText::capitalize);
    BY_NAME.put("trim", Filters::trim);
    BY_NAME.put("length", (r, value, a) -> r.values().length(value));
    BY_NAME.put("count", (r, value, a) -> r.values().length(value));
    BY_NAME.put("first", (r, value, a) -> end(r.values().list(value), 0));
    BY_NAME.put("last", (r, value, a) -> end(r.values().list(value), -1));
    BY_NAME.put("list", (r, value, a) -> new ArrayList<>(r.values().list(value)));
    BY_NAME.put("reverse", Filters::reverse);
    BY_NAME.put("unique", Filters::unique);
    BY_NAME.put("sort", Filters::sort);
    BY_NAME.put("dictsort", Filters::dictSort);
    BY_NAME.put("join", Filters::join);
    BY_NAME.put("replace", Filters::replace);
    BY_NAME.put("default", Filters::otherwise);
    BY_NAME.put("d", Filters::otherwise);
    BY_NAME.put("string", (r, value, a) -> r.values().text(value));
    BY_NAME.put("int", Filters::integer);
    BY_NAME.put(
        "abs",
        (r, value, a) -> r.values().compare(value, 0L) < 0 ? r.values().negative(value) : value);
    BY_NAME.put("items", Filters::items);
    BY_NAME.put("tojson", Filters::json);
    BY_NAME.put("map", Filters::map);
    BY_NAME.put("select", (r, value, a) -> chosen(r, value, a, false, true));
    BY_NAME.put("reject", (r, value, a) -> chosen(r, value, a, false, false));
    BY_NAME.put("selectattr", (r, value, a) -> chosen(r, value, a, true, true));
    BY_NAME.put("rejectattr", (r, value, a) -> chosen(r, value, a, true, false));
    BY_NAME.put("safe", (r, value, a) -> r.values().text(value));
  }

  private Filters() {}

  static Filter named(String name) {
    Filter filter = BY_NAME.get(name);
    if (filter == null) {
      throw new JinjaException(
          "the filter " + name + " is not known here" + Suggestion.among(BY_NAME.keySet(), name));
    }
    return filter;
  }

  private static void text(String name, UnaryOperator<String> function) {
    BY_NAME.put(
        name,
        (r, value, arguments) -> {
          String text = r.values().text(value);
          r.values().made(text.length());
          return function.apply(text);
        });
  }

  private static Object trim(Rendering r, Object value, Arguments arguments) {
    String text = r.values().text(value);
    Object characters = arguments.bound(List.of("chars")).get(0);
    r.values().made(text.length());
    return characters == null || characters == None.NONE
        ? PythonText.strip(text)
        : Attributes.stripped(text, Attributes.text(characters), true, true);
  }

  private static Object end(List<Object> list, int at) {
    return list.isEmpty()
        ? new Undefined("an element of an empty list")
        : list.get(at < 0 ? list.size() - 1 : 0);
  }

  private static Object reverse(Rendering r, Object value, Arguments arguments) {
    List<Object> list = new ArrayList<>(r.values().list(value));
    Collections.reverse(list);
    return value instanceof String ? Attributes.join(r, "", list) : list;
  }

  private static Object unique(Rendering r, Object value, Arguments arguments) {
    arguments.bound(List.of());
    List<Object> unique = new ArrayList<>();
    for (Object element : r.values().list(value)) {
      if (element instanceof String text && !text.equals(PythonText.lower(text))) {
        throw new JinjaException("unique: found capitals, whose folding is not known here");
      }
      if (unique.stream().noneMatch(other -> r.values().equal(other, element))) {
        unique.add(element);
      }
    }
    return unique;
  }

  private static Object sort(Rendering r, Object value, Arguments arguments) {
    List<Object> bound = arguments.bound(List.of("reverse", "case_sensitive", "attribute"));
    boolean reverse = bound.get(0) != null && r.values().truth(bound.get(0));
    boolean exact = bound.get(1) != null && r.values().truth(bound.get(1));
    Comparator<Object> order =
        Comparator.comparing(
            element ->
                folded(bound.get(2) == null ? element : attribute(r, element, bound.get(2)), exact),
            r.values()::compare);
    List<Object> sorted = new ArrayList<>(r.values().list(value));
    sorted.sort(reverse ? order.reversed() : order);
    return sorted;
  }

  private static Object dictSort(Rendering r, Object value, Arguments arguments) {
    arguments.bound(List.of());
    List<Object> items = new ArrayList<>(r.values().list(items(r, value, arguments)));
    items.sort(
        Comparator.comparing(
            item -> folded(r.values().element(item, 0L), false), r.values()::compare));
    return items;
  }

  private static Object folded(Object value, boolean exact) {
    return value instanceof String text && !exact ? PythonText.lower(text) : value;
  }

  private static Object join(Rendering r, Object value, Arguments arguments) {
    List<Object> bound = arguments.bound(List.of("d", "attribute"));
    String separator = bound.get(0) == null ? "" : r.values().text(bound.get(0));
    List<Object> texts = new ArrayList<>();
    for (Object element : r.values().list(value)) {
      texts.add(
          r.values().text(bound.get(1) == null ? element : attribute(r, element, bound.get(1))));
    }
    return Attributes.join(r, separator, texts);
  }

  private static Object replace(Rendering r, Object value, Arguments arguments) {
    List<Object> bound = arguments.bound(List.of("old", "new", "count"));
    return Attributes.replaced(
        r,
        r.values().text(value),
        Attributes.text(bound.get(0)),
        Attributes.text(bound.get(1)),
        bound.get(2));
  }

  private static Object otherwise(Rendering r, Object value, Arguments arguments) {
    List<Object> bound = arguments.bound(List.of("default_value", "boolean"));
    boolean falsy = bound.get(1) != null && r.values().truth(bound.get(1));
    return value instanceof Undefined || (falsy && !r.values().truth(value))
        ? (bound.get(0) == null ? "" : bound.get(0))
        : value;
  }

  private static Object integer(Rendering r, Object value, Arguments arguments) {
    Object otherwise = arguments.bound(List.of("default", "base")).get(0);
    if (arguments.named().containsKey("base") || arguments.positional().size() > 1) {
      throw new JinjaException("int: found a base, which is not known here");
    }
    Values.refuseUndefined(value);
    if (Values.isInteger(value)) {
      return Values.index(value);
    }
    if (value instanceof Double number && Math.abs(number) < 1L << 53) {
      return number.longValue();
    }
    if (value instanceof String text && PythonText.strip(text).matches("[+-]?[0-9]+")) {
      BigInteger integer = new BigInteger(PythonText.strip(text));
      if (integer.bitLength() < Long.SIZE) {
        return integer.longValue();
      }
    } else if (!(value instanceof String text && text.matches(".*[0-9].*"))) {
      return otherwise == null ? 0L : otherwise;
    }
    throw new JinjaException(
        "int: found " + r.values().repr(value) + ", expected an integer's digits");
  }

  private static Object items(Rendering r, Object value, Arguments arguments) {
    if (value instanceof Undefined) {
      return List.of();
    }
    if (value instanceof Map<?, ?> map) {
      return Attributes.items(r, map);
    }
    throw new JinjaException("items: found " + Values.type(value) + ", expected a dict");
  }

  private static Object json(Rendering r, Object value, Arguments arguments) {
    List<Object> bound =
        arguments.bound(List.of("ensure_ascii", "indent", "separators", "sort_keys"));
    if ((bound.get(2) != null && bound.get(2) != None.NONE)
        || (bound.get(3) != null && r.values().truth(bound.get(3)))) {
      throw new JinjaException("tojson: separators and sort_keys are not known here");
    }
    boolean ascii = bound.get(0) != null && r.values().truth(bound.get(0));
    Object indent = bound.get(1);
    int spaces =
        indent == null || indent == None.NONE ? -1 : (int) Math.min(64, Values.index(indent));
    String json = PythonJson.dumps(r.values().json(value), spaces, ascii);
    r.values().made(json.length());
    return json;
  }

  private static Object map(Rendering r, Object value, Arguments arguments) {
    List<Object> mapped = new ArrayList<>();
    Object attribute = arguments.named().get("attribute");
    if (attribute != null) {
      Object otherwise = arguments.named().get("default");
      for (Object element : optional(r, value)) {
        Object found = attribute(r, element, attribute);
        mapped.add(found instanceof Undefined && otherwise != null ? otherwise : found);
      }
      return mapped;
    }
    Filter filter = named(Attributes.text(arguments.first()));
    Arguments rest = rest(arguments, 1);
    for (Object element : optional(r, value)) {
      mapped.add(filter.apply(r, element, rest));
    }
    return mapped;
  }

  /** These filters take nothing at all, {@code none} too, for an empty list. */
  private static List<Object> optional(Rendering r, Object value) {
    return r.values().truth(value) ? r.values().list(value) : List.of();
  }

  private static Arguments rest(Arguments arguments, int from) {
    List<Object> positional = arguments.positional();
    return new Arguments(
        arguments.of(),
        positional.subList(Math.min(from, positional.size()), positional.size()),
        arguments.named());
  }

  private static Object chosen(
      Rendering r, Object value, Arguments arguments, boolean ofAttribute, boolean wanted) {
    int first = ofAttribute ? 1 : 0;
    Object attribute = ofAttribute ? Attributes.text(arguments.first()) : null;
    boolean tested = arguments.positional().size() > first;
    ValueTests.ValueTest test =
        tested ? ValueTests.named(Attributes.text(arguments.positional().get(first))) : null;
    Arguments rest = rest(arguments, first + 1);
    List<Object> chosen = new ArrayList<>();
    for (Object element : optional(r, value)) {
      Object asked = ofAttribute ? attribute(r, element, attribute) : element;
      if ((tested ? test.holds(r, asked, rest) : r.values().truth(asked)) == wanted) {
        chosen.add(element);
      }
    }
    return chosen;
  }

  /** {@code make_attrgetter}: names and positions with dots between. */
  private static Object attribute(Rendering r, Object element, Object path) {
    Object value = element;
    for (String name :
        PythonText.split(Values.isInteger(path) ? path.toString() : Attributes.text(path), ".")) {
      if (name.startsWith("_")) {
        throw new JinjaException(
            "found the attribute " + name + ", expected none of Python's inside");
      }
      Object key = name.matches("[0-9]{1,9}") ? (Object) Long.parseLong(name) : name;
      value = r.values().element(value, key);
    }
    return value;
  }
}
