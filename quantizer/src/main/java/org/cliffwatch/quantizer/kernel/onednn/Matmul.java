package org.cliffwatch.quantizer.kernel.onednn;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_WEIGHTS;
import static org.bytedeco.dnnl.global.dnnl.dnnl_ab;
import static org.bytedeco.dnnl.global.dnnl.dnnl_format_tag_any;
import static org.bytedeco.dnnl.global.dnnl.dnnl_fpmath_mode_strict;
import static org.bytedeco.dnnl.global.dnnl.dnnl_matmul_primitive_desc_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_attr_set_fpmath_mode_v2;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_attr_set_scales_mask;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_attr_set_scratchpad_mode;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_desc_query;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_desc_query_md;
import static org.bytedeco.dnnl.global.dnnl.dnnl_query_impl_info_str;
import static org.bytedeco.dnnl.global.dnnl.dnnl_query_scratchpad_md;
import static org.bytedeco.dnnl.global.dnnl.dnnl_query_weights_md;
import static org.bytedeco.dnnl.global.dnnl.dnnl_scratchpad_mode_user;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.dnnl.dnnl_primitive;
import org.bytedeco.dnnl.dnnl_primitive_attr;
import org.bytedeco.dnnl.dnnl_primitive_desc;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerPointer;
import org.cliffwatch.quantizer.kernel.BackendUnavailableException;

/**
 * oneDNN's matmul for one shape: (rows, inputs) · (inputs, outputs), for each of the product's
 * slices of the inputs. Immutable, shared by all layers of the shape and all threads; a call brings
 * its own buffers and weights.
 */
final class Matmul implements AutoCloseable {
  private final int rows;
  private final int inputs;
  private final int outputs;
  private final int slices;
  private final Product product;
  private final String implementation;
  private final List<Owned<?>> owned = new ArrayList<>();
  private final Owned<dnnl_primitive> primitive;
  private final Owned<dnnl_memory_desc> source;
  private final Owned<dnnl_memory_desc> weights;
  private final Owned<dnnl_memory_desc> destination;
  private final Owned<dnnl_memory_desc> scratchpad;

  /**
   * @param inputs width of a packed input row
   * @param outputs width of a product's row
   * @param layout of the weights, or null to take the one oneDNN likes best
   */
  Matmul(
      OneDnn library, Product product, int rows, int inputs, int outputs, dnnl_memory_desc layout) {
    this.rows = rows;
    this.inputs = inputs;
    this.outputs = outputs;
    this.product = product;
    slices = product.slices(inputs);
    int slice = inputs / slices;
    int width = slices * outputs;
    try {
      source = own(slices(product.input(), rows, slice, slice, inputs, 1));
      destination = own(slices(ElementType.FLOAT32, rows, outputs, outputs, width, 1));
      try (Owned<dnnl_memory_desc> wanted = layout == null ? preferred(slice) : Owned.copy(layout);
          Owned<dnnl_primitive_desc> description = describe(library, wanted.get())) {
        implementation = implementation(description.get());
        if (implementation.startsWith("ref")) {
          throw new BackendUnavailableException(
              "oneDNN has only its reference implementation of the %s product of (%s, %s) by (%s, %s) on %s"
                  .formatted(
                      product, rows, inputs, inputs, outputs, library.instructionSet().spelled()));
        }
        weights = own(query(description.get(), dnnl_query_weights_md));
        scratchpad = own(query(description.get(), dnnl_query_scratchpad_md));
        primitive = own(Owned.primitive(description.get()));
      }
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  private <T extends Owned<?>> T own(T object) {
    owned.add(object);
    return object;
  }

  /** The layout to ask for where none is given. */
  private Owned<dnnl_memory_desc> preferred(int slice) {
    int type = product.weight().code();
    return product.blocked()
        ? Owned.layout(type, dnnl_format_tag_any, sizes(slice, outputs))
        : Owned.layout(type, dnnl_ab, inputs, outputs);
  }

  private Owned<dnnl_primitive_desc> describe(OneDnn library, dnnl_memory_desc layout) {
    try (Owned<dnnl_primitive_attr> attributes = attributes(product)) {
      dnnl_primitive_desc description = new dnnl_primitive_desc();
      int status =
          dnnl_matmul_primitive_desc_create(
              description,
              library.engine(),
              source.get(),
              layout,
              null,
              destination.get(),
              attributes.get());
      if (status != 0) {
        throw new BackendUnavailableException(
            "oneDNN has no %s product on %s (status %s)"
                .formatted(product, library.instructionSet().spelled(), status));
      }
      return Owned.description(status, "dnnl_matmul_primitive_desc_create", description);
    }
  }

  private static Owned<dnnl_primitive_attr> attributes(Product product) {
    Owned<dnnl_primitive_attr> owned = Owned.attributes();
    try {
      set(owned.get(), product);
    } catch (RuntimeException | Error e) {
      owned.close();
      throw e;
    }
    return owned;
  }

  private static void set(dnnl_primitive_attr attributes, Product product) {
    OneDnn.check(
        dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user),
        "dnnl_primitive_attr_set_scratchpad_mode");
    if (product.unpacked()) {
      int unpackIntegers = 1;
      OneDnn.check(
          dnnl_primitive_attr_set_fpmath_mode_v2(
              attributes, dnnl_fpmath_mode_strict, unpackIntegers),
          "dnnl_primitive_attr_set_fpmath_mode_v2");
    }
    if (product.scaled()) {
      int byOutput = 1 << 1;
      OneDnn.check(
          dnnl_primitive_attr_set_scales_mask(attributes, DNNL_ARG_WEIGHTS, byOutput),
          "dnnl_primitive_attr_set_scales_mask");
    }
  }

  /** The layout of plain weight rows, (outputs, inputs). */
  Owned<dnnl_memory_desc> plainWeights() {
    int slice = inputs / slices;
    return slices(product.weight(), slice, outputs, slice, 1, inputs);
  }

  private long[] sizes(long rows, long columns) {
    return slices == 1 ? new long[] {rows, columns} : new long[] {slices, rows, columns};
  }

  /** A matrix (rows, columns) a slice; with one slice, a matrix. */
  private Owned<dnnl_memory_desc> slices(
      ElementType type, long rows, long columns, long sliceStep, long rowStep, long columnStep) {
    long[] strides =
        slices == 1
            ? new long[] {rowStep, columnStep}
            : new long[] {sliceStep, rowStep, columnStep};
    return Owned.layout(type.code(), sizes(rows, columns), strides);
  }

  /** A copy: what a primitive descriptor tells dies with it. */
  private static Owned<dnnl_memory_desc> query(dnnl_primitive_desc description, int what) {
    return Owned.copy(dnnl_primitive_desc_query_md(description, what, 0));
  }

  private static String implementation(dnnl_primitive_desc description) {
    try (PointerPointer<BytePointer> text = new PointerPointer<>(1)) {
      OneDnn.check(
          dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, text),
          "dnnl_primitive_desc_query");
      return new BytePointer(text.get(0)).getString();
    }
  }

  int rows() {
    return rows;
  }

  int inputs() {
    return inputs;
  }

  int outputs() {
    return outputs;
  }

  /** The sums of a row's slices stand one after another, {@link #outputs} each. */
  int slices() {
    return slices;
  }

  Product product() {
    return product;
  }

  /** oneDNN's name of what it runs: brg_matmul:avx512_core_vnni. */
  String implementation() {
    return implementation;
  }

  dnnl_primitive primitive() {
    return primitive.get();
  }

  dnnl_memory_desc source() {
    return source.get();
  }

  dnnl_memory_desc weights() {
    return weights.get();
  }

  dnnl_memory_desc destination() {
    return destination.get();
  }

  dnnl_memory_desc scratchpad() {
    return scratchpad.get();
  }

  @Override
  public void close() {
    owned.forEach(Owned::close);
  }
}
