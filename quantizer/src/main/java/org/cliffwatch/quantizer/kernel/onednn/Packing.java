package org.cliffwatch.quantizer.kernel.onednn;

import java.util.List;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.InstructionSet;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.scheme.LinearForm;
import org.cliffwatch.quantizer.scheme.QuantizedWeight;
import org.cliffwatch.quantizer.scheme.Schemes;

/** Chooses the product for a form of weight and packs the weight for it. */
final class Packing {
  /** 255 · 127 · inputs stays below 2³¹: the sum that oneDNN makes of shifted codes. */
  private static final int MAX_INTEGER_INPUTS = Integer.MAX_VALUE / (255 * 127);

  private final OneDnn library;
  private final Matmuls matmuls;

  Packing(OneDnn library) {
    this.library = library;
    this.matmuls = new Matmuls(library);
  }

  Layer pack(LinearForm form) {
    if (form instanceof LinearForm.Floating floating) {
      WeightRows weight = floating.weight();
      return floating(weight, floating.type(), 0, weight.rows());
    }
    if (form instanceof LinearForm.WeightOnly weightOnly) {
      return weightOnly(weightOnly.weight());
    }
    return integer(((LinearForm.IntegerProduct) form).weight());
  }

  /** Rows {@code [first, first + outputs)} of a weight, rounded to the type. */
  Layer floating(WeightRows weight, FloatType type, int first, int outputs) {
    return switch (type) {
      case BFLOAT16 -> {
        boolean products = library.instructionSet().includes(InstructionSet.AVX512_BF16);
        Product product = products ? Product.BFLOAT16 : Product.FLOAT32_BY_BFLOAT16;
        yield floating(product, weight, type, first, outputs);
      }
      case FLOAT16 -> floating(Product.FLOAT32_BY_FLOAT16, weight, type, first, outputs);
      case FLOAT32 -> floating(Product.FLOAT32, weight, type, first, outputs);
    };
  }

  private Layer floating(
      Product product, WeightRows weight, FloatType type, int first, int outputs) {
    int inputs = weight.columns();
    List<Matmul> tiles = matmuls.of(product, inputs, outputs);
    float[] values = new float[inputs];
    PackedWeight packed =
        new PackedWeight(
            library,
            tiles.get(0),
            null,
            outputs,
            (o, row) -> {
              weight.row(first + o, values);
              for (int c = 0; c < inputs; c++) {
                if (!Float.isFinite(values[c])) {
                  throw Schemes.notFinite(weight, first + o, values);
                }
                row[product.place(c)] = type.round(values[c]);
              }
            });
    return new Layer(product, tiles, packed, inputs, outputs, null);
  }

  private Layer weightOnly(QuantizedWeight weight) {
    Product product = weight.bits() <= 4 ? Product.FLOAT32_BY_INT4 : Product.FLOAT32_BY_INT8;
    requireRowScales(weight);
    List<Matmul> tiles = matmuls.of(product, weight.columns(), weight.rows());
    PackedWeight packed =
        new PackedWeight(
            library, tiles.get(0), weight.scales(), weight.rows(), codes(product, weight));
    return new Layer(product, tiles, packed, weight.columns(), weight.rows(), null);
  }

  private Layer integer(QuantizedWeight weight) {
    requireRowScales(weight);
    if (weight.columns() > MAX_INTEGER_INPUTS) {
      throw new InvalidInputException(
          "%s: %s inputs; exact integer products have at most %s"
              .formatted(weight.name(), weight.columns(), MAX_INTEGER_INPUTS));
    }
    boolean vnni = library.instructionSet().hasVnni();
    Product product = vnni ? Product.INT8 : Product.INT8_IN_FLOAT32;
    List<Matmul> tiles = matmuls.of(product, weight.columns(), weight.rows());
    PackedWeight packed =
        new PackedWeight(library, tiles.get(0), null, weight.rows(), codes(product, weight));
    return new Layer(product, tiles, packed, weight.columns(), weight.rows(), weight.scales());
  }

  private static PackedWeight.Rows codes(Product product, QuantizedWeight weight) {
    int inputs = weight.columns();
    return (o, row) -> {
      for (int c = 0; c < inputs; c++) {
        row[product.place(c)] = weight.codes()[o * inputs + c];
      }
    };
  }

  private static void requireRowScales(QuantizedWeight weight) {
    if (weight.group() != weight.columns()) {
      throw new IllegalArgumentException(
          "%s: groups of %s columns; this backend multiplies by one scale a row"
              .formatted(weight.name(), weight.group()));
    }
  }
}
