package org.cliffwatch.tasks.jinja;

/**
 * Jinja2's {@code Undefined}: a name or an element that is not there.
 *
 * @param what it is, for messages
 */
record Undefined(String what) {
  JinjaException refused() {
    return new JinjaException(what + " is undefined");
  }
}
