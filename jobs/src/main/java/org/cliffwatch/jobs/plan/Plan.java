package org.cliffwatch.jobs.plan;

import java.util.List;
import java.util.Map;
import org.cliffwatch.jobs.suite.Suite;
import org.cliffwatch.quantizer.scheme.Precision;

/**
 * A suite made concrete: every cell with its identity.
 *
 * @param backend the backend of the kernel
 * @param kernel kernel identity all executors can be
 * @param tasks in the suite's order
 * @param cells by checkpoint, then precision, then task, in the suite's order
 * @param calibrationTexts where the texts are that precisions are calibrated with, by content hash
 * @param warnings what whoever reads the results must know: a slower backend than wanted, a
 *     checkpoint that cannot be read; a line each
 */
public record Plan(
    Suite suite,
    String backend,
    String kernel,
    List<TaskItems> tasks,
    List<Cell> cells,
    Map<String, String> calibrationTexts,
    List<String> warnings) {
  /** What the scores of the other precisions are compared with; null where they are not. */
  public Precision comparedWith() {
    return suite.kl() ? suite.baselinePrecision() : null;
  }

  /** What two runs that may write into one output share: the same cells, compared the same way. */
  public String identity() {
    StringBuilder cells = new StringBuilder();
    this.cells.forEach(cell -> cells.append(cell.stored()).append('\n'));
    return Sha256.of(
        "cells", cells.toString(),
        "baseline", suite.baseline(),
        "seed", Long.toString(suite.seed()));
  }
}
