package org.cliffwatch.quantizer.kernel;

import java.nio.ByteBuffer;
import java.util.List;
import org.cliffwatch.quantizer.scheme.LinearForm;
import org.cliffwatch.quantizer.scheme.QuantizedWeight;
import org.cliffwatch.quantizer.scheme.RowQuantizer;

/**
 * LLM.int8()'s two products (Dettmers et al. 2022, section 3.2; bitsandbytes, {@code
 * backends/default/ops.py}): one of integers, in which a row's inputs beyond a threshold are zero,
 * and of those few inputs as they are with the dequantized weights, added to it in the order of the
 * columns. Outliers are a row's own, as bitsandbytes has them for one row: of a batch's, a score
 * would depend on its company.
 *
 * @param integers the first product, biases and rounding included
 * @param weights a projection each
 * @param compute the type that sums are rounded to
 */
public record OutlierLinear(
    Linear integers, List<Weight> weights, RowQuantizer quantizer, FloatType compute)
    implements Linear {
  /**
   * A weight's codes, an input's after another: outliers are few inputs.
   *
   * @param codes (inputs, outputs), outside the heap as all weights are
   * @param scales (outputs)
   */
  record Weight(int outputs, ByteBuffer codes, float[] scales) {
    static Weight of(LinearForm form) {
      QuantizedWeight weight = ((LinearForm.IntegerProduct) form).weight();
      int outputs = weight.rows();
      int inputs = weight.columns();
      ByteBuffer codes = ByteBuffer.allocateDirect(weight.codes().length);
      for (int o = 0; o < outputs; o++) {
        for (int c = 0; c < inputs; c++) {
          codes.put(c * outputs + o, weight.codes()[o * inputs + c]);
        }
      }
      return new Weight(outputs, codes, weight.scales());
    }
  }

  /** The products of forms that share an input, with the second one if they have outliers. */
  public static Linear around(Linear product, List<LinearForm> forms, FloatType compute) {
    RowQuantizer quantizer = forms.get(0).inputs();
    return quantizer != null && quantizer.hasOutliers()
        ? new OutlierLinear(product, forms.stream().map(Weight::of).toList(), quantizer, compute)
        : product;
  }

  @Override
  public int inputs() {
    return integers.inputs();
  }

  @Override
  public int[] outputs() {
    return integers.outputs();
  }

  @Override
  public void apply(float[] x, int rows, Stopwatch watch, float[]... y) {
    integers.apply(x, rows, watch, y);
    int inputs = inputs();
    int[] columns = new int[inputs];
    for (int t = 0; t < rows; t++) {
      int count = 0;
      for (int c = 0; c < inputs; c++) {
        if (quantizer.isOutlier(x[t * inputs + c])) {
          columns[count++] = c;
        }
      }
      for (int p = 0; count > 0 && p < weights.size(); p++) {
        add(weights.get(p), x, t, columns, count, y[p]);
      }
    }
    watch.lap(Stage.PRODUCTS);
  }

  private void add(Weight weight, float[] x, int t, int[] columns, int count, float[] y) {
    int outputs = weight.outputs();
    float[] sums = new float[outputs];
    for (int i = 0; i < count; i++) {
      int from = columns[i] * outputs;
      float input = x[t * inputs() + columns[i]];
      for (int o = 0; o < outputs; o++) {
        sums[o] += input * (weight.codes().get(from + o) * weight.scales()[o]);
      }
    }
    for (int o = 0; o < outputs; o++) {
      y[t * outputs + o] = compute.round(y[t * outputs + o] + sums[o]);
    }
  }

  @Override
  public long bytes() {
    return integers.bytes() + weights.stream().mapToLong(weight -> weight.codes().capacity()).sum();
  }

  @Override
  public void close() {
    integers.close();
  }
}
