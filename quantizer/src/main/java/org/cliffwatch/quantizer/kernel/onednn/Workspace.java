package org.cliffwatch.quantizer.kernel.onednn;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_ATTR_SCALES;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SCRATCHPAD;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_WEIGHTS;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_desc_get_size;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_set_data_handle;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_execute;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.dnnl.dnnl_exec_arg_t;
import org.bytedeco.dnnl.dnnl_memory;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.javacpp.BytePointer;

/**
 * One stream's buffers: the packed input rows of a tile, the product of a tile, oneDNN's scratch.
 * Used by one thread at a time; shared by all layers, so that they stay in the cache.
 */
final class Workspace implements AutoCloseable {
  private static final int ALIGNMENT = 64;
  private static final int WEIGHTS = 0;
  private static final int SCALES = 4;

  private final OneDnn library;
  private final Buffer source = new Buffer();
  private final Buffer destination = new Buffer();
  private final Buffer scratchpad = new Buffer();
  private final Map<Matmul, Call> calls = new IdentityHashMap<>();
  private final Map<Matmul, Panel> panels = new IdentityHashMap<>();
  private float[] scales = new float[0];

  Workspace(OneDnn library) {
    this.library = library;
  }

  /** At least that many bytes for packed input rows; what was there is lost. */
  ByteBuffer source(int bytes) {
    return source.atLeast(bytes);
  }

  /** At least that many floats for the input rows' scales. */
  float[] scales(int rows) {
    if (scales.length < rows) {
      scales = new float[rows];
    }
    return scales;
  }

  /**
   * Multiplies the packed rows at byte {@code from} of {@link #source}.
   *
   * @return the product (rows, outputs) float32, valid until the next call
   */
  ByteBuffer multiply(Matmul matmul, PackedWeight weight, int from) {
    Call call = calls.computeIfAbsent(matmul, Call::new);
    call.execute(weight.memory(), matmul.product().scaled() ? weight.scales() : null, from);
    return destination.bytes;
  }

  /** As {@link #multiply(Matmul, PackedWeight, int)}, by a {@link #panel}. */
  ByteBuffer multiply(Matmul matmul, dnnl_memory panel, int from) {
    calls.computeIfAbsent(matmul, Call::new).execute(panel, null, from);
    return destination.bytes;
  }

  /** Room for a weight of the matmul's outputs. */
  Panel panel(Matmul matmul) {
    return panels.computeIfAbsent(matmul, shape -> new Panel(library, shape));
  }

  /** Native memory that grows, and whatever points at it. */
  private static final class Buffer {
    private final List<Owned<dnnl_memory>> views = new ArrayList<>();
    private ByteBuffer bytes;
    private BytePointer pointer;

    ByteBuffer atLeast(long size) {
      if (bytes == null || bytes.capacity() < size) {
        bytes =
            ByteBuffer.allocateDirect(Math.toIntExact(size) + ALIGNMENT)
                .alignedSlice(ALIGNMENT)
                .order(ByteOrder.LITTLE_ENDIAN);
        pointer = new BytePointer(bytes);
        for (Owned<dnnl_memory> view : views) {
          OneDnn.check(
              dnnl_memory_set_data_handle(view.get(), pointer), "dnnl_memory_set_data_handle");
        }
      }
      return bytes;
    }

    dnnl_memory view(OneDnn library, dnnl_memory_desc descriptor) {
      atLeast(Math.max(ALIGNMENT, dnnl_memory_desc_get_size(descriptor)));
      Owned<dnnl_memory> view = Owned.memory(library, descriptor, pointer);
      views.add(view);
      return view.get();
    }
  }

  /** The arguments of one matmul on these buffers. */
  private final class Call {
    private final Matmul matmul;
    private final dnnl_memory rows;
    private final dnnl_exec_arg_t arguments = new dnnl_exec_arg_t(SCALES + 1);
    private final int count;

    Call(Matmul matmul) {
      this.matmul = matmul;
      this.rows = source.view(library, matmul.source());
      argument(WEIGHTS, DNNL_ARG_WEIGHTS);
      argument(1, DNNL_ARG_SRC).memory(rows);
      argument(2, DNNL_ARG_DST).memory(destination.view(library, matmul.destination()));
      argument(3, DNNL_ARG_SCRATCHPAD).memory(scratchpad.view(library, matmul.scratchpad()));
      argument(SCALES, DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS);
      count = matmul.product().scaled() ? SCALES + 1 : SCALES;
    }

    private dnnl_exec_arg_t argument(int index, int kind) {
      return arguments.position(index).arg(kind);
    }

    /**
     * @param scales null unless the product is scaled
     */
    void execute(dnnl_memory weight, dnnl_memory scales, int from) {
      source.pointer.position(from);
      OneDnn.check(
          dnnl_memory_set_data_handle(rows, source.pointer), "dnnl_memory_set_data_handle");
      source.pointer.position(0);
      arguments.position(WEIGHTS).memory(weight);
      if (scales != null) {
        arguments.position(SCALES).memory(scales);
      }
      arguments.position(0);
      OneDnn.check(
          dnnl_primitive_execute(matmul.primitive(), library.stream(), count, arguments),
          "dnnl_primitive_execute");
    }
  }

  @Override
  public void close() {
    panels.values().forEach(Panel::close);
    for (Buffer buffer : List.of(source, destination, scratchpad)) {
      buffer.views.forEach(Owned::close);
    }
  }
}
