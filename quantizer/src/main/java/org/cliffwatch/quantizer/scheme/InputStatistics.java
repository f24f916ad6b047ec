package org.cliffwatch.quantizer.scheme;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import org.cliffwatch.quantizer.InvalidInputException;

/**
 * What calibration text gives linear layers that share an input. Samples are added in their order,
 * and every sum is made in that order.
 */
public final class InputStatistics implements Serializable {
  private static final long serialVersionUID = 1L;

  private final String layer;
  private final int columns;
  private final boolean keepsMeans;
  private final boolean keepsRows;
  private final transient GramMatrix gram;
  private final float[] largest;
  private final double[] sums;
  private final ArrayList<Float> largestOfSamples = new ArrayList<>();
  private final ArrayList<float[]> samples = new ArrayList<>();
  private long rows;

  /**
   * @param layer for messages
   * @param columns of the inputs
   */
  public InputStatistics(String layer, int columns, Set<Statistic> wanted) {
    this.layer = layer;
    this.columns = columns;
    this.keepsMeans = wanted.contains(Statistic.MEAN_MAGNITUDE);
    this.keepsRows = wanted.contains(Statistic.ROWS);
    this.gram = wanted.contains(Statistic.GRAM) ? new GramMatrix(columns) : null;
    this.largest = new float[columns];
    this.sums = new double[columns];
  }

  /**
   * Adds a sample's rows, which may be none.
   *
   * @param x (rows, columns), row-major; kept where {@link Statistic#ROWS} are wanted
   * @throws InvalidInputException if one is NaN or infinite
   */
  public void add(float[] x, int rows) {
    float most = 0;
    for (int at = 0; at < rows * columns; at++) {
      int column = at % columns;
      float magnitude = Math.abs(x[at]);
      if (!(magnitude <= Float.MAX_VALUE)) {
        throw new InvalidInputException(
            "%s: input %s: found %s on the calibration text, expected a finite number"
                .formatted(layer, column, x[at]));
      }
      largest[column] = Math.max(largest[column], magnitude);
      most = Math.max(most, magnitude);
      if (keepsMeans) {
        sums[column] += magnitude;
      }
    }
    largestOfSamples.add(most);
    if (gram != null) {
      gram.add(x, rows);
    }
    if (keepsRows) {
      samples.add(x);
    }
    this.rows += rows;
  }

  /**
   * Adds what later samples gave, which is as if they had been added here: of {@link
   * Statistic#LARGEST} alone.
   */
  public void join(InputStatistics later) {
    if (keepsMeans || keepsRows || gram != null || later.columns != columns) {
      throw new IllegalArgumentException(layer + ": more than magnitudes, or of other inputs");
    }
    for (int c = 0; c < columns; c++) {
      largest[c] = Math.max(largest[c], later.largest[c]);
    }
    largestOfSamples.addAll(later.largestOfSamples);
    rows += later.rows;
  }

  /** Inputs of a row. */
  public int columns() {
    return columns;
  }

  /** Rows of all samples; of an expert, those that chose it. */
  public long rows() {
    return rows;
  }

  /** (columns) max |x|. */
  float[] largest() {
    return largest.clone();
  }

  /** max |x| of every sample, in their order. */
  List<Float> largestOfSamples() {
    return Collections.unmodifiableList(largestOfSamples);
  }

  /** (columns) the mean of |x|; 0 where there are no rows. */
  float[] meanMagnitude() {
    float[] means = new float[columns];
    for (int c = 0; c < columns && rows > 0; c++) {
      means[c] = (float) (sums[c] / rows);
    }
    return means;
  }

  /** Σ x xᵀ. */
  GramMatrix gram() {
    return gram;
  }

  /** (rows of a sample, columns) of every sample. */
  public List<float[]> samples() {
    return Collections.unmodifiableList(samples);
  }
}
