package org.cliffwatch.jobs.aggregate;

import java.io.Serializable;

/**
 * How a run's cells are compared.
 *
 * @param output folder of the tables
 * @param baseline precision that degradation is measured against
 * @param maxRejectedItems items of a cell that may be rejected before the cell fails
 */
public record ComparisonSettings(
    String output, String baseline, int replicas, long seed, int maxRejectedItems)
    implements Serializable {
  private static final long serialVersionUID = 1L;
}
