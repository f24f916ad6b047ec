package org.cliffwatch.tasks.jinja;

/** One rendering: its variables, what it may still spend, and whether a loop is being left. */
final class Rendering {
  /** What the statements around are asked to do. */
  enum Leaving {
    NOTHING,
    /** The turn of a loop, by {@code continue}. */
    TURN,
    /** The loop, by {@code break}. */
    LOOP
  }

  private final Budget budget = new Budget();
  private final Values values;
  private Scope scope;
  private Leaving leaving = Leaving.NOTHING;

  /**
   * @param strict whether an undefined value may only be asked whether it is defined
   */
  Rendering(Scope scope, boolean strict) {
    this.values = new Values(budget, strict);
    this.scope = scope;
  }

  Values values() {
    return values;
  }

  Budget budget() {
    return budget;
  }

  void spend(long steps) {
    budget.spend(steps);
  }

  Scope scope() {
    return scope;
  }

  /** Goes into a scope, or back to one. */
  void scope(Scope other) {
    scope = other;
  }

  Leaving leaving() {
    return leaving;
  }

  void leaving(Leaving what) {
    leaving = what;
  }
}
