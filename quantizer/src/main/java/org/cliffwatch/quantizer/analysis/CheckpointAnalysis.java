package org.cliffwatch.quantizer.analysis;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.DoubleConsumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.calibration.CalibrationText;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.model.Calibrator;
import org.cliffwatch.quantizer.model.Inventory;
import org.cliffwatch.quantizer.scheme.Calibration;
import org.cliffwatch.quantizer.scheme.CalibrationBlock;

/**
 * Quantities of a checkpoint's layers, in one pass of text through it in float32.
 *
 * <p>Of what linear layers that share an input are given, by projection {@code query_key_value},
 * {@code attention_output}, {@code gate_up} or {@code up}, {@code down}, those of an expert after
 * {@code experts.3.}:
 *
 * <ul>
 *   <li>{@code input_rmse}, {@code input_sqnr_db}: of a round trip through int8 with a scale a
 *       token
 *   <li>{@code token_std}: the mean over tokens of the standard deviation of a token's values
 *   <li>{@code input_kurtosis}: the mean over tokens of the kurtosis of a token's values, 3 where
 *       they are normal
 *   <li>{@code input_max_over_median}: a channel's largest magnitude, the largest over the median
 *       of all channels
 * </ul>
 *
 * Of weights, by projection {@code query}, …:
 *
 * <ul>
 *   <li>{@code weight_rmse}, {@code weight_sqnr_db}: of a round trip through int8 with a scale an
 *       output
 *   <li>{@code weight_kurtosis}: of all elements
 *   <li>{@code spectral_norm}, {@code spectral_norm_residual}: {@link SpectralNorm}; also of {@code
 *       query_key_value}, one on top of another
 * </ul>
 *
 * Of norms, {@code attention_norm} and {@code feed_forward_norm}: {@code gain_std}, the standard
 * deviation of what they multiply channels by.
 *
 * <p>Outlier dimensions ({@link OutlierRule}) of {@code query_key_value} and {@code gate_up} or
 * {@code up}, by rule: {@code llm_int8} (6.0, all tokens together), {@code 6.0}, {@code 4.2} and
 * {@code 4_sigma} (four standard deviations of the token and its mean), in every sample. {@code
 * outlier_RULE} of a layer is a dimension, from 0, a row each; {@code outliers_RULE}, {@code
 * outlier_layers_RULE} and {@code outlier_positions_RULE} of the model their number and the shares
 * of layers and of positions that have one.
 *
 * <p>What is not finite, the SQNR of weights that int8 holds exactly, or the kurtosis of equal
 * ones, is left out.
 *
 * <p>Costs one pass of scoring in float32 over samples · length tokens, and two multiplications a
 * weight in each iteration of {@link SpectralNorm}. What is found depends on checkpoint, samples,
 * seed and backend, bit for bit, and not on the number of threads.
 */
public final class CheckpointAnalysis {
  /** Raised by every change after which equal inputs may be found to have other quantities. */
  public static final int VERSION = 1;

  /** The 20 fixed samples of Ahmadian et al. 2023, appendix B.3. */
  public static final int SAMPLES = 20;

  private static final String QUERY_KEY_VALUE = "query_key_value";

  private CheckpointAnalysis() {}

  /**
   * Analyses a checkpoint.
   *
   * @param text whose first {@value #SAMPLES} samples are taken; where there are fewer, all
   * @param length tokens of a sample, or the model's window where that is shorter
   * @param backend one of the host's
   * @param threads that share the work
   * @param seed of power iterations
   * @param progress receives shares of the work as they are done; they sum to 1
   * @return by layer, then of the whole model
   * @throws InvalidInputException if there is too little text, or the checkpoint cannot be run,
   *     naming what is at fault
   */
  public static List<Quantity> of(
      Checkpoint checkpoint,
      CalibrationText text,
      int length,
      Backend backend,
      int threads,
      long seed,
      DoubleConsumer progress) {
    return checkpoint.consistently(
        () -> {
          Inventory inventory = Inventory.of(checkpoint);
          List<int[]> samples = samples(checkpoint, inventory, text, length);
          return of(inventory, samples, backend, threads, seed, progress);
        });
  }

  /** The first {@value #SAMPLES} of a text. */
  static List<int[]> samples(
      Checkpoint checkpoint, Inventory inventory, CalibrationText text, int length) {
    List<int[]> all = text.samples(Calibration.ofLength(length), checkpoint, inventory);
    return all.subList(0, Math.min(SAMPLES, all.size()));
  }

  /**
   * As {@link #of(Checkpoint, CalibrationText, int, Backend, int, long, DoubleConsumer)}.
   *
   * @param samples token ids, all of one length
   */
  static List<Quantity> of(
      Inventory inventory,
      List<int[]> samples,
      Backend backend,
      int threads,
      long seed,
      DoubleConsumer progress) {
    try (Calibrator calibrator = new Calibrator(inventory, backend, samples, threads, progress)) {
      Walk walk = new Walk(seed);
      calibrator.observe(walk);
      return walk.found();
    }
  }

  /** One projection's inputs in one layer. */
  private static final class Inputs {
    private final RoundTrip roundTrip = new RoundTrip();
    private final float[] largest;
    private double deviations;
    private double kurtoses;
    private long rows;
    private long varied;
    private int samples;

    Inputs(int columns) {
      largest = new float[columns];
    }

    Moments[] add(float[] x) {
      int columns = largest.length;
      Moments[] moments = new Moments[x.length / columns];
      for (int r = 0; r < moments.length; r++) {
        int at = r * columns;
        moments[r] = Moments.of(x, at, columns);
        roundTrip.add(x, at, columns);
        deviations += moments[r].standardDeviation();
        if (moments[r].variance() > 0) {
          kurtoses += moments[r].kurtosis();
          varied++;
        }
        for (int c = 0; c < columns; c++) {
          largest[c] = Math.max(largest[c], Math.abs(x[at + c]));
        }
      }
      rows += moments.length;
      samples++;
      return moments;
    }

    Map<String, Double> quantities() {
      float[] sorted = largest.clone();
      Arrays.sort(sorted);
      int half = sorted.length / 2;
      double median =
          sorted.length % 2 == 1 ? sorted[half] : ((double) sorted[half - 1] + sorted[half]) / 2;
      Map<String, Double> quantities = new LinkedHashMap<>();
      quantities.put("input_rmse", roundTrip.rmse());
      quantities.put("input_sqnr_db", roundTrip.sqnrDecibels());
      quantities.put("token_std", deviations / rows);
      quantities.put("input_kurtosis", kurtoses / varied);
      quantities.put("input_max_over_median", sorted[sorted.length - 1] / median);
      return quantities;
    }
  }

  /** Goes through the blocks. */
  private static final class Walk implements Calibrator.Observer {
    private final long seed;
    private final List<Quantity> found = new ArrayList<>();

    /** By projection. */
    private final Map<String, List<OutlierRule>> outliers = new LinkedHashMap<>();

    private int layer;

    /** By the name of the first layer. */
    private final Map<String, Inputs> inputs = new LinkedHashMap<>();

    Walk(long seed) {
      this.seed = seed;
    }

    private static List<OutlierRule> rules() {
      return List.of(
          new OutlierRule("llm_int8", row -> 6.0, true),
          new OutlierRule("6.0", row -> 6.0, false),
          new OutlierRule("4.2", row -> 4.2, false),
          new OutlierRule("4_sigma", row -> 4 * row.standardDeviation() + row.mean(), false));
    }

    private void add(String projection, String quantity, double value) {
      found.add(new Quantity(layer, projection, quantity, value));
    }

    @Override
    public void begin(int number, Map<String, float[]> gains) {
      layer = number;
      inputs.clear();
      gains.forEach(
          (name, gain) ->
              add(part(name), "gain_std", Moments.of(gain, 0, gain.length).standardDeviation()));
    }

    @Override
    public void inputs(String first, float[] x, int columns) {
      Inputs own = inputs.computeIfAbsent(first, f -> new Inputs(columns));
      int sample = own.samples;
      Moments[] moments = own.add(x);
      String part = part(first);
      if (part.equals("query") || part.equals("gate") || part.equals("up")) {
        outliers
            .computeIfAbsent(part, p -> rules())
            .forEach(rule -> rule.add(layer, sample, x, columns, moments));
      }
    }

    @Override
    public void end(CalibrationBlock block) {
      List<CalibrationBlock.Group> groups = block.groups();
      List<List<Quantity>> ofWeights =
          groups.stream().map(group -> (List<Quantity>) new ArrayList<Quantity>()).toList();
      block.inParallel(
          groups.size(), i -> ofWeights.get(i).addAll(weights(groups.get(i).layers())));
      for (int i = 0; i < groups.size(); i++) {
        List<CalibrationBlock.Layer> layers = groups.get(i).layers();
        Inputs own = inputs.get(layers.get(0).name());
        if (own.rows > 0) {
          own.quantities().forEach((name, value) -> add(projection(layers), name, value));
        }
        found.addAll(ofWeights.get(i));
      }
    }

    private List<Quantity> weights(List<CalibrationBlock.Layer> layers) {
      List<Quantity> quantities = new ArrayList<>();
      for (CalibrationBlock.Layer each : layers) {
        String name = part(each.name());
        weight(each.weight())
            .forEach((quantity, value) -> quantities.add(quantity(name, quantity, value)));
        addNorm(name, List.of(each.weight()), quantities);
      }
      if (projection(layers).equals(QUERY_KEY_VALUE)) {
        List<WeightRows> all = layers.stream().map(CalibrationBlock.Layer::weight).toList();
        addNorm(QUERY_KEY_VALUE, all, quantities);
      }
      return quantities;
    }

    private Quantity quantity(String projection, String quantity, double value) {
      return new Quantity(layer, projection, quantity, value);
    }

    private void addNorm(String projection, List<WeightRows> parts, List<Quantity> to) {
      SpectralNorm norm = SpectralNorm.of(parts, seed);
      to.add(quantity(projection, "spectral_norm", norm.value()));
      to.add(quantity(projection, "spectral_norm_residual", norm.residual()));
    }

    private static Map<String, Double> weight(WeightRows weight) {
      float[] row = new float[weight.columns()];
      RoundTrip roundTrip = new RoundTrip();
      double sum = 0;
      for (int r = 0; r < weight.rows(); r++) {
        weight.row(r, row);
        roundTrip.add(row, 0, row.length);
        for (float value : row) {
          sum += value;
        }
      }
      long values = (long) weight.rows() * weight.columns();
      double mean = sum / values;
      double second = 0;
      double fourth = 0;
      for (int r = 0; r < weight.rows(); r++) {
        weight.row(r, row);
        for (float value : row) {
          double square = (value - mean) * (value - mean);
          second += square;
          fourth += square * square;
        }
      }
      Map<String, Double> quantities = new LinkedHashMap<>();
      quantities.put("weight_rmse", roundTrip.rmse());
      quantities.put("weight_sqnr_db", roundTrip.sqnrDecibels());
      quantities.put("weight_kurtosis", Moments.of(mean, values, second, fourth).kurtosis());
      return quantities;
    }

    /** {@code layers.3.experts.1.up} → {@code experts.1.up}. */
    private static String part(String name) {
      return name.split("\\.", 3)[2];
    }

    /** {@code experts.1.gate} and {@code experts.1.up} → {@code experts.1.gate_up}. */
    private static String projection(List<CalibrationBlock.Layer> layers) {
      String first = part(layers.get(0).name());
      return first
          + layers.stream()
              .skip(1)
              .map(layer -> layer.name().substring(layer.name().lastIndexOf('.') + 1))
              .map(last -> "_" + last)
              .collect(Collectors.joining());
    }

    /** What was found, once all blocks were. */
    List<Quantity> found() {
      List<Quantity> all = new ArrayList<>(found);
      all.removeIf(each -> !Double.isFinite(each.value()));
      outliers.forEach(
          (first, rules) -> {
            String projection = first.equals("query") ? QUERY_KEY_VALUE : inner(first);
            for (OutlierRule rule : rules) {
              List<Integer> dimensions = rule.dimensions();
              for (int d : dimensions) {
                IntStream.rangeClosed(0, layer)
                    .filter(l -> rule.isIn(d, l))
                    .forEach(
                        l -> all.add(new Quantity(l, projection, "outlier_" + rule.name(), d)));
              }
              all.add(total(projection, "outliers_" + rule.name(), dimensions.size()));
              all.add(total(projection, "outlier_layers_" + rule.name(), rule.layerShare()));
              all.add(total(projection, "outlier_positions_" + rule.name(), rule.positionShare()));
            }
          });
      return all;
    }

    private static String inner(String first) {
      return first.equals("gate") ? "gate_up" : first;
    }

    private static Quantity total(String projection, String quantity, double value) {
      return new Quantity(null, projection, quantity, value);
    }
  }
}
