package org.cliffwatch.quantizer.analysis;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.TreeMap;

/**
 * Outlier dimensions of the inputs of one projection in all layers.
 *
 * <p>A dimension is one of a sample if |x| reaches the threshold in it in at least a quarter of the
 * layers and, in any of them, at no less than 6 % of the sample's positions (Dettmers et al. 2022,
 * LLM.int8(), section 4.1; that positions count over the layers together is what makes the 68.4 %
 * of positions in 65.5 % of layers of Ahmadian et al. 2023, table 5, possible). It is one of the
 * model if it is one of every sample (Ahmadian et al. 2023, appendix B.3).
 *
 * <p>Holds a bit for every sample, dimension with such a value, and position or layer.
 */
final class OutlierRule {
  private static final double LEAST_LAYERS = 0.25;
  private static final double LEAST_POSITIONS = 0.06;

  /** What a value of a row must reach. */
  interface Threshold {
    double of(Moments row);
  }

  /** A sample's, by dimension. */
  private static final class Sample {
    final TreeMap<Integer, BitSet> layers = new TreeMap<>();
    final TreeMap<Integer, BitSet> positions = new TreeMap<>();
    int length;

    void add(int layer, int position, int dimension) {
      layers.computeIfAbsent(dimension, d -> new BitSet()).set(layer);
      positions.computeIfAbsent(dimension, d -> new BitSet()).set(position);
    }

    boolean has(int dimension, int layerCount) {
      return layers.containsKey(dimension)
          && layers.get(dimension).cardinality() >= LEAST_LAYERS * layerCount
          && positions.get(dimension).cardinality() >= LEAST_POSITIONS * length;
    }
  }

  private final String name;
  private final Threshold threshold;
  private final boolean isOfAll;
  private final List<Sample> samples = new ArrayList<>();
  private int layerCount;

  /**
   * @param isOfAll whether all samples are taken for one, as LLM.int8() does
   */
  OutlierRule(String name, Threshold threshold, boolean isOfAll) {
    this.name = name;
    this.threshold = threshold;
    this.isOfAll = isOfAll;
  }

  String name() {
    return name;
  }

  /**
   * Adds a sample's inputs of a layer.
   *
   * @param x (rows, columns)
   * @param moments of each row
   */
  void add(int layer, int sample, float[] x, int columns, Moments[] moments) {
    layerCount = Math.max(layerCount, layer + 1);
    int number = isOfAll ? 0 : sample;
    if (number == samples.size()) {
      samples.add(new Sample());
    }
    Sample own = samples.get(number);
    int first = isOfAll ? sample * moments.length : 0;
    for (int r = 0; r < moments.length; r++) {
      double least = threshold.of(moments[r]);
      for (int c = 0; c < columns; c++) {
        if (Math.abs(x[r * columns + c]) >= least) {
          own.add(layer, first + r, c);
        }
      }
    }
    own.length = Math.max(own.length, first + moments.length);
  }

  /** The model's, ascending, once all layers were added. */
  List<Integer> dimensions() {
    return samples.isEmpty()
        ? List.of()
        : samples.get(0).layers.keySet().stream()
            .filter(d -> samples.stream().allMatch(sample -> sample.has(d, layerCount)))
            .toList();
  }

  /** Whether a dimension of the model reaches the threshold in a layer, in every sample. */
  boolean isIn(int dimension, int layer) {
    return samples.stream().allMatch(sample -> sample.layers.get(dimension).get(layer));
  }

  /** The share of layers in which some dimension of the model does; 0 where there is none. */
  double layerShare() {
    List<Integer> found = dimensions();
    int having = 0;
    for (int layer = 0; layer < layerCount; layer++) {
      int l = layer;
      having += found.stream().anyMatch(d -> isIn(d, l)) ? 1 : 0;
    }
    return (double) having / layerCount;
  }

  /** The share of positions, over all samples, at which some dimension of the model does. */
  double positionShare() {
    List<Integer> found = dimensions();
    long having = 0;
    long all = 0;
    for (Sample sample : samples) {
      BitSet any = new BitSet();
      found.forEach(d -> any.or(sample.positions.get(d)));
      having += any.cardinality();
      all += sample.length;
    }
    return (double) having / all;
  }
}
