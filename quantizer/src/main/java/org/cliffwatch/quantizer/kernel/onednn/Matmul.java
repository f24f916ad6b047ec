package org.cliffwatch.quantizer.kernel.onednn;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_WEIGHTS;
import static org.bytedeco.dnnl.global.dnnl.dnnl_ab;
import static org.bytedeco.dnnl.global.dnnl.dnnl_format_tag_any;
import static org.bytedeco.dnnl.global.dnnl.dnnl_fpmath_mode_strict;
import static org.bytedeco.dnnl.global.dnnl.dnnl_matmul_primitive_desc_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_desc_clone;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_desc_create_with_strides;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_desc_create_with_tag;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_desc_get_size;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_attr_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_attr_destroy;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_attr_set_fpmath_mode_v2;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_attr_set_scales_mask;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_attr_set_scratchpad_mode;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_desc_destroy;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_desc_query;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_desc_query_md;
import static org.bytedeco.dnnl.global.dnnl.dnnl_query_impl_info_str;
import static org.bytedeco.dnnl.global.dnnl.dnnl_query_scratchpad_md;
import static org.bytedeco.dnnl.global.dnnl.dnnl_query_weights_md;
import static org.bytedeco.dnnl.global.dnnl.dnnl_scratchpad_mode_user;

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
 * its own buffers and weights. Kept for the life of the process.
 */
final class Matmul {
  private final int rows;
  private final int inputs;
  private final int outputs;
  private final int slices;
  private final Product product;
  private final String implementation;
  private final dnnl_primitive primitive = new dnnl_primitive();
  private final dnnl_memory_desc source;
  private final dnnl_memory_desc weights;
  private final dnnl_memory_desc destination;
  private final dnnl_memory_desc scratchpad;

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
    source = slices(product.input(), rows, slice, slice, inputs, 1);
    destination = slices(ElementType.FLOAT32, rows, outputs, outputs, width, 1);
    int type = product.weight().code();
    dnnl_memory_desc wanted = layout;
    if (wanted == null) {
      wanted =
          product.blocked()
              ? descriptor(type, dnnl_format_tag_any, sizes(slice, outputs))
              : descriptor(type, dnnl_ab, inputs, outputs);
    }
    dnnl_primitive_attr attributes = attributes(product);
    dnnl_primitive_desc description = new dnnl_primitive_desc();
    int status =
        dnnl_matmul_primitive_desc_create(
            description, library.engine(), source, wanted, null, destination, attributes);
    if (status != 0) {
      throw new BackendUnavailableException(
          "oneDNN has no %s product on %s (status %s)"
              .formatted(product, library.instructionSet().spelled(), status));
    }
    implementation = implementation(description);
    if (implementation.startsWith("ref")) {
      throw new BackendUnavailableException(
          "oneDNN has only its reference implementation of the %s product on %s"
              .formatted(product, library.instructionSet().spelled()));
    }
    weights = query(description, dnnl_query_weights_md);
    scratchpad = query(description, dnnl_query_scratchpad_md);
    OneDnn.check(dnnl_primitive_create(primitive, description), "dnnl_primitive_create");
    OneDnn.check(dnnl_primitive_desc_destroy(description), "dnnl_primitive_desc_destroy");
    OneDnn.check(dnnl_primitive_attr_destroy(attributes), "dnnl_primitive_attr_destroy");
  }

  private static dnnl_primitive_attr attributes(Product product) {
    dnnl_primitive_attr attributes = new dnnl_primitive_attr();
    OneDnn.check(dnnl_primitive_attr_create(attributes), "dnnl_primitive_attr_create");
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
    return attributes;
  }

  /** The layout of plain weight rows, (outputs, inputs). */
  dnnl_memory_desc plainWeights() {
    int slice = inputs / slices;
    return slices(product.weight(), slice, outputs, slice, 1, inputs);
  }

  private long[] sizes(long rows, long columns) {
    return slices == 1 ? new long[] {rows, columns} : new long[] {slices, rows, columns};
  }

  /** A matrix (rows, columns) a slice; with one slice, a matrix. */
  private dnnl_memory_desc slices(
      ElementType type, long rows, long columns, long sliceStep, long rowStep, long columnStep) {
    long[] sizes = sizes(rows, columns);
    long[] strides =
        slices == 1
            ? new long[] {rowStep, columnStep}
            : new long[] {sliceStep, rowStep, columnStep};
    dnnl_memory_desc descriptor = new dnnl_memory_desc();
    OneDnn.check(
        dnnl_memory_desc_create_with_strides(descriptor, sizes.length, sizes, type.code(), strides),
        "dnnl_memory_desc_create_with_strides");
    return descriptor;
  }

  static dnnl_memory_desc descriptor(int type, int tag, long... sizes) {
    dnnl_memory_desc descriptor = new dnnl_memory_desc();
    OneDnn.check(
        dnnl_memory_desc_create_with_tag(descriptor, sizes.length, sizes, type, tag),
        "dnnl_memory_desc_create_with_tag");
    return descriptor;
  }

  /** A copy: what a primitive descriptor tells dies with it. */
  private static dnnl_memory_desc query(dnnl_primitive_desc description, int what) {
    dnnl_memory_desc copy = new dnnl_memory_desc();
    OneDnn.check(
        dnnl_memory_desc_clone(copy, dnnl_primitive_desc_query_md(description, what, 0)),
        "dnnl_memory_desc_clone");
    return copy;
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
    return primitive;
  }

  dnnl_memory_desc source() {
    return source;
  }

  dnnl_memory_desc weights() {
    return weights;
  }

  dnnl_memory_desc destination() {
    return destination;
  }

  dnnl_memory_desc scratchpad() {
    return scratchpad;
  }

  long scratchpadBytes() {
    return dnnl_memory_desc_get_size(scratchpad);
  }
}
