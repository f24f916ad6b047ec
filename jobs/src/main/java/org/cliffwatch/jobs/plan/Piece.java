package org.cliffwatch.jobs.plan;

import java.io.Serializable;
import java.util.List;
import org.cliffwatch.jobs.table.StoredCell;

/**
 * A run of a cell's items, {@code [first, first + items)}, that one Spark task scores. Without
 * items: all were scored before, and wait for the commit.
 *
 * @param task index in the plan's tasks
 * @param cellItems how many the cell has
 * @param superseded ids of the cells that this one takes the place of
 */
public record Piece(
    StoredCell cell, int task, int first, int items, int cellItems, List<String> superseded)
    implements Serializable {
  private static final long serialVersionUID = 1L;

  /** Whether it is all of its cell. */
  public boolean isWhole() {
    return items == cellItems;
  }

  /** Some of its items. */
  public Piece part(int from, int count) {
    return new Piece(cell, task, first + from, count, cellItems, superseded);
  }
}
