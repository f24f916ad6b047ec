package org.cliffwatch.tasks.jinja;

/**
 * What one rendering may still spend. Counted, not timed, so that a template is refused on every
 * machine or on none.
 */
final class Budget {
  /** Values looked at, elements and characters made: some ten times the longest few-shot prompt. */
  static final long MOST_STEPS = 20_000_000;

  /** Macros within macros, and lists within lists; Jinja2's own limit is Python's stack. */
  static final int DEEPEST = 64;

  /** The longest text or list; that of {@code range} in Jinja2's sandbox. */
  static final int LONGEST_RANGE = 100_000;

  private long left = MOST_STEPS;
  private int depth;

  /**
   * Spends steps.
   *
   * @throws JinjaException where there are not that many left
   */
  void spend(long steps) {
    if (steps > left) {
      throw new JinjaException("the template takes more than " + MOST_STEPS + " steps");
    }
    left -= steps;
  }

  void enter() {
    if (++depth > DEEPEST) {
      throw new JinjaException("the template nests deeper than " + DEEPEST);
    }
  }

  void leave() {
    depth--;
  }
}
