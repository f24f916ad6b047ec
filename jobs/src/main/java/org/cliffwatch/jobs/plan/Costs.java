package org.cliffwatch.jobs.plan;

import java.util.List;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.scheme.Precision;

/**
 * What work is expected to cost, in tokens × parameters of a float32 model. Only ratios matter: to
 * balance slots, and to tell how much of a run is done.
 */
public final class Costs {
  private static final double CHARACTERS_A_TOKEN = 4;

  /** What a token costs beside the products with the weights, as parameters. */
  private static final double PARAMETERS_A_TOKEN = 2e6;

  /** A cell's file, as tokens × parameters: 10 ms where a token of 135M parameters takes 0.6. */
  private static final double CELL = 2e9;

  /** Reading a weight and packing it for a precision, each, in tokens: seen on CPUs. */
  private static final double TOKENS_A_READ = 1000;

  private final double[] tokensAnItem;
  private final Precision baseline;

  /**
   * @param tasks the plan's
   * @param replicas how often every item is scored
   * @param baseline what the scores of other precisions are compared with, which costs its pass
   *     too; null where they are not
   */
  public Costs(List<TaskItems> tasks, int replicas, Precision baseline) {
    this(
        baseline,
        tasks.stream()
            .mapToDouble(
                task ->
                    replicas * task.characters() / CHARACTERS_A_TOKEN / Math.max(1, task.size()))
            .toArray());
  }

  Costs(Precision baseline, double[] tokensAnItem) {
    this.baseline = baseline;
    this.tokensAnItem = tokensAnItem;
  }

  double piece(FingerprintedCheckpoint checkpoint, Precision precision, Piece piece) {
    return CELL
        + piece.items()
            * tokensAnItem[piece.task()]
            * (checkpoint.parameters() * factor(precision)
                + PARAMETERS_A_TOKEN
                + (isCompared(precision)
                    ? checkpoint.parameters() * factor(baseline) + PARAMETERS_A_TOKEN
                    : 0));
  }

  /**
   * Packing a checkpoint for one precision, and for the baseline where that is needed beside it.
   */
  double packing(FingerprintedCheckpoint checkpoint, Precision precision) {
    return (isCompared(precision) ? 2 : 1) * TOKENS_A_READ * checkpoint.parameters();
  }

  private boolean isCompared(Precision precision) {
    return baseline != null && !precision.equals(baseline);
  }

  /** Bringing a checkpoint to an executor that has not read it yet. */
  double reading(FingerprintedCheckpoint checkpoint) {
    return TOKENS_A_READ * checkpoint.parameters();
  }

  /** Products beside float32's: about what the kernels reach on processors with VNNI. */
  private static double factor(Precision precision) {
    if (precision.activationBits() == 8) {
      return 0.4;
    }
    return precision.compute() == FloatType.FLOAT32 ? 1 : 0.6;
  }
}
