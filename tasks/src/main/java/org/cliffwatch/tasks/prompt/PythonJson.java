package org.cliffwatch.tasks.prompt;

import com.fasterxml.jackson.databind.JsonNode;
import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.Iterator;
import java.util.Map;

/** JSON and texts as CPython writes them, for hashes that must equal lm-evaluation-harness's. */
public final class PythonJson {
  private static final int SMALLEST_PLAIN_EXPONENT = -4;
  private static final int LARGEST_PLAIN_EXPONENT = 16;

  private final StringBuilder out = new StringBuilder();
  private final int indent;
  private final boolean ascii;

  private PythonJson(int indent, boolean ascii) {
    this.indent = indent;
    this.ascii = ascii;
  }

  /** {@code json.dumps(value)}: one line, everything beyond ASCII escaped. */
  public static String compact(JsonNode value) {
    return dump(value, -1, true);
  }

  /** {@code json.dumps(value, ensure_ascii=False)}: one line. */
  public static String line(JsonNode value) {
    return dump(value, -1, false);
  }

  /**
   * {@code json.dumps(value, indent=2, ensure_ascii=False)}: what lm-eval's doc_hash is made of.
   */
  public static String indented(JsonNode value) {
    return dump(value, 2, false);
  }

  /**
   * {@code json.dumps(value, indent=indent, ensure_ascii=ascii)}.
   *
   * @param indent spaces a level; negative for one line
   */
  public static String dumps(JsonNode value, int indent, boolean ascii) {
    return dump(value, indent, ascii);
  }

  /** {@code str(value)} of a decoded JSON value that is no list or object. */
  public static String text(JsonNode value) {
    if (value.isTextual()) {
      return value.textValue();
    }
    if (value.isBoolean()) {
      return value.booleanValue() ? "True" : "False";
    }
    if (value.isNull()) {
      return "None";
    }
    if (value.isFloatingPointNumber()) {
      return number(value.doubleValue());
    }
    if (value.isNumber()) {
      return value.asText();
    }
    throw new PromptException("found " + line(value) + ", expected a text or a number");
  }

  /** {@code repr(float)}: the shortest digits that read back as the same double. */
  public static String number(double value) {
    if (Double.isNaN(value)) {
      return "NaN";
    }
    if (Double.isInfinite(value)) {
      return value > 0 ? "Infinity" : "-Infinity";
    }
    if (value == 0) {
      return Double.compare(value, 0.0) == 0 ? "0.0" : "-0.0";
    }
    BigDecimal shortest = shortest(value);
    String digits = shortest.unscaledValue().abs().toString();
    int exponent = digits.length() - 1 - shortest.scale();
    String sign = value < 0 ? "-" : "";
    if (exponent >= SMALLEST_PLAIN_EXPONENT && exponent < LARGEST_PLAIN_EXPONENT) {
      String plain = shortest.abs().toPlainString();
      return sign + (plain.indexOf('.') < 0 ? plain + ".0" : plain);
    }
    String mantissa = digits.length() == 1 ? digits : digits.charAt(0) + "." + digits.substring(1);
    int magnitude = Math.abs(exponent);
    return sign + mantissa + (exponent < 0 ? "e-" : "e+") + (magnitude < 10 ? "0" : "") + magnitude;
  }

  private static BigDecimal shortest(double value) {
    BigDecimal exact = new BigDecimal(value);
    // Any decimal of fewer digits shows as trailing zeros, but for the few bits of a subnormal.
    int fewest = Math.abs(value) < Double.MIN_NORMAL ? 1 : 15;
    for (int precision = fewest; precision < 17; precision++) {
      BigDecimal rounded = exact.round(new MathContext(precision, RoundingMode.HALF_EVEN));
      if (rounded.doubleValue() == value) {
        return rounded.stripTrailingZeros();
      }
    }
    return exact.round(new MathContext(17, RoundingMode.HALF_EVEN)).stripTrailingZeros();
  }

  private static String dump(JsonNode value, int indent, boolean ascii) {
    PythonJson writer = new PythonJson(indent, ascii);
    writer.write(value, 0);
    return writer.out.toString();
  }

  private void write(JsonNode value, int depth) {
    if (value.isTextual()) {
      quote(value.textValue());
    } else if (value.isObject()) {
      writeObject(value, depth);
    } else if (value.isArray()) {
      writeArray(value, depth);
    } else if (value.isFloatingPointNumber()) {
      out.append(number(value.doubleValue()));
    } else {
      out.append(value.asText());
    }
  }

  private void writeObject(JsonNode value, int depth) {
    if (value.isEmpty()) {
      out.append("{}");
      return;
    }
    out.append('{');
    Iterator<Map.Entry<String, JsonNode>> fields = value.properties().iterator();
    while (fields.hasNext()) {
      Map.Entry<String, JsonNode> field = fields.next();
      newLine(depth + 1);
      quote(field.getKey());
      out.append(": ");
      write(field.getValue(), depth + 1);
      comma(fields.hasNext());
    }
    newLine(depth);
    out.append('}');
  }

  private void writeArray(JsonNode value, int depth) {
    if (value.isEmpty()) {
      out.append("[]");
      return;
    }
    out.append('[');
    for (int i = 0; i < value.size(); i++) {
      newLine(depth + 1);
      write(value.get(i), depth + 1);
      comma(i + 1 < value.size());
    }
    newLine(depth);
    out.append(']');
  }

  private void comma(boolean more) {
    if (more) {
      out.append(indent < 0 ? ", " : ",");
    }
  }

  private void newLine(int depth) {
    if (indent >= 0) {
      out.append('\n').append(" ".repeat(indent * depth));
    }
  }

  private void quote(String text) {
    out.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '"' -> out.append("\\\"");
        case '\\' -> out.append("\\\\");
        case '\n' -> out.append("\\n");
        case '\r' -> out.append("\\r");
        case '\t' -> out.append("\\t");
        case '\f' -> out.append("\\f");
        case '\b' -> out.append("\\b");
        default -> {
          if (c < ' ' || (ascii && c > '~')) {
            out.append("\\u");
            for (int shift = 12; shift >= 0; shift -= 4) {
              out.append(Character.forDigit((c >> shift) & 0xf, 16));
            }
          } else {
            out.append(c);
          }
        }
      }
    }
    out.append('"');
  }
}
