package org.cliffwatch.quantizer.scheme;

import java.util.List;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.WeightRows;

/** The schemes there are. */
public final class Schemes {
  private static final List<Scheme> ALL =
      List.of(new FloatScheme(), new Stored(), new Vectorwise());

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
