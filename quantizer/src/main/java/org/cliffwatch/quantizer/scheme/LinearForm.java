package org.cliffwatch.quantizer.scheme;

import java.util.Objects;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.WeightRows;

/** What a linear layer multiplies by, and how: all a backend needs to know of a scheme. */
public sealed interface LinearForm {
  /** Whether an input that is made ready for this is ready for the other too. */
  default boolean sharesInput(LinearForm other) {
    return getClass() == other.getClass() && Objects.equals(inputs(), other.inputs());
  }

  /** Ŵ (outputs, inputs) in float32: what inputs are multiplied by. */
  WeightRows weights();

  /** How inputs are quantized, where a checkpoint says; else null. */
  default RowQuantizer inputs() {
    return null;
  }

  /**
   * {@code y = x̂ Wᵀ}, W rounded to {@code type}, products accumulated in float32.
   *
   * @param inputs how x̂ is made of x, in float32 alone; null: it is x
   */
  record Floating(WeightRows weight, FloatType type, RowQuantizer inputs) implements LinearForm {
    public Floating {
      if (inputs != null && type != FloatType.FLOAT32) {
        throw new IllegalArgumentException(
            "%s: inputs become %s, which %s rounds again"
                .formatted(weight.name(), inputs.describe(), type));
      }
    }

    /** Of inputs as they are. */
    public Floating(WeightRows weight, FloatType type) {
      this(weight, type, null);
    }

    @Override
    public WeightRows weights() {
      return new RoundedRows(weight, type);
    }
  }

  /**
   * {@code y = x Ŵᵀ} with {@code ŵ = code · scale} in float32, unpacked while multiplying; inputs
   * as they are.
   */
  record WeightOnly(QuantizedWeight weight) implements LinearForm {
    @Override
    public WeightRows weights() {
      return new DequantizedRows(weight);
    }
  }

  /**
   * {@code y = x̂ Ŵᵀ} with a weight in blocks of any kind, unpacked while multiplying; x̂ and Ŵ
   * rounded to {@code type}, products accumulated in float32.
   *
   * @param inputs how x̂ is made of x; null: it is x
   */
  record Coded(CodedWeight weight, RowQuantizer inputs, FloatType type) implements LinearForm {
    @Override
    public WeightRows weights() {
      return new RoundedRows(weight, type);
    }
  }

  /**
   * Each input row is quantized as it comes, to codes of 8 bits and a scale; {@code y = acc · s_x ·
   * s_w} with {@code acc} the exact int32 product of the codes.
   *
   * @param inputs how; null: {@link Vectorwise#quantize} to 127 levels
   */
  record IntegerProduct(QuantizedWeight weight, RowQuantizer inputs) implements LinearForm {
    /** Of inputs that are quantized as the weights are. */
    IntegerProduct(QuantizedWeight weight) {
      this(weight, null);
    }

    @Override
    public WeightRows weights() {
      return new DequantizedRows(weight);
    }
  }

  /** A weight rounded to a type. */
  record RoundedRows(WeightRows weight, FloatType type) implements ChangedRows {
    @Override
    public void row(int r, float[] out) {
      weight.row(r, out);
      for (int c = 0; c < columns(); c++) {
        out[c] = type.round(out[c]);
      }
    }
  }

  /** What codes and scales stand for. */
  record DequantizedRows(QuantizedWeight weight) implements WeightRows {
    @Override
    public String name() {
      return weight.name();
    }

    @Override
    public int rows() {
      return weight.rows();
    }

    @Override
    public int columns() {
      return weight.columns();
    }

    @Override
    public void row(int r, float[] out) {
      weight.dequantize(r, out);
    }
  }
}
