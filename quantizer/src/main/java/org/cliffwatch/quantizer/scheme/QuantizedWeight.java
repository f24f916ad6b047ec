package org.cliffwatch.quantizer.scheme;

import org.cliffwatch.quantizer.kernel.WeightRows;

/**
 * A weight matrix (rows = outputs, columns = inputs) as integers: {@code ŵ[r, c] = codes[r, c] ·
 * scales[r, c / group]}.
 *
 * @param name the tensor's name in the checkpoint
 * @param bits width of a code, 2 to 8, which is two's complement
 * @param codes (rows, columns), a byte each whatever the width
 * @param group columns that share a scale; {@code columns} when a row has one scale. Divides {@code
 *     columns}
 * @param scales (rows, columns / group)
 */
public record QuantizedWeight(
    String name, int rows, int columns, int bits, byte[] codes, int group, float[] scales) {
  public QuantizedWeight {
    if (codes.length != (long) rows * columns
        || columns % group != 0
        || scales.length != (long) rows * (columns / group)) {
      throw new IllegalArgumentException(
          "%s: %s codes and %s scales for (%s, %s) in groups of %s"
              .formatted(name, codes.length, scales.length, rows, columns, group));
    }
  }

  /** How a row becomes codes. */
  interface Rows {
    /**
     * @param values of row {@code r}
     * @param codes written at {@code codes[at .. at + values.length)}
     * @return the row's scale
     */
    float quantize(int r, float[] values, byte[] codes, int at);
  }

  /** Quantizes a weight, a scale a row. */
  static QuantizedWeight of(WeightRows weight, int bits, Rows rows) {
    int columns = weight.columns();
    byte[] codes = Schemes.codes(weight);
    float[] scales = new float[weight.rows()];
    float[] row = new float[columns];
    for (int r = 0; r < scales.length; r++) {
      weight.row(r, row);
      scales[r] = rows.quantize(r, row, codes, r * columns);
    }
    return new QuantizedWeight(weight.name(), weight.rows(), columns, bits, codes, columns, scales);
  }

  /** Writes row {@code r} of Ŵ to {@code out[0 .. columns)}. */
  public void dequantize(int r, float[] out) {
    for (int c = 0; c < columns; c++) {
      out[c] = codes[r * columns + c] * scales[r * (columns / group) + c / group];
    }
  }
}
