package org.cliffwatch.jobs.plan;

import java.io.Serializable;
import java.util.List;
import java.util.Map;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Schemes;

/**
 * What work is expected to cost, in seconds of a thread: tokens × parameters by the rate of a usual
 * processor, and what attention adds in long texts, corrected by what earlier runs measured. To
 * balance slots, and to tell how long a run takes.
 */
public final class Costs implements Serializable {
  private static final long serialVersionUID = 1L;

  private static final double CHARACTERS_A_TOKEN = 4;

  /** Tokens × parameters a second and thread, in float32: between what AVX2 and AVX-512 reach. */
  private static final double RATE = 6e10;

  /** What a token costs beside products, as parameters. */
  private static final double PARAMETERS_A_TOKEN = 2e6;

  /** Of attention's products beside the rate of those with weights: seen on CPUs. */
  private static final double ATTENTION_RATE = 0.5;

  /** A cell's file, seconds. */
  private static final double CELL = 0.01;

  /** Reading a weight and packing it for a precision, each, in tokens: seen on CPUs. */
  private static final double TOKENS_A_READ = 1000;

  private static final int TOKENS_TOGETHER = 16_384;

  private final double[] tokensAnItem;
  private final double[] tokensAround;
  private final int replicas;
  private final Precision baseline;
  private final Map<String, Double> corrections;

  /**
   * @param tasks the plan's
   * @param replicas how often every item is scored
   * @param baseline what the scores of other precisions are compared with, which costs its pass
   *     too; null where they are not
   */
  public Costs(List<TaskItems> tasks, int replicas, Precision baseline) {
    this(
        tasks.stream()
            .mapToDouble(
                task -> (double) task.characters() / CHARACTERS_A_TOKEN / Math.max(1, task.size()))
            .toArray(),
        tasks.stream().mapToDouble(task -> task.charactersAround() / CHARACTERS_A_TOKEN).toArray(),
        replicas,
        baseline,
        Map.of());
  }

  /**
   * @param tokensAnItem by task
   * @param tokensAround how many its item has, the mean over a task's tokens
   */
  Costs(
      double[] tokensAnItem,
      double[] tokensAround,
      int replicas,
      Precision baseline,
      Map<String, Double> corrections) {
    this.tokensAnItem = tokensAnItem;
    this.tokensAround = tokensAround;
    this.replicas = replicas;
    this.baseline = baseline;
    this.corrections = Map.copyOf(corrections);
  }

  /**
   * These costs, corrected.
   *
   * @param corrections by precision, seconds measured of a second expected; others are corrected by
   *     the mean of these
   */
  Costs corrected(Map<String, Double> corrections) {
    return new Costs(tokensAnItem, tokensAround, replicas, baseline, corrections);
  }

  /** Whether earlier runs were measured. */
  public boolean isMeasured() {
    return !corrections.isEmpty();
  }

  /** Tokens of a task's items, each once a replica; a context that requests share counts once. */
  double tokens(int task, int items) {
    return items * tokensAnItem[task] * replicas;
  }

  /** Of one replica. */
  double tokensAnItem(int task) {
    return tokensAnItem[task];
  }

  /**
   * How many of a task's items to score together, so that little is lost where scoring stops: of
   * long items about {@value #TOKENS_TOGETHER} tokens of one replica, which fill many batches.
   *
   * @param most of items of any length
   * @return from 1 to {@code most}; the same for every precision
   */
  public int together(int task, int most) {
    return (int) Math.max(1, Math.min(most, TOKENS_TOGETHER / tokensAnItem[task]));
  }

  public double piece(FingerprintedCheckpoint checkpoint, Precision precision, Piece piece) {
    double pass = pass(checkpoint.size(), precision, piece.task());
    if (isCompared(precision)) {
      pass += pass(checkpoint.size(), baseline, piece.task());
    }
    return CELL + tokens(piece.task(), piece.items()) * pass;
  }

  /** Seconds a token of a task. */
  double pass(CheckpointSize size, Precision precision, int task) {
    double around = Math.min(tokensAround[task], size.context());
    return pass(size.parameters(), factor(precision), around) * correction(precision);
  }

  /**
   * Seconds a token, as expected. Of a layer attention does width × tokens around multiplications:
   * a token sees half of them on average, twice (QKᵀ and AV).
   *
   * @param factor of products with weights beside float32's
   */
  private static double pass(long parameters, double factor, double around) {
    double attention = around * widthOfAllLayers(parameters) / ATTENTION_RATE;
    return (parameters * factor + attention + PARAMETERS_A_TOKEN) / RATE;
  }

  /**
   * Width × layers, about: of a decoder whose width w is 64 times its layers, and whose parameters
   * are 12 w² a layer, w² / 64.
   */
  private static double widthOfAllLayers(long parameters) {
    return Math.pow(64 * parameters / 12.0, 2 / 3.0) / 64;
  }

  /** Tokens that go through a checkpoint in float32 for nothing but what they give its layers. */
  public double calibration(FingerprintedCheckpoint checkpoint, double tokens) {
    return tokens * pass(checkpoint.parameters(), 1, 0) * meanCorrection();
  }

  private double correction(Precision precision) {
    Double own = corrections.get(precision.name());
    return own != null ? own : meanCorrection();
  }

  private double meanCorrection() {
    return corrections.values().stream().mapToDouble(Double::doubleValue).average().orElse(1);
  }

  /**
   * Packing a checkpoint for one precision, and for the baseline where that is needed beside it.
   */
  double packing(FingerprintedCheckpoint checkpoint, Precision precision) {
    return (isCompared(precision) ? 2 : 1) * reading(checkpoint);
  }

  /** Bringing a checkpoint to an executor that has not read it yet. */
  double reading(FingerprintedCheckpoint checkpoint) {
    return TOKENS_A_READ * checkpoint.parameters() / RATE;
  }

  private boolean isCompared(Precision precision) {
    return baseline != null && !precision.equals(baseline);
  }

  /** Products beside float32's: about what the kernels reach on processors with VNNI. */
  private static double factor(Precision precision) {
    if (Schemes.of(precision).multipliesIntegers(precision)) {
      return 0.4;
    }
    return precision.compute() == FloatType.FLOAT32 ? 1 : 0.6;
  }
}
