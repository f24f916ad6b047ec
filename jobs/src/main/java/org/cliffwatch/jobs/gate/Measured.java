package org.cliffwatch.jobs.gate;

import java.io.Serializable;
import org.cliffwatch.jobs.table.Tables.Slice;
import org.cliffwatch.tasks.metric.Metric;

/**
 * What a rule has of one cell.
 *
 * @param rule its place in the gate
 * @param metric judged; null where the rule has none
 * @param change null where there is none
 * @param isNew whether the accepted run lacks the cell
 * @param isSame whether the cells compared are one: equal to the bit by their identity
 * @param problem why there is no change; or, of a rule that needs none, what is wrong; else null
 */
record Measured(
    int rule,
    Slice slice,
    String task,
    Metric metric,
    Change change,
    boolean isNew,
    boolean isSame,
    String problem)
    implements Serializable {
  private static final long serialVersionUID = 1L;
}
