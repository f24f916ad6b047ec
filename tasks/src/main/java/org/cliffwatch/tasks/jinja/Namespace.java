package org.cliffwatch.tasks.jinja;

import java.util.LinkedHashMap;
import java.util.Map;

/** What {@code namespace()} makes: attributes that a loop may set for what comes after it. */
final class Namespace implements Attributed {
  private final Map<String, Object> attributes = new LinkedHashMap<>();

  void set(String name, Object value) {
    attributes.put(name, value);
  }

  @Override
  public Object get(String name) {
    Object value = attributes.get(name);
    return value == null ? new Undefined("'" + name + "' of a namespace") : value;
  }
}
