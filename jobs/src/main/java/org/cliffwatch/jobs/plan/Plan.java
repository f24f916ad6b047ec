package org.cliffwatch.jobs.plan;

import java.util.List;
import org.cliffwatch.jobs.suite.Suite;

/**
 * A suite made concrete: every cell with its identity.
 *
 * @param kernel kernel identity all executors can be
 * @param backend the backend of that kernel
 * @param cells by checkpoint, then precision, then task, in the suite's order
 * @param warnings what whoever reads the results must know: a slower backend than wanted, a
 *     checkpoint that cannot be read; a line each
 */
public record Plan(
    Suite suite, String backend, String kernel, List<Cell> cells, List<String> warnings) {}
