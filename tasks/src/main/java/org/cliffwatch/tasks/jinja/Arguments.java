package org.cliffwatch.tasks.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.cliffwatch.tasks.Suggestion;

/**
 * The arguments of a call.
 *
 * @param of what is called, for messages
 */
record Arguments(String of, List<Object> positional, Map<String, Object> named) {

  /** The arguments in the order of a signature; null where one is not given. */
  List<Object> bound(List<String> names) {
    if (positional.size() > names.size()) {
      throw new JinjaException(
          of + ": found " + positional.size() + " arguments, expected at most " + names.size());
    }
    List<Object> bound = new ArrayList<>(positional);
    Map<String, Object> left = new LinkedHashMap<>(named);
    for (String name : names.subList(positional.size(), names.size())) {
      bound.add(left.remove(name));
    }
    if (!left.isEmpty()) {
      String unknown = left.keySet().iterator().next();
      throw new JinjaException(
          of + ": found argument '" + unknown + "'" + Suggestion.among(names, unknown));
    }
    return bound;
  }

  /** The only argument, or null. */
  Object first() {
    return positional.isEmpty() ? null : positional.get(0);
  }
}
