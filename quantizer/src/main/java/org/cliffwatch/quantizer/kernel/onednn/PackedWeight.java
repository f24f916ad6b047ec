package org.cliffwatch.quantizer.kernel.onednn;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC;
import static org.bytedeco.dnnl.global.dnnl.dnnl_a;
import static org.bytedeco.dnnl.global.dnnl.dnnl_f32;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_desc_destroy;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_desc_get_size;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_destroy;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_get_data_handle;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_desc_destroy;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_destroy;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_execute;
import static org.bytedeco.dnnl.global.dnnl.dnnl_reorder_primitive_desc_create;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.bytedeco.dnnl.dnnl_exec_arg_t;
import org.bytedeco.dnnl.dnnl_memory;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.dnnl.dnnl_primitive;
import org.bytedeco.dnnl.dnnl_primitive_desc;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;

/** A weight in oneDNN's own memory and blocked layout, read by any number of threads. */
final class PackedWeight implements AutoCloseable {
  /** {@code DNNL_MEMORY_ALLOCATE}: the library allocates and frees the memory. */
  private static final Pointer ALLOCATE =
      new Pointer() {
        {
          address = -1;
        }
      };

  private final dnnl_memory memory;
  private final dnnl_memory scales;
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
    ElementType type = matmul.product().weight();
    int inputs = matmul.inputs();
    memory = allocate(library, matmul.weights());
    try {
      if (matmul.product().blocked()) {
        pack(library, matmul, outputs, rows);
      } else {
        int stride = matmul.outputs();
        ByteBuffer packed = buffer(memory, dnnl_memory_desc_get_size(matmul.weights()));
        packed.put(new byte[packed.capacity()]);
        write(rows, inputs, outputs, (o, i, value) -> type.put(packed, i * stride + o, value));
      }
    } catch (RuntimeException | Error e) {
      OneDnn.check(dnnl_memory_destroy(memory), "dnnl_memory_destroy");
      throw e;
    }
    this.scales = scales == null ? null : copy(library, Arrays.copyOf(scales, matmul.outputs()));
    bytes =
        dnnl_memory_desc_get_size(matmul.weights())
            + (scales == null ? 0 : (long) Float.BYTES * matmul.outputs());
  }

  /** By way of plain rows (outputs, inputs), which the library reorders. */
  private void pack(OneDnn library, Matmul matmul, int outputs, Rows rows) {
    ElementType type = matmul.product().weight();
    int inputs = matmul.inputs();
    dnnl_memory_desc plain = matmul.plainWeights();
    dnnl_memory unpacked = allocate(library, plain);
    try {
      ByteBuffer bytes = buffer(unpacked, dnnl_memory_desc_get_size(plain));
      write(rows, inputs, outputs, (o, i, value) -> type.put(bytes, o * inputs + i, value));
      reorder(library, plain, unpacked, matmul.weights(), memory);
    } finally {
      OneDnn.check(dnnl_memory_destroy(unpacked), "dnnl_memory_destroy");
      OneDnn.check(dnnl_memory_desc_destroy(plain), "dnnl_memory_desc_destroy");
    }
  }

  private interface Element {
    void put(int output, int input, float value);
  }

  private static void write(Rows rows, int inputs, int outputs, Element element) {
    float[] row = new float[inputs];
    for (int o = 0; o < outputs; o++) {
      Arrays.fill(row, 0);
      rows.row(o, row);
      for (int i = 0; i < inputs; i++) {
        element.put(o, i, row[i]);
      }
    }
  }

  private static dnnl_memory allocate(OneDnn library, dnnl_memory_desc descriptor) {
    dnnl_memory memory = new dnnl_memory();
    OneDnn.check(
        dnnl_memory_create(memory, descriptor, library.engine(), ALLOCATE), "dnnl_memory_create");
    return memory;
  }

  private static ByteBuffer buffer(dnnl_memory memory, long size) {
    try (PointerPointer<BytePointer> handle = new PointerPointer<>(1)) {
      OneDnn.check(dnnl_memory_get_data_handle(memory, handle), "dnnl_memory_get_data_handle");
      BytePointer bytes = new BytePointer(handle.get(0));
      return bytes.capacity(Math.toIntExact(size)).asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }
  }

  private static dnnl_memory copy(OneDnn library, float[] scales) {
    dnnl_memory_desc descriptor = Matmul.descriptor(dnnl_f32, dnnl_a, scales.length);
    dnnl_memory memory = allocate(library, descriptor);
    buffer(memory, dnnl_memory_desc_get_size(descriptor)).asFloatBuffer().put(scales);
    OneDnn.check(dnnl_memory_desc_destroy(descriptor), "dnnl_memory_desc_destroy");
    return memory;
  }

  private static void reorder(
      OneDnn library,
      dnnl_memory_desc fromLayout,
      dnnl_memory from,
      dnnl_memory_desc toLayout,
      dnnl_memory to) {
    dnnl_primitive_desc description = new dnnl_primitive_desc();
    OneDnn.check(
        dnnl_reorder_primitive_desc_create(
            description, fromLayout, library.engine(), toLayout, library.engine(), null),
        "dnnl_reorder_primitive_desc_create");
    dnnl_primitive primitive = new dnnl_primitive();
    OneDnn.check(dnnl_primitive_create(primitive, description), "dnnl_primitive_create");
    try (dnnl_exec_arg_t arguments = new dnnl_exec_arg_t(2)) {
      arguments.position(0).arg(DNNL_ARG_SRC).memory(from);
      arguments.position(1).arg(DNNL_ARG_DST).memory(to);
      arguments.position(0);
      OneDnn.check(
          dnnl_primitive_execute(primitive, library.stream(), 2, arguments),
          "dnnl_primitive_execute");
    }
    OneDnn.check(dnnl_primitive_destroy(primitive), "dnnl_primitive_destroy");
    OneDnn.check(dnnl_primitive_desc_destroy(description), "dnnl_primitive_desc_destroy");
  }

  dnnl_memory memory() {
    return memory;
  }

  dnnl_memory scales() {
    return scales;
  }

  long bytes() {
    return bytes;
  }

  @Override
  public void close() {
    OneDnn.check(dnnl_memory_destroy(memory), "dnnl_memory_destroy");
    if (scales != null) {
      OneDnn.check(dnnl_memory_destroy(scales), "dnnl_memory_destroy");
    }
  }
}
