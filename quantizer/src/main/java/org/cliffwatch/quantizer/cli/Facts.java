package org.cliffwatch.quantizer.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Prints what a command found out, by name, on stdout. */
final class Facts {
  /** Text for people, JSON for programs. */
  enum Format {
    TEXT,
    JSON
  }

  private Facts() {}

  static void print(Map<String, Object> facts, Format format) throws JsonProcessingException {
    if (format == Format.JSON) {
      System.out.println(
          new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT).writeValueAsString(facts));
      return;
    }
    facts.forEach((name, value) -> print(name, value));
  }

  private static void print(String name, Object value) {
    if (value instanceof Map<?, ?> map) {
      print(name, "");
      map.forEach((key, inner) -> print("  " + key, shown(key.toString(), inner)));
    } else if (value instanceof List<?> list) {
      print(name, "");
      list.forEach(element -> System.out.println("  " + element));
    } else {
      System.out.println(
          String.format(Locale.ROOT, "%-20s %s", name.replace('_', ' '), value).stripTrailing());
    }
  }

  /** Large numbers in groups of three digits, maps in one line. */
  private static Object shown(String key, Object value) {
    if (value instanceof Map<?, ?> map) {
      List<String> parts = new ArrayList<>();
      map.forEach((type, count) -> parts.add(count + " " + type));
      return String.join(", ", parts);
    }
    return value instanceof Number number && !key.endsWith("os")
        ? String.format(Locale.ROOT, "%,d", number.longValue()).replace(',', ' ')
        : value;
  }
}
