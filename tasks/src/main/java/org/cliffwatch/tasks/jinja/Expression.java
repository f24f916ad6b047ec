package org.cliffwatch.tasks.jinja;

/** An expression of a template, read. Immutable. */
@FunctionalInterface
interface Expression {
  Object value(Rendering rendering);
}
