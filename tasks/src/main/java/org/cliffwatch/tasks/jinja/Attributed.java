package org.cliffwatch.tasks.jinja;

/** An object of a template's own: a namespace, or {@code loop}. */
interface Attributed {
  /** An attribute, or what says that there is none. */
  Object get(String name);
}
