package org.cliffwatch.quantizer.kernel.onednn;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.bytedeco.dnnl.dnnl_memory;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.vector.CodeUnpacker;
import org.cliffwatch.quantizer.kernel.vector.VectorRounding;
import org.cliffwatch.quantizer.scheme.CodedWeight;

/**
 * Room for some rows of a weight that is unpacked as it is multiplied, in the layout of a matmul of
 * so many outputs. One thread's.
 */
final class Panel implements AutoCloseable {
  private final int outputs;
  private final float[] row;
  private final Owned<dnnl_memory_desc> plainLayout;
  private final Owned<dnnl_memory> plain;
  private final Owned<dnnl_memory> blocked;
  private final Reorder reorder;
  private final ByteBuffer rows;
  private final Product product;

  Panel(OneDnn library, Matmul matmul) {
    outputs = matmul.outputs();
    product = matmul.product();
    row = new float[CodeUnpacker.width(matmul.inputs())];
    plainLayout = matmul.plainWeights();
    plain = Owned.memory(library, plainLayout.get());
    blocked = Owned.memory(library, matmul.weights());
    reorder = new Reorder(library, plainLayout.get(), matmul.weights());
    rows = PackedWeight.buffer(plain.get(), plainLayout.get());
  }

  /**
   * Unpacks rows {@code [first, first + count)}, rounded to the type; outputs beyond them are zero.
   */
  dnnl_memory fill(CodedWeight weight, int first, int count, FloatType type) {
    int width = weight.columns();
    for (int o = 0; o < outputs; o++) {
      if (o < count) {
        CodeUnpacker.row(weight, first + o, row);
        if (product != Product.BFLOAT16) { // which packing rounds to
          VectorRounding.round(type, row, 0, width);
        }
      } else {
        Arrays.fill(row, 0);
      }
      CodedLinear.pack(product, row, 0, width, rows, o * product.rowBytes(width));
    }
    reorder.execute(plain.get(), blocked.get());
    return blocked.get();
  }

  @Override
  public void close() {
    reorder.close();
    blocked.close();
    plain.close();
    plainLayout.close();
  }
}
