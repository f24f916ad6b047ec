package org.cliffwatch.quantizer.scheme;

import java.util.List;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.WeightRows;

/** The schemes there are. */
public final class Schemes {
  private static final List<Scheme> ALL =
      List.of(
          new FloatScheme(),
          new Vectorwise(),
          new TensorInt8(),
          new ZeroPointInt8(),
          new LlmInt8(),
          new SmoothQuant(),
          new Awq(),
          new RoundToNearest(),
          new Gptq(),
          new BnbFourBit(),
          new Float8(),
          new Microscaling(),
          new NvFloat4(),
          new FlexpointScheme(),
          new Stored());

  /** A byte each, in one array. */
  private static final int MAX_CODES = Integer.MAX_VALUE - 8;

  private Schemes() {}

  /** The scheme a precision names. */
  public static Scheme of(Precision precision) {
    return ALL.stream()
        .filter(scheme -> scheme.name().equals(precision.scheme()))
        .findFirst()
        .orElseThrow(
            () ->
                new InvalidInputException(
                    "precision %s: unknown scheme '%s'; there are: %s"
                        .formatted(
                            precision.name(),
                            precision.scheme(),
                            String.join(", ", ALL.stream().map(Scheme::name).toList()))));
  }

  /** Whether a precision looks at {@link Calibration} text. */
  public static boolean isCalibrated(Precision precision) {
    return !of(precision).statistics(precision).isEmpty();
  }

  /**
   * Whether calibration shows a precision what the checkpoint as it is gives its layers, as it does
   * all such precisions at once.
   */
  public static boolean sharesPass(Precision precision) {
    return of(precision).quantizedBefore(precision) == QuantizedBefore.NOTHING;
  }

  /**
   * Rounds one row of a weight, in place.
   *
   * @throws InvalidInputException when a value is NaN or infinite, or too large for the type,
   *     naming tensor and place
   */
  public static void round(WeightRows weight, int row, float[] values, FloatType type) {
    for (int c = 0; c < weight.columns(); c++) {
      float rounded = type.round(values[c]);
      if (!Float.isFinite(rounded)) {
        if (Float.isFinite(values[c])) {
          throw new InvalidInputException(
              "%s: row %s, column %s: found %s, expected a weight that %s can hold"
                  .formatted(weight.name(), row, c, values[c], Precisions.spelled(type)));
        }
        throw notFinite(weight, row, values);
      }
      values[c] = rounded;
    }
  }

  /** Room for a byte a weight. */
  static byte[] codes(WeightRows weight) {
    long elements = (long) weight.rows() * weight.columns();
    if (elements > MAX_CODES) {
      throw new InvalidInputException(
          "%s: found (%s, %s), %s weights; expected at most %s in a quantized matrix"
              .formatted(weight.name(), weight.rows(), weight.columns(), elements, MAX_CODES));
    }
    return new byte[(int) elements];
  }

  /** max |W|; reads all of it, and refuses what is not finite. */
  static float largestMagnitude(WeightRows weight) {
    float[] row = new float[weight.columns()];
    float max = 0;
    for (int r = 0; r < weight.rows(); r++) {
      weight.row(r, row);
      requireFinite(weight, r, row);
      max = Math.max(max, largestMagnitude(row, 0, row.length));
    }
    return max;
  }

  /** max |v| of {@code v[at .. at + n)}. */
  static float largestMagnitude(float[] v, int at, int n) {
    float max = 0;
    for (int i = at; i < at + n; i++) {
      max = Math.max(max, Math.abs(v[i]));
    }
    return max;
  }

  /** Refuses a row that holds NaN or an infinity, naming tensor and place. */
  static void requireFinite(WeightRows weight, int row, float[] values) {
    for (int c = 0; c < weight.columns(); c++) {
      if (!Float.isFinite(values[c])) {
        throw notFinite(weight, row, values);
      }
    }
  }

  /** The complaint about the first value of a weight's row that is NaN or infinite. */
  static InvalidInputException notFinite(WeightRows weight, int row, float[] values) {
    int column = 0;
    while (column < weight.columns() - 1 && Float.isFinite(values[column])) {
      column++;
    }
    return new InvalidInputException(
        "%s: row %s, column %s: found %s, expected a finite weight"
            .formatted(weight.name(), row, column, values[column]));
  }
}
