package org.cliffwatch.quantizer.kernel;

import java.util.List;
import java.util.function.Function;
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
 * @param least magnitude of an outlier
 * @param compute the type that sums are rounded to
 */
public record OutlierLinear(Linear integers, List<Columns> weights, float least, FloatType compute)
    implements Linear {

  /** A weight of which a column at a time is multiplied. */
  public interface Columns {
    /** How many sums {@link #add} is given: the outputs, or more. */
    int width();

    /**
     * Adds {@code input · (code · scale)} of a column, each product rounded.
     *
     * @param sums an output each, and what is beyond
     */
    void add(int column, float input, float[] sums);

    /** Outside the heap, as all weights are. */
    long bytes();
  }

  /** As the definition says it. */
  record ScalarColumns(QuantizedWeight weight) implements Columns {
    @Override
    public int width() {
      return weight.rows();
    }

    @Override
    public void add(int column, float input, float[] sums) {
      for (int o = 0; o < sums.length; o++) {
        byte code = weight.codes()[o * weight.columns() + column];
        sums[o] += input * (code * weight.scales()[o]);
      }
    }

    @Override
    public long bytes() {
      return 0;
    }
  }

  /** The products of forms that share an input, with the second one if they have outliers. */
  public static Linear around(Linear product, List<LinearForm> forms, FloatType compute) {
    return around(product, forms, compute, ScalarColumns::new);
  }

  /**
   * The same with columns of another make.
   *
   * @param columns makes them of a weight
   */
  public static Linear around(
      Linear product,
      List<LinearForm> forms,
      FloatType compute,
      Function<QuantizedWeight, Columns> columns) {
    RowQuantizer quantizer = forms.get(0).inputs();
    return quantizer != null && quantizer.hasOutliers()
        ? new OutlierLinear(
            product,
            forms.stream()
                .map(form -> columns.apply(((LinearForm.IntegerProduct) form).weight()))
                .toList(),
            quantizer.leastOutlier(),
            compute)
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
        if (Math.abs(x[t * inputs + c]) >= least) {
          columns[count++] = c;
        }
      }
      for (int p = 0; count > 0 && p < weights.size(); p++) {
        add(p, x, t, columns, count, y[p]);
      }
    }
    watch.lap(Stage.PRODUCTS);
  }

  private void add(int projection, float[] x, int t, int[] columns, int count, float[] y) {
    Columns weight = weights.get(projection);
    int outputs = outputs()[projection];
    float[] sums = new float[weight.width()];
    for (int i = 0; i < count; i++) {
      weight.add(columns[i], x[t * inputs() + columns[i]], sums);
    }
    int to = t * outputs;
    for (int o = 0; o < outputs; o++) {
      y[to + o] += sums[o];
    }
    for (int o = 0; compute != FloatType.FLOAT32 && o < outputs; o++) {
      y[to + o] = compute.round(y[to + o]);
    }
  }

  @Override
  public long bytes() {
    return integers.bytes() + weights.stream().mapToLong(Columns::bytes).sum();
  }

  @Override
  public void close() {
    integers.close();
  }
}
