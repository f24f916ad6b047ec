package org.cliffwatch.tasks.jinja;

/**
 * A template that cannot be read or rendered; the message says found and expected, and where a line
 * of the template is known it begins with it.
 */
public final class JinjaException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final boolean placed;
  private final boolean templates;

  JinjaException(String message) {
    this(message, false, false);
  }

  private JinjaException(String message, boolean placed, boolean templates) {
    super(message);
    this.placed = placed;
    this.templates = templates;
  }

  /** What a template itself refuses, by {@code raise_exception}. */
  static JinjaException raised(String message) {
    return new JinjaException("the template refuses: " + message, false, true);
  }

  /** Whether it is the template itself that refuses. */
  boolean isTemplates() {
    return templates;
  }

  /** The same, with the name of the template. */
  public JinjaException within(String name) {
    return new JinjaException(name + ": " + getMessage(), true, templates);
  }

  /** The same, with the line unless it has one. */
  JinjaException at(int line) {
    return placed
        ? this
        : new JinjaException("line " + line + ": " + getMessage(), true, templates);
  }
}
