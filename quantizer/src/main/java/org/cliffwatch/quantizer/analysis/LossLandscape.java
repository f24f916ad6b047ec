package org.cliffwatch.quantizer.analysis;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.DoublePredicate;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.calibration.CalibrationText;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.model.Inventory;
import org.cliffwatch.quantizer.scheme.ChangedRows;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Scheme;
import org.cliffwatch.quantizer.scheme.Schemes;
import org.cliffwatch.quantizer.train.LossGradient;

/**
 * The loss around a checkpoint's weights w, those of all linear layers inside its blocks, in
 * float32 on samples of text (after Xu et al. 2024, "Scaling Laws for Post-Training Quantized Large
 * Language Models" and "Understanding the difficulty of low-precision post-training quantization of
 * large language models"). All quantities are of projection {@code all}.
 *
 * <p>Of the checkpoint:
 *
 * <ul>
 *   <li>{@code loss}: L(w), mean over predicted tokens, nats
 *   <li>{@code basin_radius}: R(w), the largest ρ with a mean of L(w + ρ u) of at most (1 + {@value
 *       #RISE}) L(w) over {@value #DIRECTIONS} random directions u, each matrix of u as long as
 *       that of w; by doubling ρ to where that fails first, then bisection, to {@value #BISECTIONS}
 *       bits; 32 where it never does up to there. Relative: ρ is ‖ρ u‖ / ‖w‖
 *   <li>{@code gradient_norm}, {@code hessian_trace}, {@code hessian_trace_error}: ‖∇L(w)‖, and
 *       {@link HessianTrace} with {@value #VECTORS} vectors; where {@link LossGradient} has the
 *       decoder
 * </ul>
 *
 * Of a precision whose rounding of the weights is w + Δw, inputs not quantized:
 *
 * <ul>
 *   <li>{@code rounding_norm}: ‖Δw‖ / ‖w‖; its SQNR is −20 log10 of that, dB
 *   <li>{@code rounding_norm_over_radius}: beside R(w)
 *   <li>{@code rounding_increase_T}: L(w + T Δw) − L(w) for T of 0.5, 1, 2, 4
 *   <li>{@code random_increase}, {@code random_increase_sd}: mean and standard deviation of L(w +
 *       δ) − L(w) over {@value #DIRECTIONS} random directions δ, each matrix as long as that of Δw
 * </ul>
 *
 * <p>Random directions are normal and depend on the seed, the layer and the place. Precisions that
 * are {@link Schemes#isCalibrated calibrated} are not covered. What is not finite is left out.
 *
 * <p>Costs passes of scoring over all samples, each with the model packed anew: about 30, and 7 a
 * precision; and 2 · {@value #VECTORS} + 1 gradients, of about three passes each. What is found
 * does not depend on the number of threads.
 */
public final class LossLandscape {
  /** Raised by every change after which equal inputs may be found to have other quantities. */
  public static final int VERSION = 1;

  static final int DIRECTIONS = 3;
  static final double RISE = 0.1;
  static final int VECTORS = 8;
  static final int BISECTIONS = 5;
  static final String ALL = "all";

  private static final double[] TIMES = {0.5, 1, 2, 4};
  private static final double FIRST_RADIUS = 0x1p-5;
  private static final double LEAST_RADIUS = 0x1p-20;
  private static final double LARGEST_RADIUS = 0x1p5;

  private final Map<String, WeightRows> weights;
  private final ToDoubleFunction<Map<String, WeightRows>> loss;
  private final Map<String, Double> norms;
  private final List<Direction> random = new ArrayList<>();
  private final double origin;
  private final List<Quantity> found = new ArrayList<>();

  /**
   * @param loss of these weights or others of their shapes
   */
  private LossLandscape(
      Map<String, WeightRows> weights, ToDoubleFunction<Map<String, WeightRows>> loss, long seed) {
    this.weights = weights;
    this.loss = loss;
    this.norms = norms((layer, r, times, to) -> weights.get(layer).row(r, to));
    for (int i = 0; i < DIRECTIONS; i++) {
      Direction normal = new Normal(List.copyOf(weights.keySet()), seed, i);
      Map<String, Double> lengths = norms(normal);
      random.add((layer, r, times, to) -> normal.add(layer, r, times / lengths.get(layer), to));
    }
    this.origin = loss.applyAsDouble(Map.of());
  }

  /** Whether a precision's rounding of weights is found: it needs no text. */
  public static boolean covers(Precision precision) {
    return !Schemes.isCalibrated(precision);
  }

  /**
   * Finds the quantities above.
   *
   * @param text whose first {@value CheckpointAnalysis#SAMPLES} samples are taken; where there are
   *     fewer, all
   * @param length tokens of a sample, or the model's window where that is shorter
   * @param precisions that {@link #covers} takes
   * @param backend one of the host's
   * @param threads that share the samples of a pass; gradients are made by one
   * @param seed of random directions and vectors
   * @throws InvalidInputException if there is too little text, or the checkpoint cannot be run or
   *     rounded, naming what is at fault
   */
  public static List<Quantity> of(
      Checkpoint checkpoint,
      CalibrationText text,
      int length,
      List<Precision> precisions,
      Backend backend,
      int threads,
      long seed) {
    return checkpoint.consistently(
        () -> {
          Inventory inventory = Inventory.of(checkpoint);
          List<int[]> samples = CheckpointAnalysis.samples(checkpoint, inventory, text, length);
          try (SampleLoss loss = new SampleLoss(inventory, samples, backend, threads)) {
            return of(
                inventory.weightsInBlocks(),
                loss,
                LossGradient.of(checkpoint, samples),
                precisions,
                seed);
          }
        });
  }

  /**
   * As {@link #of(Checkpoint, CalibrationText, int, List, Backend, int, long)}.
   *
   * @param weights by name
   * @param loss of these weights with those put in that it is given
   */
  static List<Quantity> of(
      Map<String, WeightRows> weights,
      ToDoubleFunction<Map<String, WeightRows>> loss,
      Optional<LossGradient> gradient,
      List<Precision> precisions,
      long seed) {
    LossLandscape landscape = new LossLandscape(weights, loss, seed);
    landscape.add("loss", null, landscape.origin);
    gradient.ifPresent(each -> landscape.addSlopes(each, seed));
    double radius = landscape.radius();
    landscape.add("basin_radius", null, radius);
    precisions.forEach(precision -> landscape.addRounding(precision, radius));
    return landscape.found;
  }

  private void add(String quantity, String precision, double value) {
    if (Double.isFinite(value)) {
      found.add(new Quantity(null, ALL, quantity, precision, value));
    }
  }

  private void addSlopes(LossGradient gradient, long seed) {
    float[] w = gradient.weights();
    double squares = 0;
    for (float each : gradient.at(w).gradient()) {
      squares += (double) each * each;
    }
    add("gradient_norm", null, Math.sqrt(squares));
    HessianTrace trace = HessianTrace.of(at -> gradient.at(at).gradient(), w, VECTORS, seed);
    add("hessian_trace", null, trace.value());
    add("hessian_trace_error", null, trace.error());
  }

  /** From the least to the largest that is tried. */
  private double radius() {
    DoublePredicate isInside =
        radius -> {
          double sum = 0;
          for (Direction each : random) {
            sum += at(each, radius, norms);
          }
          return sum / random.size() <= (1 + RISE) * origin;
        };
    double inside = FIRST_RADIUS;
    while (!isInside.test(inside)) {
      inside /= 2;
      if (inside == LEAST_RADIUS) {
        return LEAST_RADIUS;
      }
    }
    double outside = 2 * inside;
    while (isInside.test(outside)) {
      inside = outside;
      if (inside == LARGEST_RADIUS) {
        return LARGEST_RADIUS;
      }
      outside *= 2;
    }
    for (int i = 0; i < BISECTIONS; i++) {
      double middle = Math.sqrt(inside * outside);
      if (isInside.test(middle)) {
        inside = middle;
      } else {
        outside = middle;
      }
    }
    return inside;
  }

  private void addRounding(Precision precision, double radius) {
    Scheme scheme = Schemes.of(precision);
    Map<String, WeightRows> rounded = new LinkedHashMap<>();
    weights.forEach(
        (layer, weight) -> rounded.put(layer, scheme.prepare(weight, precision).weights()));
    Direction rounding =
        (layer, r, times, to) -> {
          float[] before = new float[to.length];
          float[] after = new float[to.length];
          weights.get(layer).row(r, before);
          rounded.get(layer).row(r, after);
          for (int c = 0; c < to.length; c++) {
            to[c] = (float) (to[c] + times * ((double) after[c] - before[c]));
          }
        };
    Map<String, Double> lengths = norms(rounding);
    String name = precision.name();
    double norm = norm(lengths) / norm(norms);
    boolean isExact = norm == 0;
    add("rounding_norm", name, norm);
    add("rounding_norm_over_radius", name, norm / radius);
    for (double times : TIMES) {
      String quantity = "rounding_increase_" + (times < 1 ? "0.5" : Integer.toString((int) times));
      add(quantity, name, isExact ? 0 : at(rounding, times, null) - origin);
    }
    double[] increases =
        random.stream().mapToDouble(each -> isExact ? 0 : at(each, 1, lengths) - origin).toArray();
    double mean = IntStream.range(0, DIRECTIONS).mapToDouble(i -> increases[i]).sum() / DIRECTIONS;
    double squares = 0;
    for (double each : increases) {
      squares += (each - mean) * (each - mean);
    }
    add("random_increase", name, mean);
    add("random_increase_sd", name, Math.sqrt(squares / (DIRECTIONS - 1)));
  }

  /**
   * The loss a way along a direction.
   *
   * @param lengths factor a layer; null: 1
   */
  private double at(Direction direction, double times, Map<String, Double> lengths) {
    Map<String, WeightRows> moved = new LinkedHashMap<>();
    weights.forEach(
        (layer, weight) -> {
          double own = lengths == null ? times : times * lengths.get(layer);
          moved.put(layer, new Moved(weight, layer, direction, own));
        });
    return loss.applyAsDouble(moved);
  }

  private Map<String, Double> norms(Direction direction) {
    Map<String, Double> norms = new LinkedHashMap<>();
    weights.forEach(
        (layer, weight) -> {
          double squares = 0;
          for (int r = 0; r < weight.rows(); r++) {
            float[] row = new float[weight.columns()];
            direction.add(layer, r, 1, row);
            for (float each : row) {
              squares += (double) each * each;
            }
          }
          norms.put(layer, Math.sqrt(squares));
        });
    return norms;
  }

  private static double norm(Map<String, Double> parts) {
    return Math.sqrt(parts.values().stream().mapToDouble(part -> part * part).sum());
  }

  /** A direction in the space of all weights. */
  private interface Direction {
    /** Adds a multiple of its row of a layer. */
    void add(String layer, int row, double times, float[] to);
  }

  /** Independent standard normal elements. */
  private record Normal(List<String> layers, long seed, int number) implements Direction {
    @Override
    public void add(String layer, int row, double times, float[] to) {
      long own = (seed * DIRECTIONS + number) * layers.size() + layers.indexOf(layer);
      SplittableRandom random = new SplittableRandom(new SplittableRandom(own).nextLong() + row);
      for (int c = 0; c < to.length; c++) {
        to[c] = (float) (to[c] + times * random.nextGaussian());
      }
    }
  }

  /** A weight some way along a direction. */
  private record Moved(WeightRows weight, String layer, Direction direction, double times)
      implements ChangedRows {
    @Override
    public void row(int r, float[] out) {
      float[] row = new float[columns()];
      weight.row(r, row);
      direction.add(layer, r, times, row);
      System.arraycopy(row, 0, out, 0, row.length);
    }
  }
}
