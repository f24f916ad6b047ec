package org.cliffwatch.jobs.aggregate;

import java.io.Serializable;
import java.util.LinkedHashMap;
import java.util.List;
import org.cliffwatch.jobs.table.Tables.Slice;

/**
 * A checkpoint's cells.
 *
 * @param slices by precision, in the suite's order; each with the same tasks in the same order
 */
record CheckpointCells(String model, LinkedHashMap<Slice, List<CellResult>> slices)
    implements Serializable {
  private static final long serialVersionUID = 1L;
}
