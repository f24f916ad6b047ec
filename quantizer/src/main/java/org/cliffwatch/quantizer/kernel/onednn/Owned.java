package org.cliffwatch.quantizer.kernel.onednn;

import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_desc_clone;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_desc_create_with_strides;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_desc_create_with_tag;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_desc_destroy;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_destroy;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_attr_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_attr_destroy;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_desc_destroy;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_destroy;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.bytedeco.dnnl.dnnl_memory;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.dnnl.dnnl_primitive;
import org.bytedeco.dnnl.dnnl_primitive_attr;
import org.bytedeco.dnnl.dnnl_primitive_desc;
import org.bytedeco.javacpp.Pointer;

/**
 * One of oneDNN's objects, and whoever holds this owns it: destroyed by the first {@link #close},
 * however often that is called, and refused from then on. No call may be using it meanwhile.
 */
final class Owned<T extends Pointer> implements AutoCloseable {
  private static final AtomicLong LIVE = new AtomicLong();

  /** {@code DNNL_MEMORY_ALLOCATE}: the library allocates and frees the memory. */
  private static final Pointer ALLOCATE =
      new Pointer() {
        {
          address = -1;
        }
      };

  private interface Destroyer<T> {
    int destroy(T object);
  }

  private final T object;
  private final Destroyer<T> destroyer;
  private final AtomicBoolean closed = new AtomicBoolean();

  private Owned(int status, String call, T object, Destroyer<T> destroyer) {
    OneDnn.check(status, call);
    this.object = object;
    this.destroyer = destroyer;
    LIVE.incrementAndGet();
  }

  /** Memory that the library allocates. */
  static Owned<dnnl_memory> memory(OneDnn library, dnnl_memory_desc layout) {
    return memory(library, layout, ALLOCATE);
  }

  /** Somebody else's memory. */
  static Owned<dnnl_memory> memory(OneDnn library, dnnl_memory_desc layout, Pointer data) {
    dnnl_memory memory = new dnnl_memory();
    int status = dnnl_memory_create(memory, layout, library.engine(), data);
    return new Owned<>(status, "dnnl_memory_create", memory, m -> dnnl_memory_destroy(m));
  }

  static Owned<dnnl_memory_desc> layout(int type, int tag, long... sizes) {
    dnnl_memory_desc layout = new dnnl_memory_desc();
    int status = dnnl_memory_desc_create_with_tag(layout, sizes.length, sizes, type, tag);
    return layout(status, "dnnl_memory_desc_create_with_tag", layout);
  }

  static Owned<dnnl_memory_desc> layout(int type, long[] sizes, long[] strides) {
    dnnl_memory_desc layout = new dnnl_memory_desc();
    int status = dnnl_memory_desc_create_with_strides(layout, sizes.length, sizes, type, strides);
    return layout(status, "dnnl_memory_desc_create_with_strides", layout);
  }

  static Owned<dnnl_memory_desc> copy(dnnl_memory_desc original) {
    dnnl_memory_desc layout = new dnnl_memory_desc();
    int status = dnnl_memory_desc_clone(layout, original);
    return layout(status, "dnnl_memory_desc_clone", layout);
  }

  private static Owned<dnnl_memory_desc> layout(int status, String call, dnnl_memory_desc layout) {
    return new Owned<>(status, call, layout, l -> dnnl_memory_desc_destroy(l));
  }

  static Owned<dnnl_primitive_attr> attributes() {
    dnnl_primitive_attr attributes = new dnnl_primitive_attr();
    int status = dnnl_primitive_attr_create(attributes);
    return new Owned<>(
        status, "dnnl_primitive_attr_create", attributes, a -> dnnl_primitive_attr_destroy(a));
  }

  /** A description that a call has just created, or failed to. */
  static Owned<dnnl_primitive_desc> description(
      int status, String call, dnnl_primitive_desc description) {
    return new Owned<>(status, call, description, d -> dnnl_primitive_desc_destroy(d));
  }

  static Owned<dnnl_primitive> primitive(dnnl_primitive_desc description) {
    dnnl_primitive primitive = new dnnl_primitive();
    int status = dnnl_primitive_create(primitive, description);
    return new Owned<>(status, "dnnl_primitive_create", primitive, p -> dnnl_primitive_destroy(p));
  }

  /**
   * The object.
   *
   * @throws IllegalStateException once closed
   */
  T get() {
    if (closed.get()) {
      throw new IllegalStateException(
          object.getClass().getSimpleName() + " used after it was closed");
    }
    return object;
  }

  /** Objects of this process that are not closed: what is left of a failure shows here. */
  static long live() {
    return LIVE.get();
  }

  @Override
  public void close() {
    if (closed.compareAndSet(false, true)) {
      LIVE.decrementAndGet();
      OneDnn.check(destroyer.destroy(object), "destroying " + object.getClass().getSimpleName());
    }
  }
}
