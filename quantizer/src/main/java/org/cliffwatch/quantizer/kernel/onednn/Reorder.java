package org.cliffwatch.quantizer.kernel.onednn;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_execute;
import static org.bytedeco.dnnl.global.dnnl.dnnl_reorder_primitive_desc_create;

import org.bytedeco.dnnl.dnnl_exec_arg_t;
import org.bytedeco.dnnl.dnnl_memory;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.dnnl.dnnl_primitive;
import org.bytedeco.dnnl.dnnl_primitive_desc;

/** Copies a matrix from one layout to another. One thread's. */
final class Reorder implements AutoCloseable {
  private final OneDnn library;
  private final Owned<dnnl_primitive> primitive;
  private final dnnl_exec_arg_t arguments = new dnnl_exec_arg_t(2);

  Reorder(OneDnn library, dnnl_memory_desc from, dnnl_memory_desc to) {
    this.library = library;
    dnnl_primitive_desc reorder = new dnnl_primitive_desc();
    int status =
        dnnl_reorder_primitive_desc_create(
            reorder, from, library.engine(), to, library.engine(), null);
    try (Owned<dnnl_primitive_desc> description =
        Owned.description(status, "dnnl_reorder_primitive_desc_create", reorder)) {
      primitive = Owned.primitive(description.get());
    }
  }

  void execute(dnnl_memory from, dnnl_memory to) {
    arguments.position(0).arg(DNNL_ARG_SRC).memory(from);
    arguments.position(1).arg(DNNL_ARG_DST).memory(to);
    arguments.position(0);
    OneDnn.check(
        dnnl_primitive_execute(primitive.get(), library.stream(), 2, arguments),
        "dnnl_primitive_execute");
  }

  @Override
  public void close() {
    primitive.close();
    arguments.close();
  }
}
