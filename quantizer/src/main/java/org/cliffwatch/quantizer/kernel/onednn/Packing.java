package org.cliffwatch.quantizer.kernel.onednn;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.InstructionSet;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.scheme.LinearForm;
import org.cliffwatch.quantizer.scheme.QuantizedWeight;
import org.cliffwatch.quantizer.scheme.RowQuantizer;
import org.cliffwatch.quantizer.scheme.Schemes;

/**
 * Chooses the product for a form of weight and packs the weight for it, in several layers of some
 * of its outputs each where it is very large.
 */
final class Packing {
  /**
   * Elements of one layer's weight: 1 GiB of float32. Every offset in it is an int then, here and
   * in the library's routines; a layer of BLOOM-176B has three times as many.
   */
  static final int MAX_ELEMENTS = 1 << 28;

  /** Blocks of outputs are multiples of it, so that all but the last fill oneDNN's own blocks. */
  private static final int ALIGNMENT = 64;

  /** 255 · 128 · inputs stays below 2³¹: the sum that oneDNN makes of shifted codes. */
  private static final int MAX_INTEGER_INPUTS = Integer.MAX_VALUE / (255 * 128);

  private final OneDnn library;
  private final Matmuls matmuls;
  private final int maxElements;

  Packing(OneDnn library) {
    this(library, MAX_ELEMENTS);
  }

  Packing(OneDnn library, int maxElements) {
    this.library = library;
    this.matmuls = new Matmuls(library);
    this.maxElements = maxElements;
  }

  OneDnn library() {
    return library;
  }

  /** Layers whose outputs, one after another, are those of the form. */
  List<Layer> pack(LinearForm form) {
    if (form instanceof LinearForm.Floating floating) {
      WeightRows weight = floating.weight();
      return blocks(
          weight.rows(),
          weight.columns(),
          (first, outputs) -> floating(weight, floating.type(), floating.inputs(), first, outputs));
    }
    if (form instanceof LinearForm.WeightOnly weightOnly) {
      QuantizedWeight weight = weightOnly.weight();
      return blocks(
          weight.rows(), weight.columns(), (first, outputs) -> weightOnly(weight, first, outputs));
    }
    LinearForm.IntegerProduct integers = (LinearForm.IntegerProduct) form;
    QuantizedWeight weight = integers.weight();
    return blocks(
        weight.rows(),
        weight.columns(),
        (first, outputs) -> integer(weight, integers.inputs(), first, outputs));
  }

  /** Tiles of rows by a panel of a {@link CodedLinear}. */
  Matmul panels(int inputs, FloatType type) {
    Product product =
        type == FloatType.BFLOAT16 && hasBfloat16() ? Product.BFLOAT16 : Product.FLOAT32;
    return matmuls.of(product, inputs, CodedLinear.PANEL).get(0);
  }

  private boolean hasBfloat16() {
    return library.instructionSet().includes(InstructionSet.AVX512_BF16);
  }

  private interface Block {
    Layer pack(int first, int outputs);
  }

  private List<Layer> blocks(int outputs, int inputs, Block block) {
    int fit = Math.max(1, maxElements / inputs);
    int most = fit < ALIGNMENT ? fit : fit - fit % ALIGNMENT;
    List<Layer> layers = new ArrayList<>();
    try {
      for (int first = 0; first < outputs; first += most) {
        layers.add(block.pack(first, Math.min(most, outputs - first)));
      }
    } catch (RuntimeException | Error e) {
      layers.forEach(Layer::close);
      throw e;
    }
    return layers;
  }

  /** Rows {@code [first, first + outputs)} of a weight, rounded to the type. */
  Layer floating(WeightRows weight, FloatType type, int first, int outputs) {
    return floating(weight, type, null, first, outputs);
  }

  private Layer floating(
      WeightRows weight, FloatType type, RowQuantizer quantizer, int first, int outputs) {
    Product product =
        switch (type) {
          case BFLOAT16 -> hasBfloat16() ? Product.BFLOAT16 : Product.FLOAT32_BY_BFLOAT16;
          case FLOAT16 -> Product.FLOAT32_BY_FLOAT16;
          case FLOAT32 -> Product.FLOAT32;
        };
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
              Schemes.round(weight, first + o, values, type);
              for (int c = 0; c < inputs; c++) {
                row[product.place(c)] = values[c];
              }
            });
    return new Layer(product, tiles, packed, inputs, outputs, null, quantizer);
  }

  private Layer weightOnly(QuantizedWeight weight, int first, int outputs) {
    Product product = weight.bits() <= 4 ? Product.FLOAT32_BY_INT4 : Product.FLOAT32_BY_INT8;
    requireRowScales(weight);
    float[] scales = Arrays.copyOfRange(weight.scales(), first, first + outputs);
    List<Matmul> tiles = matmuls.of(product, weight.columns(), outputs);
    PackedWeight packed =
        new PackedWeight(library, tiles.get(0), scales, outputs, codes(product, weight, first));
    return new Layer(product, tiles, packed, weight.columns(), outputs, null, null);
  }

  private Layer integer(QuantizedWeight weight, RowQuantizer quantizer, int first, int outputs) {
    requireRowScales(weight);
    if (weight.columns() > MAX_INTEGER_INPUTS) {
      throw new InvalidInputException(
          "%s: %s inputs; exact integer products have at most %s"
              .formatted(weight.name(), weight.columns(), MAX_INTEGER_INPUTS));
    }
    boolean vnni = library.instructionSet().hasVnni();
    Product product = vnni ? Product.INT8 : Product.INT8_IN_FLOAT32;
    float[] scales = Arrays.copyOfRange(weight.scales(), first, first + outputs);
    List<Matmul> tiles = matmuls.of(product, weight.columns(), outputs);
    PackedWeight packed =
        new PackedWeight(library, tiles.get(0), null, outputs, codes(product, weight, first));
    return new Layer(product, tiles, packed, weight.columns(), outputs, scales, quantizer);
  }

  private static PackedWeight.Rows codes(Product product, QuantizedWeight weight, int first) {
    int inputs = weight.columns();
    return (o, row) -> {
      for (int c = 0; c < inputs; c++) {
        row[product.place(c)] = weight.codes()[(first + o) * inputs + c];
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
