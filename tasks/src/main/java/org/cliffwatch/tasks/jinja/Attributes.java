package org.cliffwatch.tasks.jinja;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.cliffwatch.tasks.prompt.PythonText;

/**
 * {@code value.name}: the methods of texts, lists and dicts that templates use, else the element of
 * that name. Nothing else of a value can be reached.
 */
final class Attributes {
  /** A method of a value. */
  private interface Method<T> {
    Object call(Rendering rendering, T value, Arguments arguments);
  }

  private static final Map<String, Method<String>> OF_TEXT =
      Map.ofEntries(
          stripping("strip", PythonText::strip, true, true),
          stripping("lstrip", PythonText::lstrip, true, false),
          stripping("rstrip", PythonText::rstrip, false, true),
          Map.entry("upper", (r, text, a) -> text.toUpperCase(Locale.ROOT)),
          Map.entry("lower", (r, text, a) -> PythonText.lower(text)),
          Map.entry("capitalize", (r, text, a) -> PythonText.capitalize(text)),
          Map.entry("startswith", (r, text, a) -> affixes(a).stream().anyMatch(text::startsWith)),
          Map.entry("endswith", (r, text, a) -> affixes(a).stream().anyMatch(text::endsWith)),
          Map.entry("split", Attributes::split),
          Map.entry("replace", Attributes::replace),
          Map.entry("join", (r, text, a) -> join(r, text, a.bound(List.of("iterable")).get(0))),
          Map.entry("find", (r, text, a) -> find(text, a)),
          Map.entry("index", Attributes::indexOfText),
          Map.entry("count", (r, text, a) -> (long) fields(r, text, part(a)).size() - 1),
          Map.entry(
              "isdigit",
              (r, text, a) -> !text.isEmpty() && text.chars().allMatch(Attributes::isDigit)));

  private static final Map<String, Method<List<?>>> OF_LIST =
      Map.of(
          "index",
          Attributes::indexOfElement,
          "count",
          (r, list, a) ->
              list.stream().filter(element -> r.values().equal(element, a.first())).count());

  private static final Map<String, Method<Map<?, ?>>> OF_DICT =
      Map.of(
          "items", (r, map, a) -> items(r, map),
          "keys", (r, map, a) -> r.values().list(map),
          "values", (r, map, a) -> new ArrayList<Object>(map.values()),
          "get", Attributes::get);

  /** What Python's texts, lists and dicts have beside these. */
  private static final Set<String> UNKNOWN =
      Set.of(
          ("casefold center encode expandtabs format format_map isalnum isalpha isascii isdecimal"
                  + " isidentifier islower isnumeric isprintable isspace istitle isupper ljust"
                  + " maketrans partition removeprefix removesuffix rfind rindex rjust rpartition"
                  + " rsplit splitlines swapcase title translate zfill append clear copy extend"
                  + " insert pop remove reverse sort fromkeys popitem setdefault update")
              .split(" ", -1));

  private Attributes() {}

  /**
   * An attribute, or an element of its name, or what says that there is none.
   *
   * @throws JinjaException for a method of Python's that is not known here
   */
  static Object of(Rendering rendering, Object value, String name) {
    rendering.spend(1);
    Values.refuseUndefined(value);
    if (value instanceof Attributed object) {
      return object.get(name);
    }
    if (value instanceof String text && OF_TEXT.containsKey(name)) {
      return bound(OF_TEXT.get(name), text);
    }
    if (value instanceof List<?> list && OF_LIST.containsKey(name)) {
      return bound(OF_LIST.get(name), list);
    }
    if (value instanceof Map<?, ?> map && OF_DICT.containsKey(name)) {
      return bound(OF_DICT.get(name), map);
    }
    if (value instanceof Map<?, ?> map && map.containsKey(name)) {
      return map.get(name);
    }
    if (UNKNOWN.contains(name) && !(value instanceof Callable)) {
      throw new JinjaException(
          "the method " + name + " of " + Values.type(value) + " is not known here");
    }
    return new Undefined("'" + name + "' of " + Values.type(value));
  }

  private static <T> Callable bound(Method<T> method, T value) {
    return (rendering, arguments) -> method.call(rendering, value, arguments);
  }

  private static Map.Entry<String, Method<String>> stripping(
      String name, UnaryOperator<String> whitespace, boolean left, boolean right) {
    return Map.entry(
        name,
        (rendering, text, arguments) -> {
          Object characters = arguments.bound(List.of("chars")).get(0);
          rendering.values().made(text.length());
          return characters == null || characters == None.NONE
              ? whitespace.apply(text)
              : stripped(text, text(characters), left, right);
        });
  }

  static String stripped(String text, String characters, boolean left, boolean right) {
    int start = 0;
    int end = text.length();
    while (left && start < end && characters.indexOf(text.codePointAt(start)) >= 0) {
      start = text.offsetByCodePoints(start, 1);
    }
    while (right && start < end && characters.indexOf(text.codePointBefore(end)) >= 0) {
      end = text.offsetByCodePoints(end, -1);
    }
    return text.substring(start, end);
  }

  private static List<String> affixes(Arguments arguments) {
    Object affix = arguments.bound(List.of("prefix")).get(0);
    return affix instanceof Tuple tuple
        ? tuple.elements().stream().map(Attributes::text).toList()
        : List.of(text(affix));
  }

  private static Object split(Rendering rendering, String text, Arguments arguments) {
    List<Object> bound = arguments.bound(List.of("sep", "maxsplit"));
    rendering.values().made(text.length());
    Object separator = bound.get(0);
    long most = bound.get(1) == null ? -1 : Values.index(bound.get(1));
    if (separator == null || separator == None.NONE) {
      if (most >= 0) {
        throw new JinjaException(
            "split: found maxsplit without a separator, which is not known here");
      }
      return counted(rendering, PythonText.split(text));
    }
    List<String> fields = fields(rendering, text, text(separator));
    if (most >= 0 && fields.size() > most + 1) {
      int kept = (int) most;
      List<String> some = new ArrayList<>(fields.subList(0, kept));
      some.add(String.join(text(separator), fields.subList(kept, fields.size())));
      fields = some;
    }
    return counted(rendering, fields);
  }

  private static List<Object> counted(Rendering rendering, List<String> fields) {
    rendering.spend(fields.size());
    return new ArrayList<>(fields);
  }

  private static List<String> fields(Rendering rendering, String text, String separator) {
    if (separator.isEmpty()) {
      throw new JinjaException("found an empty separator, expected at least one character");
    }
    rendering.values().made(text.length());
    return PythonText.split(text, separator);
  }

  private static Object replace(Rendering rendering, String text, Arguments arguments) {
    List<Object> bound = arguments.bound(List.of("old", "new", "count"));
    return replaced(rendering, text, text(bound.get(0)), text(bound.get(1)), bound.get(2));
  }

  static String replaced(Rendering rendering, String text, String old, String by, Object count) {
    if (count != null && count != None.NONE) {
      throw new JinjaException("replace: found a count, which is not known here");
    }
    if (old.isEmpty()) {
      throw new JinjaException("replace: found an empty text to replace, which is not known here");
    }
    long times = fields(rendering, text, old).size() - 1L;
    rendering.spend(times * by.length() / 16);
    return text.replace(old, by);
  }

  static String join(Rendering rendering, String separator, Object elements) {
    StringBuilder joined = new StringBuilder();
    String between = "";
    for (Object element : rendering.values().list(elements)) {
      String text = text(element);
      rendering.values().made(between.length() + text.length());
      joined.append(between).append(text);
      between = separator;
    }
    return joined.toString();
  }

  private static long find(String text, Arguments arguments) {
    int at = text.indexOf(part(arguments));
    return at < 0 ? -1 : text.codePointCount(0, at);
  }

  private static Object indexOfText(Rendering rendering, String text, Arguments arguments) {
    long at = find(text, arguments);
    if (at < 0) {
      throw new JinjaException("index: found no " + rendering.values().repr(arguments.first()));
    }
    return at;
  }

  private static Object indexOfElement(Rendering rendering, List<?> list, Arguments arguments) {
    Object wanted = arguments.bound(List.of("value")).get(0);
    for (int i = 0; i < list.size(); i++) {
      if (rendering.values().equal(list.get(i), wanted)) {
        return (long) i;
      }
    }
    throw new JinjaException(
        "index: found "
            + rendering.values().repr(wanted)
            + ", expected one of "
            + rendering.values().repr(list));
  }

  static List<Object> items(Rendering rendering, Map<?, ?> map) {
    rendering.spend(map.size());
    List<Object> items = new ArrayList<>();
    map.forEach((key, value) -> items.add(new Tuple(Arrays.asList(key, value))));
    return items;
  }

  private static Object get(Rendering rendering, Map<?, ?> map, Arguments arguments) {
    List<Object> bound = arguments.bound(List.of("key", "default"));
    rendering.spend(1);
    Object value = map.get(Values.key(bound.get(0)));
    return value != null ? value : bound.get(1) == null ? None.NONE : bound.get(1);
  }

  private static String part(Arguments arguments) {
    return text(arguments.bound(List.of("sub")).get(0));
  }

  private static boolean isDigit(int c) {
    if (c > '~') {
      throw new JinjaException("isdigit: found a character beyond ASCII, which is not known here");
    }
    return c >= '0' && c <= '9';
  }

  static String text(Object value) {
    if (value instanceof String text) {
      return text;
    }
    if (value instanceof Undefined undefined) {
      throw undefined.refused();
    }
    throw new JinjaException(
        "found " + (value == null ? "nothing" : Values.type(value)) + ", expected a text");
  }
}
