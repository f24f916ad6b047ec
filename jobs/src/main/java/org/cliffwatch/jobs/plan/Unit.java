package org.cliffwatch.jobs.plan;

import java.io.Serializable;
import java.util.List;

/**
 * What one Spark task does: visits of one checkpoint, or of several small ones, each checkpoint's
 * one after the other.
 *
 * @param cost by {@link Costs}
 */
public record Unit(List<Visit> visits, double cost) implements Serializable {
  private static final long serialVersionUID = 1L;
}
