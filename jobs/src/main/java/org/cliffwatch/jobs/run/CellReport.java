package org.cliffwatch.jobs.run;

import java.io.Serializable;
import java.util.List;
import org.cliffwatch.jobs.table.StoredCell;

/**
 * What a task tells the driver of a cell it worked on; the scores stay in their files.
 *
 * @param committed whether the cell is whole now
 * @param items scored, each once a replica: of the cell where it is whole, else of its piece
 * @param tokens scored, of the same
 * @param seconds of scoring, without building models, of the same
 * @param error why the cell failed, or null
 * @param warnings about its scores, where it is whole
 */
record CellReport(
    StoredCell cell,
    boolean committed,
    long items,
    long tokens,
    double seconds,
    String error,
    List<String> warnings)
    implements Serializable {
  private static final long serialVersionUID = 1L;

  static CellReport failed(StoredCell cell, String error) {
    return new CellReport(cell, false, 0, 0, 0, error, List.of());
  }
}
