package org.cliffwatch.quantizer.kernel.reference;

import java.util.ArrayList;
import java.util.List;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.scheme.CodedWeight;
import org.cliffwatch.quantizer.scheme.LinearForm;
import org.cliffwatch.quantizer.scheme.QuantizedWeight;
import org.cliffwatch.quantizer.scheme.RowQuantizer;
import org.cliffwatch.quantizer.scheme.Schemes;
import org.cliffwatch.quantizer.scheme.Vectorwise;

/** {@code y = x Wᵀ} for one form of weight. */
interface ReferenceProduct extends AutoCloseable {
  /**
   * @param x (rows, inputs)
   * @param y (rows, outputs), overwritten
   */
  void multiply(float[] x, int rows, float[] y);

  long bytes();

  @Override
  void close();

  static ReferenceProduct of(LinearForm form) {
    if (form instanceof LinearForm.Floating floating) {
      return new Floating(floating);
    }
    if (form instanceof LinearForm.WeightOnly weightOnly) {
      CodedWeight codes = CodedWeight.of(weightOnly.weight());
      return new Coded(new LinearForm.Coded(codes, null, FloatType.FLOAT32));
    }
    if (form instanceof LinearForm.Coded coded) {
      return new Coded(coded);
    }
    return new IntegerCodes((LinearForm.IntegerProduct) form);
  }

  /**
   * Rows quantized and widened again.
   *
   * @param quantizer null: they are left as they are
   */
  private static float[] quantized(RowQuantizer quantizer, float[] x, int rows, int inputs) {
    if (quantizer == null) {
      return x;
    }
    float[] quantized = new float[rows * inputs];
    for (int t = 0; t < rows; t++) {
      quantizer.apply(x, t * inputs, inputs, quantized, t * inputs);
    }
    return quantized;
  }

  /**
   * Weights rounded to the type when packed, inputs quantized and widened again, if at all, float32
   * products. In panels of outputs, each of which fits an array.
   */
  final class Floating implements ReferenceProduct {
    private static final int MAX_ELEMENTS = 1 << 28;

    private final List<Nd4jMatrix> panels = new ArrayList<>();
    private final RowQuantizer quantizer;
    private final int inputs;
    private final int outputs;

    Floating(LinearForm.Floating form) {
      this(form, MAX_ELEMENTS);
    }

    Floating(LinearForm.Floating form, int maxElements) {
      WeightRows weight = form.weight();
      this.quantizer = form.inputs();
      this.inputs = weight.columns();
      this.outputs = weight.rows();
      int most = Math.max(1, maxElements / inputs);
      float[] row = new float[inputs];
      for (int first = 0; first < outputs; first += most) {
        int panel = Math.min(most, outputs - first);
        float[] values = new float[panel * inputs];
        for (int o = 0; o < panel; o++) {
          weight.row(first + o, row);
          Schemes.round(weight, first + o, row, form.type());
          System.arraycopy(row, 0, values, o * inputs, inputs);
        }
        panels.add(new Nd4jMatrix(values, panel, inputs, Nd4jMatrix.ROUNDED_TILE));
      }
    }

    @Override
    public void multiply(float[] x, int rows, float[] y) {
      float[] quantized = quantized(quantizer, x, rows, inputs);
      int done = 0;
      for (Nd4jMatrix panel : panels) {
        int first = done;
        panel.multiply(
            quantized,
            rows,
            inputs,
            0,
            (row, real, product) -> {
              for (int t = 0; t < real; t++) {
                int to = (row + t) * outputs + first;
                System.arraycopy(product, t * panel.outputs(), y, to, panel.outputs());
              }
            });
        done += panel.outputs();
      }
    }

    @Override
    public long bytes() {
      return panels.stream().mapToLong(Nd4jMatrix::bytes).sum();
    }

    @Override
    public void close() {
      panels.forEach(Nd4jMatrix::close);
    }
  }

  /**
   * Inputs quantized and widened again, if at all. Codes stay packed; a panel of outputs at a time
   * is unpacked and multiplied.
   */
  final class Coded implements ReferenceProduct {
    private static final int PANEL = 256;

    private final CodedWeight weight;
    private final RowQuantizer quantizer;
    private final FloatType type;

    Coded(LinearForm.Coded form) {
      this.type = form.type();
      this.weight = form.weight();
      this.quantizer = form.inputs();
    }

    @Override
    public void multiply(float[] x, int rows, float[] y) {
      int inputs = weight.columns();
      int outputs = weight.rows();
      float[] quantized = quantized(quantizer, x, rows, inputs);
      if (quantizer != null) {
        quantized = type.rounded(quantized);
      }
      float[] row = new float[inputs];
      for (int first = 0; first < outputs; first += PANEL) {
        int panel = Math.min(PANEL, outputs - first);
        float[] unpacked = new float[panel * inputs];
        for (int o = 0; o < panel; o++) {
          weight.row(first + o, row);
          System.arraycopy(type.rounded(row), 0, unpacked, o * inputs, inputs);
        }
        int panelStart = first;
        try (Nd4jMatrix matrix = new Nd4jMatrix(unpacked, panel, inputs, Nd4jMatrix.ROUNDED_TILE)) {
          matrix.multiply(
              quantized,
              rows,
              inputs,
              0,
              (from, real, product) -> {
                for (int t = 0; t < real; t++) {
                  System.arraycopy(product, t * panel, y, (from + t) * outputs + panelStart, panel);
                }
              });
        }
      }
    }

    @Override
    public long bytes() {
      return weight.bytes();
    }

    @Override
    public void close() {}
  }

  /**
   * {@code acc · s_x · s_w}. The codes are held as float32 in slices whose sums float32 BLAS makes
   * exactly, in whatever order; slices are added as int32.
   */
  final class IntegerCodes implements ReferenceProduct {
    private static final int SLICE = Vectorwise.FLOAT32_SUM;

    private final List<Nd4jMatrix> slices = new ArrayList<>();
    private final float[] scales;
    private final int outputs;
    private final int inputs;

    private final RowQuantizer quantizer;

    IntegerCodes(LinearForm.IntegerProduct form) {
      this.quantizer = form.inputs();
      QuantizedWeight weight = form.weight();
      if (weight.group() != weight.columns()) {
        throw new IllegalArgumentException(
            weight.name() + ": integer products need one scale a row");
      }
      this.outputs = weight.rows();
      this.inputs = weight.columns();
      this.scales = weight.scales();
      for (int from = 0; from < inputs; from += SLICE) {
        int width = Math.min(SLICE, inputs - from);
        float[] slice = new float[outputs * width];
        for (int o = 0; o < outputs; o++) {
          for (int i = 0; i < width; i++) {
            slice[o * width + i] = weight.codes()[o * inputs + from + i];
          }
        }
        slices.add(new Nd4jMatrix(slice, outputs, width, Nd4jMatrix.EXACT_TILE));
      }
    }

    @Override
    public void multiply(float[] x, int rows, float[] y) {
      float[] codes = new float[rows * inputs];
      float[] rowScales = new float[rows];
      byte[] row = new byte[inputs];
      for (int t = 0; t < rows; t++) {
        rowScales[t] =
            quantizer == null
                ? Vectorwise.quantize(x, t * inputs, inputs, Vectorwise.LEVELS_8_BIT, row, 0)
                : quantizer.codes(x, t * inputs, inputs, row, 0);
        for (int i = 0; i < inputs; i++) {
          codes[t * inputs + i] = row[i];
        }
      }
      int[] acc = new int[rows * outputs];
      for (int s = 0; s < slices.size(); s++) {
        slices
            .get(s)
            .multiply(
                codes,
                rows,
                inputs,
                s * SLICE,
                (first, real, product) -> {
                  for (int t = 0; t < real; t++) {
                    for (int o = 0; o < outputs; o++) {
                      acc[(first + t) * outputs + o] += (int) product[t * outputs + o];
                    }
                  }
                });
      }
      for (int t = 0; t < rows; t++) {
        for (int o = 0; o < outputs; o++) {
          y[t * outputs + o] = acc[t * outputs + o] * rowScales[t] * scales[o];
        }
      }
    }

    @Override
    public long bytes() {
      return slices.stream().mapToLong(Nd4jMatrix::bytes).sum()
          + (long) scales.length * Float.BYTES;
    }

    @Override
    public void close() {
      slices.forEach(Nd4jMatrix::close);
    }
  }
}
