package org.cliffwatch.tasks.jinja;

/** Python's {@code None}. */
enum None {
  NONE
}
