package org.cliffwatch.quantizer.train;

import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.scheme.Element;
import org.cliffwatch.quantizer.scheme.LinearForm;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.RowQuantizer;
import org.cliffwatch.quantizer.scheme.Scheme;
import org.cliffwatch.quantizer.scheme.Schemes;

/**
 * A precision as the forward pass of quantization-aware training sees it, by the scheme that
 * evaluates it: same codes, same scales. Gradients go straight through its rounding (Bengio et al.
 * 2013): a weight's is that of the number it is rounded to.
 */
final class StraightThrough {
  private final Scheme scheme;
  private final Precision precision;

  /**
   * @param precision of a scheme that needs no calibration
   */
  StraightThrough(Precision precision) {
    this.precision = precision;
    scheme = Schemes.of(precision);
  }

  /** Of linear layers' inputs, a token at a time; null where they stay as they are. */
  RowQuantizer inputs() {
    if (precision.activationBits() == Float.SIZE) {
      return null;
    }
    LinearForm form = scheme.prepare(new Matrix("", 1, 1, new float[1]), precision);
    return form.inputs() == null
        ? RowQuantizer.dynamic(Element.INT8_SYMMETRIC, true, 0) // what integer products do then
        : form.inputs();
  }

  /**
   * @param weight of a linear layer, finite; query, key and value are one matrix
   * @param to gets the numbers it is rounded to
   */
  void weight(Parameters.Tensor weight, float[] to) {
    int columns = weight.shape()[1];
    WeightRows rounded =
        scheme
            .prepare(
                new Matrix(weight.name(), weight.shape()[0], columns, weight.values()), precision)
            .weights();
    float[] row = new float[columns];
    for (int r = 0; r < rounded.rows(); r++) {
      rounded.row(r, row);
      System.arraycopy(row, 0, to, r * columns, columns);
    }
  }

  private record Matrix(String name, int rows, int columns, float[] values) implements WeightRows {
    @Override
    public void row(int r, float[] out) {
      System.arraycopy(values, r * columns, out, 0, columns);
    }
  }
}
