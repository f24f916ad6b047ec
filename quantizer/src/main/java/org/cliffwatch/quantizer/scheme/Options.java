package org.cliffwatch.quantizer.scheme;

import java.util.Arrays;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.FloatType;

/**
 * What a row of {@code conf/precisions.yaml} asks of its scheme, read key by key, and of any. What
 * is wrong is refused by precision and key, with what was found and what was expected.
 */
final class Options {
  private final Precision precision;
  private final Set<String> unread;

  Options(Precision precision) {
    this.precision = precision;
    this.unread = new TreeSet<>(precision.options().keySet());
    String cache = text(Precision.KV_CACHE);
    if (cache != null && !cache.equals("auto") && !cache.equals("int8")) {
      throw mismatch(Precision.KV_CACHE, cache, "auto or int8");
    }
  }

  /** An integer that meets a condition. */
  int integer(String key, int absent, Predicate<Integer> condition, String expected) {
    Integer value = optionalInteger(key, condition, expected);
    return value == null ? absent : value;
  }

  /** As {@link #integer}; null where there is none. */
  Integer optionalInteger(String key, Predicate<Integer> condition, String expected) {
    String text = text(key);
    if (text == null) {
      return null;
    }
    try {
      int value = Integer.parseInt(text);
      if (condition.test(value)) {
        return value;
      }
    } catch (NumberFormatException e) {
      // As of a number that does not meet the condition.
    }
    throw mismatch(key, text, expected);
  }

  /** Any integer; null where there is none. */
  Long longInteger(String key) {
    String text = text(key);
    try {
      return text == null ? null : Long.valueOf(text);
    } catch (NumberFormatException e) {
      throw mismatch(key, text, "an integer");
    }
  }

  /** A number of 0 or more. */
  float number(String key, float absent) {
    String text = text(key);
    if (text == null) {
      return absent;
    }
    try {
      float value = Float.parseFloat(text);
      if (value >= 0 && Float.isFinite(value)) {
        return value;
      }
    } catch (NumberFormatException e) {
      // As of a negative number.
    }
    throw mismatch(key, text, "a number of 0 or more");
  }

  boolean flag(String key, boolean absent) {
    String text = text(key);
    if (text == null || text.equals("true") || text.equals("false")) {
      return text == null ? absent : text.equals("true");
    }
    throw mismatch(key, text, "true or false");
  }

  /** One of some constants, in lower case and with hyphens. */
  @SafeVarargs
  final <E extends Enum<E>> E choice(String key, E absent, E... allowed) {
    String text = text(key);
    if (text == null) {
      return absent;
    }
    return Arrays.stream(allowed)
        .filter(constant -> spelled(constant).equals(text))
        .findFirst()
        .orElseThrow(
            () ->
                mismatch(
                    key,
                    text,
                    String.join(", ", Arrays.stream(allowed).map(Options::spelled).toList())));
  }

  static String spelled(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** Refuses a number of bits a weight. */
  Options weights(Predicate<Integer> condition, String expected) {
    return require("weight_bits", precision.weightBits(), condition, expected);
  }

  /** Refuses inputs that are quantized to a number of bits other than these. */
  Options inputs(Predicate<Integer> condition, String expected) {
    return require("activation_bits", precision.activationBits(), condition, expected);
  }

  /** Refuses inputs that are quantized. */
  Options inputsAsTheyAre() {
    int width = precision.compute() == FloatType.FLOAT32 ? Float.SIZE : Short.SIZE;
    return inputs(bits -> bits == width, width + ", the compute type's");
  }

  private Options require(String key, int found, Predicate<Integer> condition, String expected) {
    if (!condition.test(found)) {
      throw mismatch(key, Integer.toString(found), expected);
    }
    return this;
  }

  /** Refuses keys that were not read. */
  void requireNoOthers() {
    if (!unread.isEmpty()) {
      throw new InvalidInputException(
          "precision %s: scheme %s has no option '%s'"
              .formatted(precision.name(), precision.scheme(), String.join("', '", unread)));
    }
  }

  /** As it stands; null where there is none. */
  String text(String key) {
    unread.remove(key);
    return precision.options().get(key);
  }

  InvalidInputException mismatch(String key, String found, String expected) {
    return new InvalidInputException(
        "precision %s: scheme %s: %s: found %s, expected %s"
            .formatted(precision.name(), precision.scheme(), key, found, expected));
  }
}
