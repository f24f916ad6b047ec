package org.cliffwatch.quantizer.kernel.onednn;

import java.nio.ByteBuffer;
import java.util.List;
import org.cliffwatch.quantizer.kernel.vector.RowPacker;
import org.cliffwatch.quantizer.kernel.vector.TileReader;
import org.cliffwatch.quantizer.scheme.RowQuantizer;

/**
 * A weight ready to multiply: {@code y = x Wᵀ}, with the scales that are applied to the product.
 *
 * @param matmuls by descending rows; one, unless the product is of integers
 * @param inputs before packing
 * @param outputs before packing
 * @param weightScales (outputs) for integer products, else null
 * @param quantizer of inputs; null: for integer products {@link RowPacker}'s own, else as they are
 */
record Layer(
    Product product,
    List<Matmul> matmuls,
    PackedWeight weight,
    int inputs,
    int outputs,
    float[] weightScales,
    RowQuantizer quantizer)
    implements AutoCloseable {

  /** The matmul of so many rows; null if there is none. */
  Matmul matmul(int rows) {
    return matmuls.stream().filter(m -> m.rows() == rows).findFirst().orElse(null);
  }

  /**
   * Packs rows of x for {@link Workspace#multiply}.
   *
   * @param at start of the first row in x
   * @param to byte of the source
   * @param scales receives the rows' scales, for integer products
   */
  void pack(float[] x, int at, int rows, ByteBuffer source, int to, float[] scales) {
    int bytes = product.rowBytes(inputs);
    int width = product.packedInputs(inputs);
    for (int t = 0; t < rows; t++) {
      int row = at + t * inputs;
      switch (product) {
        case INT8 ->
            scales[t] =
                quantizer == null
                    ? RowPacker.quantize(x, row, inputs, source, to + t * bytes)
                    : RowPacker.quantize(quantizer, x, row, inputs, source, to + t * bytes);
        case INT8_IN_FLOAT32 ->
            scales[t] =
                quantizer == null
                    ? RowPacker.quantizeToFloat32(x, row, inputs, source, to + t * bytes, width)
                    : RowPacker.quantizeToFloat32(
                        quantizer, x, row, inputs, source, to + t * bytes, width);
        case BFLOAT16 -> RowPacker.bfloat16(x, row, inputs, source, to + t * bytes);
        case FLOAT32 -> {
          if (quantizer == null) {
            RowPacker.float32(x, row, inputs, source, to + t * bytes);
          } else {
            RowPacker.quantizeAndWiden(quantizer, x, row, inputs, source, to + t * bytes);
          }
        }
        default -> RowPacker.float32(x, row, inputs, source, to + t * bytes);
      }
    }
  }

  /** The byte of a product where row {@code t} begins. */
  int at(int t) {
    Matmul matmul = matmuls.get(0);
    return t * matmul.slices() * matmul.outputs() * Float.BYTES;
  }

  /** Writes a row of the product, scaled and with the bias, to {@code y[to .. to + outputs)}. */
  void finish(ByteBuffer products, int t, float inputScale, float[] bias, float[] y, int to) {
    int from = at(t);
    if (product.integer()) {
      TileReader.joinSlices(products, from, outputs, matmuls.get(0).slices());
      TileReader.dequantize(products, from, outputs, inputScale, weightScales, bias, y, to);
    } else {
      TileReader.addBias(products, from, outputs, bias, y, to);
    }
  }

  long bytes() {
    return weight.bytes() + (weightScales == null ? 0 : (long) Float.BYTES * weightScales.length);
  }

  @Override
  public void close() {
    weight.close();
  }
}
