package org.cliffwatch.jobs.table;

import java.io.Serializable;
import org.cliffwatch.jobs.table.Tables.Slice;

/**
 * A row of {@code degradation}: one metric of one task against the baseline precision of the same
 * checkpoint. Partitioned by model.
 *
 * @param task the task; a group that the suite asks by its name: over all of its items; or {@code
 *     mean}: over the tasks, a group being one
 * @param baseline name of the baseline precision
 * @param absPp 100 · (value − baselineValue) for accuracies, the plain difference for perplexities
 * @param relPct 100 · (value − baselineValue) / baselineValue; for {@code mean} the mean of the
 *     tasks' own (papers: Ahmadian et al. 2023 §3.2)
 * @param relPctLow lower end of the 95 % interval of a bootstrap over items, paired
 * @param pValue of "no difference", paired by item: McNemar's exact test for accuracies, a
 *     sign-flip test otherwise
 * @param pAdjusted Holm's adjustment over the rows of this model, precision and step
 * @param gained items right now and wrong in the baseline (replica 0)
 * @param lost items wrong now and right in the baseline (replica 0)
 * @param roundingSd standard deviation of {@code value} over replicas; null with one
 * @param items items scored in both
 * @param cellId the cell compared; null for a group and {@code mean}
 * @param baselineCellId the cell it is compared with; null for a group and {@code mean}
 * @param seed the suite's, of the bootstraps and sign flips
 */
public record DegradationRow(
    String precision,
    long step,
    String task,
    String metric,
    String baseline,
    Double baselineValue,
    Double value,
    Double absPp,
    Double relPct,
    Double relPctLow,
    Double relPctHigh,
    Double pValue,
    Double pAdjusted,
    Long gained,
    Long lost,
    Double roundingSd,
    long items,
    String cellId,
    String baselineCellId,
    long seed)
    implements Serializable {
  private static final long serialVersionUID = 1L;

  public static final String MEAN = "mean";

  /** This row with its adjusted p-value. */
  public DegradationRow withAdjusted(double adjusted) {
    return new DegradationRow(
        precision,
        step,
        task,
        metric,
        baseline,
        baselineValue,
        value,
        absPp,
        relPct,
        relPctLow,
        relPctHigh,
        pValue,
        adjusted,
        gained,
        lost,
        roundingSd,
        items,
        cellId,
        baselineCellId,
        seed);
  }

  public boolean isMean() {
    return task.equals(MEAN);
  }

  /** Whether it is a group's: its items' of several cells. */
  public boolean isGroup() {
    return cellId == null && !isMean();
  }

  /** Whether it is one task's. */
  public boolean isTask() {
    return cellId != null;
  }

  /** Whose change it is, of a model's rows. */
  public Slice slice(String model) {
    return new Slice(model, precision, step);
  }
}
