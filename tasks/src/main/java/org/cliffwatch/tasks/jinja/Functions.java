package org.cliffwatch.tasks.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The functions a template may call without an object. */
final class Functions {
  private Functions() {}

  static Map<String, Object> ofJinja() {
    Map<String, Object> functions = new LinkedHashMap<>();
    functions.put("range", (Callable) Functions::range);
    functions.put("namespace", (Callable) Functions::namespace);
    functions.put("dict", (Callable) (r, arguments) -> dict(arguments));
    return functions;
  }

  /** {@code raise_exception} beside Jinja's own, as transformers has it. */
  static Map<String, Object> ofChatTemplates() {
    Map<String, Object> functions = ofJinja();
    functions.put(
        "raise_exception",
        (Callable)
            (r, arguments) -> {
              throw JinjaException.raised(
                  r.values().text(arguments.bound(List.of("message")).get(0)));
            });
    // A score must not depend on the day: a template that asks whether it is there takes a date of
    // its own.
    functions.put("strftime_now", new Undefined("strftime_now, the date that it is today,"));
    return functions;
  }

  private static Object range(Rendering rendering, Arguments arguments) {
    List<Object> given = arguments.positional();
    if (given.isEmpty() || given.size() > 3 || !arguments.named().isEmpty()) {
      throw new JinjaException("range: found " + given.size() + " arguments, expected 1 to 3");
    }
    long start = given.size() == 1 ? 0 : Values.index(given.get(0));
    long end = Values.index(given.get(given.size() == 1 ? 0 : 1));
    long step = given.size() == 3 ? Values.index(given.get(2)) : 1;
    if (step == 0) {
      throw new JinjaException("range: found step 0, expected another");
    }
    List<Object> range = new ArrayList<>();
    for (long i = start; step > 0 ? i < end : i > end; i += step) {
      if (range.size() == Budget.LONGEST_RANGE) {
        throw new JinjaException("range: found more than " + Budget.LONGEST_RANGE + " numbers");
      }
      rendering.spend(1);
      range.add(i);
    }
    return range;
  }

  private static Object namespace(Rendering rendering, Arguments arguments) {
    Namespace namespace = new Namespace();
    if (!arguments.positional().isEmpty()) {
      throw new JinjaException("namespace: found a value without a name, expected name=value");
    }
    arguments.named().forEach(namespace::set);
    return namespace;
  }

  private static Object dict(Arguments arguments) {
    if (!arguments.positional().isEmpty()) {
      throw new JinjaException("dict: found a value without a name, expected name=value");
    }
    return new LinkedHashMap<Object, Object>(arguments.named());
  }
}
