package org.cliffwatch.jobs.aggregate;

import java.io.Serializable;
import java.util.List;
import org.cliffwatch.jobs.table.DegradationRow;
import org.cliffwatch.jobs.table.MetricRow;

/** A checkpoint's rows of {@code metrics} and {@code degradation}, and what a run shows of them. */
record CheckpointRows(
    String model,
    List<MetricRow> metrics,
    List<DegradationRow> degradation,
    List<SliceResult> results)
    implements Serializable {
  private static final long serialVersionUID = 1L;
}
