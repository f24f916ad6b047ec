package org.cliffwatch.tasks.jinja;

/**
 * A template that cannot be read or rendered; the message says found and expected, and where a line
 * of the template is known it begins with it.
 */
public final class JinjaException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final boolean placed;

  JinjaException(String message) {
    this(message, false);
  }

  private JinjaException(String message, boolean placed) {
    super(message);
    this.placed = placed;
  }

  /** The same, with the name of the template. */
  public JinjaException within(String name) {
    return new JinjaException(name + ": " + getMessage(), true);
  }

  /** The same, with the line unless it has one. */
  JinjaException at(int line) {
    return placed ? this : new JinjaException("line " + line + ": " + getMessage(), true);
  }
}
