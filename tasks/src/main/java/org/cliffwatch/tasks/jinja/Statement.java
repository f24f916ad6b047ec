package org.cliffwatch.tasks.jinja;

import java.util.List;

/** A statement of a template, read. Immutable. */
@FunctionalInterface
interface Statement {
  void run(Rendering rendering, StringBuilder out);

  /** One after the other, until a loop is left. */
  static Statement all(List<Statement> statements) {
    List<Statement> block = List.copyOf(statements);
    return (rendering, out) -> {
      for (Statement statement : block) {
        statement.run(rendering, out);
        if (rendering.leaving() != Rendering.Leaving.NOTHING) {
          return;
        }
      }
    };
  }
}
