package org.cliffwatch.jobs.plan;

import java.io.Serializable;

/**
 * What a pass through a checkpoint costs depends on.
 *
 * @param context tokens of its window
 */
record CheckpointSize(long parameters, int context) implements Serializable {
  private static final long serialVersionUID = 1L;
}
