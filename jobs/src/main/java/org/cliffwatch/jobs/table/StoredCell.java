package org.cliffwatch.jobs.table;

import java.io.Serializable;
import org.cliffwatch.jobs.table.Tables.Slice;

/**
 * A cell of {@code scores}.
 *
 * @param id its content hash, and its file's name
 */
public record StoredCell(Slice slice, String task, String id) implements Serializable {
  private static final long serialVersionUID = 1L;
}
