package org.cliffwatch.tasks.jinja;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.cliffwatch.tasks.prompt.PythonJson;
import org.cliffwatch.tasks.prompt.PythonText;

/**
 * Python's operators on the values a template has: {@code String}, {@code Long}, {@code Double},
 * {@code Boolean}, {@code List}, {@link Tuple}, {@code Map}, {@link None}, {@link Undefined},
 * {@link Namespace}, {@link Callable}. Integers beyond 64 bits are refused.
 */
final class Values {
  private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

  /** Characters that cost as much as looking at a value. */
  private static final int CHARACTERS_A_STEP = 16;

  private final Budget budget;
  private final boolean strict;

  /**
   * @param strict whether an undefined value may only be asked whether it is defined
   */
  Values(Budget budget, boolean strict) {
    this.budget = budget;
    this.strict = strict;
  }

  /** A decoded JSON value. */
  static Object of(JsonNode json) {
    if (json.isTextual()) {
      return json.textValue();
    }
    if (json.isBoolean()) {
      return json.booleanValue();
    }
    if (json.isNull()) {
      return None.NONE;
    }
    if (json.isFloatingPointNumber()) {
      return json.doubleValue();
    }
    if (json.isNumber()) {
      if (!json.canConvertToLong()) {
        throw new JinjaException("found " + json + ", expected an integer of 64 bits");
      }
      return json.longValue();
    }
    if (json instanceof ArrayNode array) {
      List<Object> list = new ArrayList<>();
      array.forEach(element -> list.add(of(element)));
      return list;
    }
    Map<Object, Object> map = new LinkedHashMap<>();
    json.properties().forEach(field -> map.put(field.getKey(), of(field.getValue())));
    return map;
  }

  /** What {@code json.dumps} takes. */
  JsonNode json(Object value) {
    budget.spend(1);
    if (value instanceof String text) {
      return JSON.textNode(text);
    }
    if (value instanceof Boolean flag) {
      return JSON.booleanNode(flag);
    }
    if (value instanceof Long integer) {
      return JSON.numberNode(integer);
    }
    if (value instanceof Double number) {
      return JSON.numberNode(number);
    }
    if (value == None.NONE) {
      return JSON.nullNode();
    }
    budget.enter();
    try {
      if (value instanceof Map<?, ?> map) {
        ObjectNode object = JSON.objectNode();
        map.forEach((key, element) -> object.set(jsonKey(key), json(element)));
        return object;
      }
      if (value instanceof List<?> || value instanceof Tuple) {
        ArrayNode array = JSON.arrayNode();
        elements(value).forEach(element -> array.add(json(element)));
        return array;
      }
    } finally {
      budget.leave();
    }
    throw new JinjaException("found " + type(value) + ", expected what JSON has");
  }

  private static String jsonKey(Object key) {
    if (key instanceof String text) {
      return text;
    }
    throw new JinjaException("found a key that is " + type(key) + ", expected a text");
  }

  /** {@code str(value)}. */
  String text(Object value) {
    if (value instanceof String text) {
      return text;
    }
    if (value instanceof Undefined undefined) {
      if (strict) {
        throw undefined.refused();
      }
      return "";
    }
    return repr(value);
  }

  /** {@code repr(value)}. */
  String repr(Object value) {
    StringBuilder out = new StringBuilder();
    repr(value, out);
    made(out.length());
    return out.toString();
  }

  private void repr(Object value, StringBuilder out) {
    budget.spend(1);
    if (value instanceof String text) {
      made(text.length());
      quote(text, out);
    } else if (value instanceof Boolean flag) {
      out.append(flag ? "True" : "False");
    } else if (value instanceof Long) {
      out.append(value);
    } else if (value instanceof Double number) {
      out.append(number(number));
    } else if (value == None.NONE) {
      out.append("None");
    } else if (value instanceof List<?> || value instanceof Tuple || value instanceof Map<?, ?>) {
      budget.enter();
      reprCollection(value, out);
      budget.leave();
    } else if (value instanceof Undefined undefined) {
      if (strict) {
        throw undefined.refused();
      }
      out.append("Undefined");
    } else {
      throw new JinjaException("found " + type(value) + ", expected what has a text");
    }
  }

  private void reprCollection(Object value, StringBuilder out) {
    if (value instanceof Map<?, ?> map) {
      out.append('{');
      String separator = "";
      for (Map.Entry<?, ?> entry : map.entrySet()) {
        out.append(separator);
        repr(entry.getKey(), out);
        out.append(": ");
        repr(entry.getValue(), out);
        separator = ", ";
      }
      out.append('}');
      return;
    }
    boolean tuple = value instanceof Tuple;
    List<Object> elements = elements(value);
    out.append(tuple ? '(' : '[');
    for (int i = 0; i < elements.size(); i++) {
      if (i > 0) {
        out.append(", ");
      }
      repr(elements.get(i), out);
    }
    out.append(tuple && elements.size() == 1 ? ",)" : tuple ? ")" : "]");
  }

  private static String number(double value) {
    return Double.isNaN(value)
        ? "nan"
        : Double.isInfinite(value) ? (value > 0 ? "inf" : "-inf") : PythonJson.number(value);
  }

  private static void quote(String text, StringBuilder out) {
    char quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? '"' : '\'';
    out.append(quote);
    text.codePoints()
        .forEach(
            c -> {
              switch (c) {
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\\' -> out.append("\\\\");
                default -> {
                  if (c == quote) {
                    out.append('\\').append(quote);
                  } else if (isPrintable(c)) {
                    out.appendCodePoint(c);
                  } else {
                    String form = c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x";
                    out.append(String.format(Locale.ROOT, form, c));
                  }
                }
              }
            });
    out.append(quote);
  }

  /** {@code str.isprintable} of a code point. */
  private static boolean isPrintable(int c) {
    return switch (Character.getType(c)) {
      case Character.CONTROL,
          Character.FORMAT,
          Character.SURROGATE,
          Character.PRIVATE_USE,
          Character.UNASSIGNED,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR ->
          false;
      case Character.SPACE_SEPARATOR -> c == ' ';
      default -> true;
    };
  }

  /** {@code bool(value)}. */
  boolean truth(Object value) {
    if (value instanceof Boolean flag) {
      return flag;
    }
    if (value instanceof Undefined undefined) {
      if (strict) {
        throw undefined.refused();
      }
      return false;
    }
    if (value instanceof Long integer) {
      return integer != 0;
    }
    if (value instanceof Double number) {
      return number != 0;
    }
    if (value instanceof String text) {
      return !text.isEmpty();
    }
    if (value instanceof Map<?, ?> map) {
      return !map.isEmpty();
    }
    return isSequence(value) ? !elements(value).isEmpty() : value != None.NONE;
  }

  /** {@code a == b}. */
  boolean equal(Object a, Object b) {
    budget.spend(1);
    if (strict && a instanceof Undefined undefined) {
      throw undefined.refused();
    }
    if (strict && b instanceof Undefined undefined) {
      throw undefined.refused();
    }
    if (a instanceof Undefined || b instanceof Undefined) {
      return a instanceof Undefined && b instanceof Undefined;
    }
    if (isNumber(a) && isNumber(b)) {
      boolean real = a instanceof Double || b instanceof Double;
      return real ? real(a) == real(b) : integer(a) == integer(b);
    }
    if (a instanceof String text && b instanceof String) {
      made(text.length());
      return text.equals(b);
    }
    if (isSequence(a) && isSequence(b)) {
      if (a instanceof Tuple != b instanceof Tuple) {
        return false;
      }
      return equalElements(elements(a), elements(b));
    }
    if (a instanceof Map<?, ?> left && b instanceof Map<?, ?> right) {
      budget.enter();
      boolean equal =
          left.size() == right.size()
              && left.entrySet().stream()
                  .allMatch(
                      entry ->
                          right.containsKey(entry.getKey())
                              && equal(entry.getValue(), right.get(entry.getKey())));
      budget.leave();
      return equal;
    }
    return a == b;
  }

  private boolean equalElements(List<Object> a, List<Object> b) {
    budget.enter();
    boolean equal = a.size() == b.size();
    for (int i = 0; equal && i < a.size(); i++) {
      equal = equal(a.get(i), b.get(i));
    }
    budget.leave();
    return equal;
  }

  /** Below, equal or above 0 as {@code a} is less than, equal to or greater than {@code b}. */
  int compare(Object a, Object b) {
    budget.spend(1);
    if (isNumber(a) && isNumber(b)) {
      if (a instanceof Double || b instanceof Double) {
        if (Double.isNaN(real(a)) || Double.isNaN(real(b))) {
          throw new JinjaException("found nan, expected numbers with an order");
        }
        return real(a) == real(b) ? 0 : Double.compare(real(a), real(b));
      }
      return Long.compare(integer(a), integer(b));
    }
    if (a instanceof String left && b instanceof String right) {
      made(left.length());
      int[] x = left.codePoints().toArray();
      int[] y = right.codePoints().toArray();
      return Arrays.compare(x, y);
    }
    throw new JinjaException("found " + type(a) + " and " + type(b) + ", which have no order");
  }

  /** {@code needle in haystack}. */
  boolean contains(Object haystack, Object needle) {
    if (haystack instanceof String text) {
      if (!(needle instanceof String part)) {
        throw new JinjaException("found " + type(needle) + " in a text, expected a text");
      }
      made(text.length());
      return text.contains(part);
    }
    if (haystack instanceof Map<?, ?> map) {
      budget.spend(1);
      return map.containsKey(key(needle));
    }
    return list(haystack).stream().anyMatch(element -> equal(element, needle));
  }

  /** Python's keys are equal where its values are: {@code 1}, {@code 1.0} and {@code True}. */
  static Object key(Object value) {
    if (value instanceof Boolean flag) {
      return flag ? 1L : 0L;
    }
    if (value instanceof Double number && number == Math.rint(number) && Math.abs(number) < 1e15) {
      return number.longValue();
    }
    if (value instanceof List<?> || value instanceof Map<?, ?>) {
      throw new JinjaException("found " + type(value) + ", which is no key");
    }
    return value;
  }

  Object add(Object a, Object b) {
    if (a instanceof String left && b instanceof String right) {
      return made(left, right);
    }
    if (a instanceof List<?> && b instanceof List<?>) {
      return joined(elements(a), elements(b));
    }
    if (a instanceof Tuple && b instanceof Tuple) {
      return new Tuple(joined(elements(a), elements(b)));
    }
    return arithmetic("+", a, b);
  }

  private List<Object> joined(List<Object> a, List<Object> b) {
    budget.spend((long) a.size() + b.size());
    List<Object> all = new ArrayList<>(a);
    all.addAll(b);
    return all;
  }

  Object multiply(Object a, Object b) {
    if (isRepeatable(a) && isInteger(b)) {
      return repeated(a, integer(b));
    }
    if (isRepeatable(b) && isInteger(a)) {
      return repeated(b, integer(a));
    }
    return arithmetic("*", a, b);
  }

  private static boolean isRepeatable(Object value) {
    return value instanceof String || value instanceof List<?>;
  }

  private Object repeated(Object value, long times) {
    int count = (int) Math.max(0, Math.min(times, Budget.MOST_STEPS + 1));
    if (value instanceof String text) {
      budget.spend((long) text.length() * count);
      return text.repeat(count);
    }
    List<Object> elements = elements(value);
    budget.spend((long) elements.size() * count);
    List<Object> all = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      all.addAll(elements);
    }
    return all;
  }

  /** An operator of numbers. */
  Object arithmetic(String operator, Object a, Object b) {
    if (!isNumber(a) || !isNumber(b)) {
      refuseUndefined(a);
      refuseUndefined(b);
      throw new JinjaException(
          "found " + type(a) + " " + operator + " " + type(b) + ", which Python does not have");
    }
    boolean real = a instanceof Double || b instanceof Double;
    try {
      return switch (operator) {
        case "+" -> real ? real(a) + real(b) : (Object) Math.addExact(integer(a), integer(b));
        case "-" -> real ? real(a) - real(b) : (Object) Math.subtractExact(integer(a), integer(b));
        case "*" -> real ? real(a) * real(b) : (Object) Math.multiplyExact(integer(a), integer(b));
        case "/" -> divided(real(a), real(b));
        case "//" ->
            real
                ? Math.floor(divided(real(a), real(b)))
                : (Object) Math.floorDiv(integer(a), integer(b));
        case "%" ->
            real ? modulo(real(a), real(b)) : (Object) Math.floorMod(integer(a), integer(b));
        case "**" -> real || integer(b) < 0 ? powered(real(a), real(b)) : power(a, b);
        default -> throw new IllegalArgumentException(operator);
      };
    } catch (ArithmeticException e) {
      throw new JinjaException(repr(a) + " " + operator + " " + repr(b) + ": " + e.getMessage());
    }
  }

  private static double divided(double a, double b) {
    if (b == 0) {
      throw new ArithmeticException("division by zero");
    }
    return a / b;
  }

  /** Python's, whose sign is the divisor's. */
  private static double modulo(double a, double b) {
    divided(a, b);
    double remainder = a % b;
    return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
  }

  private static double powered(double a, double b) {
    if (a == 0 && b < 0) {
      throw new ArithmeticException("division by zero");
    }
    return Math.pow(a, b);
  }

  private Object power(Object a, Object b) {
    long result = 1;
    for (long i = 0; i < integer(b); i++) {
      budget.spend(1);
      result = Math.multiplyExact(result, integer(a));
    }
    return result;
  }

  Object negative(Object value) {
    if (value instanceof Double number) {
      return -number;
    }
    return arithmetic("-", 0L, value);
  }

  /** {@code value[from:to:step]}; a bound is null where it is left out. */
  Object slice(Object value, Object from, Object to, Object by) {
    boolean text = value instanceof String;
    int[] points = text ? ((String) value).codePoints().toArray() : null;
    List<Object> elements = text ? null : list(value);
    int length = text ? points.length : elements.size();
    budget.spend(length + 1L);
    long step = by == null || by == None.NONE ? 1 : index(by);
    if (step == 0) {
      throw new JinjaException("found a slice's step 0, expected another");
    }
    long start = bound(from, step > 0 ? 0 : length - 1L, length, step);
    long end = bound(to, step > 0 ? length : -1L, length, step);
    StringBuilder characters = new StringBuilder();
    List<Object> taken = new ArrayList<>();
    for (long i = start; step > 0 ? i < end : i > end; i += step) {
      if (text) {
        characters.appendCodePoint(points[(int) i]);
      } else {
        taken.add(elements.get((int) i));
      }
    }
    return text ? characters.toString() : value instanceof Tuple ? new Tuple(taken) : taken;
  }

  private static long bound(Object given, long otherwise, int length, long step) {
    if (given == null || given == None.NONE) {
      return otherwise;
    }
    long index = index(given);
    long lowest = step > 0 ? 0 : -1;
    long highest = step > 0 ? length : length - 1L;
    return Math.max(lowest, Math.min(highest, index < 0 ? index + length : index));
  }

  /** {@code value[key]}: the element, or what says that there is none. */
  Object element(Object value, Object key) {
    budget.spend(1);
    refuseUndefined(value);
    if (value instanceof Map<?, ?> map) {
      Object element = map.get(key(key));
      return element == null ? new Undefined("the key " + repr(key) + " of a dict") : element;
    }
    if (isInteger(key) && (value instanceof String || isSequence(value))) {
      long index = index(key);
      List<Object> elements = list(value);
      int size = elements.size();
      long at = index < 0 ? index + size : index;
      return at < 0 || at >= size
          ? new Undefined("element " + index + " of " + size)
          : elements.get((int) at);
    }
    return new Undefined("the element " + repr(key) + " of " + type(value));
  }

  static boolean isSequence(Object value) {
    return value instanceof List<?> || value instanceof Tuple;
  }

  /** {@code list(value)}: the keys of a dict, the characters of a text. */
  List<Object> list(Object value) {
    if (value instanceof String text) {
      made(text.length());
      List<Object> characters = new ArrayList<>();
      text.codePoints().forEach(c -> characters.add(Character.toString(c)));
      budget.spend(characters.size());
      return characters;
    }
    if (value instanceof Undefined undefined) {
      if (strict) {
        throw undefined.refused();
      }
      return List.of();
    }
    if (value instanceof Map<?, ?> || isSequence(value)) {
      List<Object> elements = elements(value);
      budget.spend(elements.size());
      return elements;
    }
    throw new JinjaException("found " + type(value) + ", expected what can be looped over");
  }

  private static List<Object> elements(Object value) {
    if (value instanceof Tuple tuple) {
      return tuple.elements();
    }
    List<Object> elements = new ArrayList<>();
    Iterator<?> iterator =
        value instanceof Map<?, ?> map ? map.keySet().iterator() : ((List<?>) value).iterator();
    iterator.forEachRemaining(elements::add);
    return elements;
  }

  /** {@code len(value)}. */
  long length(Object value) {
    if (value instanceof String text) {
      return PythonText.length(text);
    }
    if (value instanceof Undefined undefined && strict) {
      throw undefined.refused();
    }
    if (isNumber(value) || value == None.NONE) {
      throw new JinjaException("found " + type(value) + ", which has no length");
    }
    return value instanceof Undefined ? 0 : elements(value).size();
  }

  static boolean isNumber(Object value) {
    return value instanceof Double || isInteger(value);
  }

  /** Booleans are integers in Python. */
  static boolean isInteger(Object value) {
    return value instanceof Long || value instanceof Boolean;
  }

  static long index(Object value) {
    if (!isInteger(value)) {
      throw new JinjaException("found " + type(value) + ", expected an integer");
    }
    return integer(value);
  }

  private static long integer(Object value) {
    return value instanceof Boolean flag ? (flag ? 1 : 0) : (Long) value;
  }

  static double real(Object value) {
    return value instanceof Double number ? number : (double) integer(value);
  }

  static void refuseUndefined(Object value) {
    if (value instanceof Undefined undefined) {
      throw undefined.refused();
    }
  }

  /** Pays for a text. */
  void made(int characters) {
    budget.spend(1 + characters / CHARACTERS_A_STEP);
  }

  String made(String left, String right) {
    made(left.length() + right.length());
    return left + right;
  }

  /** With an article, for messages. */
  static String type(Object value) {
    return value instanceof String
        ? "a text"
        : value instanceof Boolean
            ? "a bool"
            : value instanceof Long
                ? "an integer"
                : value instanceof Double
                    ? "a float"
                    : value instanceof List<?>
                        ? "a list"
                        : value instanceof Tuple
                            ? "a tuple"
                            : value instanceof Map<?, ?>
                                ? "a dict"
                                : value == None.NONE
                                    ? "None"
                                    : value instanceof Undefined undefined
                                        ? undefined.what()
                                        : value instanceof Attributed ? "an object" : "a function";
  }
}
