package org.cliffwatch.quantizer.kernel.onednn;

import static org.bytedeco.dnnl.global.dnnl.dnnl_a;
import static org.bytedeco.dnnl.global.dnnl.dnnl_f32;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_desc_get_size;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_get_data_handle;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.bytedeco.dnnl.dnnl_memory;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerPointer;

/**
 * A weight in oneDNN's own memory and blocked layout, read by any number of threads. Of at most
 * {@link Packing#MAX_ELEMENTS} elements, so that an index of one is an int.
 */
final class PackedWeight implements AutoCloseable {
  private final Owned<dnnl_memory> memory;
  private final Owned<dnnl_memory> scales;
  private final long bytes;

  /** Rows of a weight. */
  interface Rows {
    /**
     * Writes row {@code output} in the order of a packed input row.
     *
     * @param row (inputs), zero before the call
     */
    void row(int output, float[] row);
  }

  /**
   * Packs a weight for a shape.
   *
   * @param scales (outputs) or null when the product is not scaled
   * @param outputs rows to ask for; what the matmul has beyond them is zero
   */
  PackedWeight(OneDnn library, Matmul matmul, float[] scales, int outputs, Rows rows) {
    memory = Owned.memory(library, matmul.weights());
    try {
      if (matmul.product().blocked()) {
        pack(library, matmul, outputs, rows);
      } else {
        ElementType type = matmul.product().weight();
        int stride = matmul.outputs();
        ByteBuffer packed = buffer(memory.get(), matmul.weights());
        write(matmul, outputs, rows, (o, i, value) -> type.put(packed, i * stride + o, value));
      }
      this.scales = scales == null ? null : copy(library, Arrays.copyOf(scales, matmul.outputs()));
    } catch (RuntimeException | Error e) {
      memory.close();
      throw e;
    }
    bytes =
        dnnl_memory_desc_get_size(matmul.weights())
            + (scales == null ? 0 : (long) Float.BYTES * matmul.outputs());
  }

  /** By way of plain rows (outputs, inputs), which the library reorders. */
  private void pack(OneDnn library, Matmul matmul, int outputs, Rows rows) {
    ElementType type = matmul.product().weight();
    int inputs = matmul.inputs();
    try (Owned<dnnl_memory_desc> plain = matmul.plainWeights();
        Owned<dnnl_memory> unpacked = Owned.memory(library, plain.get())) {
      ByteBuffer bytes = buffer(unpacked.get(), plain.get());
      write(matmul, outputs, rows, (o, i, value) -> type.put(bytes, o * inputs + i, value));
      try (Reorder reorder = new Reorder(library, plain.get(), matmul.weights())) {
        reorder.execute(unpacked.get(), memory.get());
      }
    }
  }

  private interface Element {
    void put(int output, int input, float value);
  }

  private static void write(Matmul matmul, int outputs, Rows rows, Element element) {
    float[] row = new float[matmul.inputs()];
    for (int o = 0; o < matmul.outputs(); o++) {
      Arrays.fill(row, 0);
      if (o < outputs) {
        rows.row(o, row);
      }
      for (int i = 0; i < row.length; i++) {
        element.put(o, i, row[i]);
      }
    }
  }

  /** The memory itself. */
  static ByteBuffer buffer(dnnl_memory memory, dnnl_memory_desc layout) {
    int size = Math.toIntExact(dnnl_memory_desc_get_size(layout));
    try (PointerPointer<BytePointer> handle = new PointerPointer<>(1)) {
      OneDnn.check(dnnl_memory_get_data_handle(memory, handle), "dnnl_memory_get_data_handle");
      BytePointer bytes = new BytePointer(handle.get(0));
      return bytes.capacity(size).asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }
  }

  private static Owned<dnnl_memory> copy(OneDnn library, float[] scales) {
    try (Owned<dnnl_memory_desc> layout = Owned.layout(dnnl_f32, dnnl_a, scales.length)) {
      Owned<dnnl_memory> memory = Owned.memory(library, layout.get());
      buffer(memory.get(), layout.get()).asFloatBuffer().put(scales);
      return memory;
    }
  }

  dnnl_memory memory() {
    return memory.get();
  }

  dnnl_memory scales() {
    return scales.get();
  }

  long bytes() {
    return bytes;
  }

  @Override
  public void close() {
    memory.close();
    if (scales != null) {
      scales.close();
    }
  }
}
