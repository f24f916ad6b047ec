package org.cliffwatch.quantizer.analysis;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.calibration.CalibrationText;
import org.cliffwatch.quantizer.calibration.CheckpointCalibration;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.model.Calibrator;
import org.cliffwatch.quantizer.model.Inventory;
import org.cliffwatch.quantizer.scheme.CalibratedWeight;
import org.cliffwatch.quantizer.scheme.Calibration;
import org.cliffwatch.quantizer.scheme.CalibrationBlock;
import org.cliffwatch.quantizer.scheme.ChangedRows;
import org.cliffwatch.quantizer.scheme.Findings;
import org.cliffwatch.quantizer.scheme.GramMatrix;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Scheme;
import org.cliffwatch.quantizer.scheme.Schemes;

/**
 * Two quantizations of one model and the straight line between their weights, after Xu et al. 2024,
 * "Understanding the Difficulty of Low-Precision Post-Training Quantization of LLMs": does the
 * local objective, which GPTQ makes small, fall where the loss does?
 *
 * <p>With w the weights inside the blocks of the model as it is, Δ₀ and Δ₁ what the two change, and
 * {@code Δ(t) = (1 − t) Δ₀ + t Δ₁}, at each t:
 *
 * <ul>
 *   <li>the distance ‖Δ(t)‖ / ‖w‖, in which {@link LossLandscape}'s radius is measured too;
 *   <li>the local objective, the mean over linear layers of {@code ‖Δ(t) X‖² / ‖w X‖²}, X a layer's
 *       inputs in the model as it is. It is a parabola in t, of which three products with X Xᵀ are
 *       all there is to know;
 *   <li>the global one: the loss, mean over predicted tokens, nats, in float32.
 * </ul>
 *
 * <p>Costs the calibration, a pass for X Xᵀ, three products with it a layer, and a pass of scoring
 * a point.
 */
public final class SolutionPath {
  /**
   * Weights of a checkpoint as a precision makes them.
   *
   * @param precision whose effect on inputs is left out
   */
  public record Solution(Checkpoint checkpoint, Precision precision) {}

  /** What there is at t. */
  public record Point(double t, double distance, double local, double loss) {}

  /** Squares of w and of Δ(t), the latter a parabola: {@code start + 2 t mixed + t² slope}. */
  private static final class Squares {
    private double origin;
    private double start;
    private double mixed;
    private double slope;

    double share(double t) {
      return Math.max(0, start + 2 * t * mixed + t * t * slope) / origin;
    }
  }

  private SolutionPath() {}

  /**
   * Goes along the line.
   *
   * @param origin the model as it is
   * @param from t = 0; of any scheme that changes weights alone
   * @param to t = 1
   * @param calibration text of precisions that are calibrated, as they ask for it, and of X, {@code
   *     inputs}
   * @param inputs which of its samples
   * @param heldOut text of the loss: its samples, at most {@value Calibration#MOST}, of that length
   * @param points at least 2, evenly spaced, both ends among them
   * @param threads that share samples; the numbers do not depend on them
   * @throws InvalidInputException where shapes differ, text is too short, or a scheme changes more
   *     than weights
   */
  public static List<Point> of(
      Checkpoint origin,
      Solution from,
      Solution to,
      CalibrationText calibration,
      Calibration inputs,
      CalibrationText heldOut,
      Backend backend,
      int threads,
      int points) {
    Inventory inventory = Inventory.of(origin);
    Map<String, WeightRows> weights = inventory.weightsInBlocks();
    Map<String, WeightRows> start = rounded(from, weights, calibration, backend, threads);
    Map<String, WeightRows> end = rounded(to, weights, calibration, backend, threads);
    Map<String, GramMatrix> grams = new HashMap<>();
    try (Calibrator calibrator =
        new Calibrator(
            inventory,
            backend,
            calibration.samples(inputs, origin, inventory),
            threads,
            share -> {})) {
      calibrator.observe(new Grams(grams));
    }
    List<Squares> errors = new ArrayList<>();
    Squares norms = new Squares();
    weights.forEach(
        (name, weight) -> {
          errors.add(errors(grams.get(name), weight, start.get(name), end.get(name), norms));
        });
    List<int[]> samples =
        heldOut.samples(
            new Calibration(null, inputs.length(), null, inputs.endsDocuments()),
            origin,
            inventory);
    List<Point> path = new ArrayList<>();
    try (SampleLoss loss = new SampleLoss(inventory, samples, backend, threads)) {
      for (int p = 0; p < points; p++) {
        double t = (double) p / (points - 1);
        Map<String, WeightRows> moved = new LinkedHashMap<>();
        weights
            .keySet()
            .forEach(name -> moved.put(name, new Between(start.get(name), end.get(name), t)));
        path.add(
            new Point(
                t,
                Math.sqrt(norms.share(t)),
                errors.stream().mapToDouble(each -> each.share(t)).average().orElseThrow(),
                loss.applyAsDouble(moved)));
      }
    }
    return path;
  }

  /** Ŵ by layer, of the shapes of the origin's. */
  private static Map<String, WeightRows> rounded(
      Solution solution,
      Map<String, WeightRows> origin,
      CalibrationText text,
      Backend backend,
      int threads) {
    Precision precision = solution.precision();
    Scheme scheme = Schemes.of(precision);
    Map<String, WeightRows> own = Inventory.of(solution.checkpoint()).weightsInBlocks();
    Findings findings =
        Schemes.isCalibrated(precision)
            ? new CheckpointCalibration(solution.checkpoint(), List.of(precision), text, backend)
                .find(threads, share -> {})
                .get(precision)
            : null;
    Map<String, WeightRows> rounded = new LinkedHashMap<>();
    origin.forEach(
        (name, shape) -> {
          WeightRows weight = own.get(name);
          if (weight == null
              || weight.rows() != shape.rows()
              || weight.columns() != shape.columns()
              || own.size() != origin.size()) {
            throw new InvalidInputException(
                "%s: found other linear layers than the first checkpoint has, expected %s of (%s, %s)"
                    .formatted(solution.checkpoint().path(), name, shape.rows(), shape.columns()));
          }
          WeightRows made = weight;
          if (findings != null) {
            CalibratedWeight calibrated = new CalibratedWeight(weight, name, findings);
            if (calibrated.isScaled()) {
              throw new InvalidInputException(
                  "precision %s: %s: found a scheme that scales inputs, expected one that changes weights alone"
                      .formatted(precision.name(), name));
            }
            made = calibrated;
          }
          rounded.put(name, scheme.prepare(made, precision).weights());
        });
    return rounded;
  }

  /** X Xᵀ of every layer. */
  private record Grams(Map<String, GramMatrix> found) implements Calibrator.Observer {
    @Override
    public void begin(int number, Map<String, float[]> gains) {
      // Norms are not asked about.
    }

    @Override
    public void inputs(String first, float[] x, int columns) {
      found.computeIfAbsent(first, name -> new GramMatrix(columns)).add(x, x.length / columns);
    }

    @Override
    public void end(CalibrationBlock block) {
      for (CalibrationBlock.Group group : block.groups()) {
        GramMatrix shared = found.get(group.layers().get(0).name());
        group.layers().forEach(layer -> found.put(layer.name(), shared));
      }
    }
  }

  /**
   * Of a layer's outputs.
   *
   * @param norms to which the squares of its weights are added
   */
  private static Squares errors(
      GramMatrix gram, WeightRows w, WeightRows a, WeightRows b, Squares norms) {
    int n = w.columns();
    float[] origin = new float[n];
    float[] first = new float[n];
    float[] last = new float[n];
    double[] own = new double[n];
    double[] start = new double[n];
    double[] slope = new double[n];
    double[] times = new double[n];
    Squares errors = new Squares();
    for (int r = 0; r < w.rows(); r++) {
      w.row(r, origin);
      a.row(r, first);
      b.row(r, last);
      for (int c = 0; c < n; c++) {
        own[c] = origin[c];
        start[c] = (double) first[c] - origin[c];
        slope[c] = (double) last[c] - first[c];
      }
      norms.origin += dot(own, own);
      norms.start += dot(start, start);
      norms.mixed += dot(start, slope);
      norms.slope += dot(slope, slope);
      errors.origin += dot(own, times(gram, own, times));
      errors.start += dot(start, times(gram, start, times));
      errors.mixed += dot(slope, times);
      errors.slope += dot(slope, times(gram, slope, times));
    }
    return errors;
  }

  private static double[] times(GramMatrix gram, double[] v, double[] to) {
    for (int i = 0; i < v.length; i++) {
      double sum = 0;
      for (int j = 0; j < v.length; j++) {
        sum += gram.get(i, j) * v[j];
      }
      to[i] = sum;
    }
    return to;
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  /** A weight between two. */
  private record Between(WeightRows weight, WeightRows to, double t) implements ChangedRows {
    @Override
    public void row(int r, float[] out) {
      float[] end = new float[columns()];
      weight.row(r, out);
      to.row(r, end);
      for (int c = 0; c < end.length; c++) {
        out[c] = (float) (out[c] + t * ((double) end[c] - out[c]));
      }
    }
  }
}
