package org.cliffwatch.jobs.gate;

import java.io.Serializable;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.cliffwatch.tasks.metric.Metric;

/**
 * What decides about a run.
 *
 * @param origin its file
 * @param alpha chance that any rule fails a run in which nothing is worse than its margin
 * @param power that {@code minimum_detectable} is stated for
 * @param expectedFlips share of answers that a harmless change of a checkpoint turns: what a
 *     forecast goes by where nothing was measured
 */
public record Gate(
    String name, String origin, double alpha, double power, double expectedFlips, List<Rule> rules)
    implements Serializable {
  private static final long serialVersionUID = 1L;

  /** What a rule is about. */
  enum Kind {
    /** A metric is not worse than the margin. */
    NON_INFERIORITY,
    /** From one step to the next a metric, or what a precision costs of it, does not fall. */
    STEP_DRIFT,
    /** Over the last accepted runs a metric does not drift. */
    TREND,
    /** Few answers turn. */
    FLIPS,
    /** Next-token distributions stay near the baseline precision's. */
    KL,
    /** Tokens a second keep to a share of the accepted run's. */
    SPEED,
    /** Every cell that was accepted is there, and none has failed. */
    MISSING,
    /** Cells of equal identity have equal scores, to the bit. */
    REPRODUCTION;

    /** Whether it needs an accepted run. */
    boolean needsAccepted(Against against) {
      return this == SPEED
          || this == REPRODUCTION
          || this == TREND
          || (against == Against.ACCEPTED && (this == NON_INFERIORITY || this == FLIPS));
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** What a cell is compared with. */
  enum Against {
    /** The same cell of the accepted run. */
    ACCEPTED,
    /** The same checkpoint and task at the suite's baseline precision, of this run. */
    BASELINE;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** What becomes of a cell that the rule cannot decide. */
  enum Undecided {
    INCONCLUSIVE,
    PASS,
    FAIL;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * One rule.
   *
   * @param metric judged; null where the kind has none
   * @param overMean whether the mean over the tasks is judged, else each task
   * @param relative whether the unit is {@code rel_pct}, else {@code abs_pp}
   * @param margin the worst that is acceptable, positive; of {@link Kind#SPEED} a ratio
   * @param detect the worsening that the gate is there to find, for forecasts
   * @param alpha its own error rate, apart from the gate's; NaN where it shares that
   * @param runs of {@link Kind#TREND}: the accepted runs it looks back
   * @param allowed of {@link Kind#MISSING}: cells that may be missing
   * @param error whether it counts for the exit code
   * @param newCellsPass whether a cell that the accepted run lacks passes, else it is incomparable
   * @param models it is about; empty: all, as precisions and tasks
   */
  record Rule(
      String name,
      Kind kind,
      Metric metric,
      Against against,
      boolean overMean,
      boolean relative,
      double margin,
      double detect,
      double alpha,
      int runs,
      int allowed,
      boolean error,
      Undecided inconclusive,
      boolean newCellsPass,
      Set<String> models,
      Set<String> precisions,
      Set<String> tasks)
      implements Serializable {
    private static final long serialVersionUID = 1L;

    boolean isAbout(String model, String precision, String task) {
      return (models.isEmpty() || models.contains(model))
          && (precisions.isEmpty() || precisions.contains(precision))
          && (tasks.isEmpty() || task == null || tasks.contains(task));
    }

    boolean needsAccepted() {
      return kind.needsAccepted(against);
    }

    boolean hasOwnAlpha() {
      return !Double.isNaN(alpha);
    }

    /** Whether a larger value of what is judged is better. */
    boolean higherIsBetter(Metric judged) {
      return kind != Kind.FLIPS && (kind == Kind.SPEED || judged.higherIsBetter());
    }

    String unit(Metric judged) {
      return switch (kind) {
        case FLIPS -> "percent of items";
        case KL -> "nats a token";
        case SPEED -> "ratio";
        case MISSING, REPRODUCTION -> null;
        default -> relative ? "rel_pct" : judged.isShare() ? "abs_pp" : "plain";
      };
    }

    /** What the column {@code metric} says. */
    String judged(Metric of) {
      return switch (kind) {
        case FLIPS, SPEED -> kind.toString();
        case MISSING, REPRODUCTION -> null;
        default -> of.toString();
      };
    }
  }
}
