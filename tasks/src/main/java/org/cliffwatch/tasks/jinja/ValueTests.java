package org.cliffwatch.tasks.jinja;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.cliffwatch.tasks.Suggestion;

/** Jinja2's tests, {@code value is name}, that templates use. */
final class ValueTests {
  /** A test; arguments without the value. */
  @FunctionalInterface
  interface ValueTest {
    boolean holds(Rendering rendering, Object value, Arguments arguments);
  }

  private static final Map<String, ValueTest> BY_NAME = new TreeMap<>();

  static {
    BY_NAME.put("defined", (r, value, a) -> !(value instanceof Undefined));
    BY_NAME.put("undefined", (r, value, a) -> value instanceof Undefined);
    BY_NAME.put("none", (r, value, a) -> value == None.NONE);
    BY_NAME.put("string", (r, value, a) -> value instanceof String);
    BY_NAME.put("number", (r, value, a) -> Values.isNumber(value));
    BY_NAME.put("integer", (r, value, a) -> value instanceof Long);
    BY_NAME.put("float", (r, value, a) -> value instanceof Double);
    BY_NAME.put("boolean", (r, value, a) -> value instanceof Boolean);
    BY_NAME.put("true", (r, value, a) -> Boolean.TRUE.equals(value));
    BY_NAME.put("false", (r, value, a) -> Boolean.FALSE.equals(value));
    BY_NAME.put("mapping", (r, value, a) -> value instanceof Map<?, ?>);
    BY_NAME.put("iterable", (r, value, a) -> isIterable(value) || isLenient(r, value));
    BY_NAME.put("sequence", (r, value, a) -> isIterable(value) || isLenient(r, value));
    BY_NAME.put("callable", (r, value, a) -> value instanceof Callable);
    BY_NAME.put("odd", (r, value, a) -> remainder(r, value, 2L) == 1);
    BY_NAME.put("even", (r, value, a) -> remainder(r, value, 2L) == 0);
    BY_NAME.put("divisibleby", (r, value, a) -> remainder(r, value, operand(a)) == 0);
    BY_NAME.put("in", (r, value, a) -> r.values().contains(operand(a), value));
    for (Map.Entry<String, List<String>> names :
        Map.of(
                "==", List.of("eq", "equalto"),
                "!=", List.of("ne"),
                "<", List.of("lt", "lessthan"),
                "<=", List.of("le"),
                ">", List.of("gt", "greaterthan"),
                ">=", List.of("ge"))
            .entrySet()) {
      for (String name : names.getValue()) {
        BY_NAME.put(
            name,
            (r, value, a) ->
                ExpressionParser.compare(r.values(), names.getKey(), value, operand(a)));
      }
    }
  }

  private ValueTests() {}

  static ValueTest named(String name) {
    ValueTest test = BY_NAME.get(name);
    if (test == null) {
      throw new JinjaException(
          "the test " + name + " is not known here" + Suggestion.among(BY_NAME.keySet(), name));
    }
    return test;
  }

  private static Object operand(Arguments arguments) {
    return arguments.bound(List.of("other")).get(0);
  }

  private static boolean isIterable(Object value) {
    return value instanceof String || Values.isSequence(value) || value instanceof Map<?, ?>;
  }

  /** An undefined value is an empty list, unless it may not be asked. */
  private static boolean isLenient(Rendering rendering, Object value) {
    return value instanceof Undefined && rendering.values().list(value).isEmpty();
  }

  private static long remainder(Rendering rendering, Object value, Object by) {
    return Values.index(rendering.values().arithmetic("%", value, by));
  }
}
