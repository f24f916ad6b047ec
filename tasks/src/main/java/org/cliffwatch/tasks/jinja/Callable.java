package org.cliffwatch.tasks.jinja;

/** What a template may call. */
@FunctionalInterface
interface Callable {
  Object call(Rendering rendering, Arguments arguments);
}
