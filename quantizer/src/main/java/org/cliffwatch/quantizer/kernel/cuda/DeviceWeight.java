package org.cliffwatch.quantizer.kernel.cuda;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.cliffwatch.quantizer.kernel.Projection;
import org.cliffwatch.quantizer.scheme.LinearForm;
import org.cliffwatch.quantizer.scheme.QuantizedWeight;

/** One weight of a linear layer, with its bias, in device memory. */
abstract sealed class DeviceWeight implements AutoCloseable {
  final int outputs;
  private final List<Device.Memory> memory;

  private DeviceWeight(int outputs, Device.Memory... memory) {
    this.outputs = outputs;
    this.memory = Arrays.stream(memory).filter(Objects::nonNull).toList();
  }

  /**
   * Packs what a scheme has made of a projection.
   *
   * @param storage the type of rows
   */
  static DeviceWeight of(
      Device device, Packing packing, LinearForm form, Projection projection, Storage storage) {
    int outputs = projection.weight().rows();
    int inputs = projection.weight().columns();
    float[] bias = projection.bias();
    List<Device.Memory> packed = new ArrayList<>();
    try {
      if (form instanceof LinearForm.Floating floating) {
        Device.Memory weight = keep(packed, packing.weight(floating.weight(), storage));
        Device.Memory vector = keep(packed, packing.vector(bias, storage));
        Device.Product product = product(device, storage.product(), outputs, inputs);
        return new Floating(outputs, product, weight, vector);
      }
      if (form instanceof LinearForm.WeightOnly weightOnly) {
        QuantizedWeight weight = weightOnly.weight();
        requireRowScales(weight);
        boolean nibbles = weight.bits() <= 4;
        Device.Memory codes =
            keep(packed, nibbles ? packing.nibbles(weight) : packing.codes(weight));
        Device.Memory scales = keep(packed, packing.vector(weight.scales(), Storage.F32));
        Device.Memory vector = keep(packed, packing.vector(bias, Storage.F32));
        Device.Product product = product(device, ProductType.FLOAT32, outputs, inputs);
        return new WeightOnly(outputs, inputs, nibbles ? 4 : 8, product, codes, scales, vector);
      }
      QuantizedWeight weight = ((LinearForm.IntegerProduct) form).weight();
      requireRowScales(weight);
      Device.Memory codes = keep(packed, packing.codes(weight));
      Device.Memory scales = keep(packed, packing.vector(weight.scales(), Storage.F32));
      Device.Memory vector = keep(packed, packing.vector(bias, Storage.F32));
      Device.Product product = product(device, ProductType.INT8, outputs, inputs);
      return new Integers(outputs, product, codes, scales, vector);
    } catch (RuntimeException | Error e) {
      packed.forEach(Device.Memory::close);
      throw e;
    }
  }

  private static Device.Memory keep(List<Device.Memory> packed, Device.Memory memory) {
    if (memory != null) {
      packed.add(memory);
    }
    return memory;
  }

  private static Device.Product product(Device device, ProductType type, int outputs, int inputs) {
    return device.product(type, Packing.padded(outputs), Packing.padded(inputs));
  }

  private static void requireRowScales(QuantizedWeight weight) {
    if (weight.group() != weight.columns()) {
      throw new IllegalArgumentException(weight.name() + ": products need one scale a row");
    }
  }

  private static long address(Device.Memory memory) {
    return memory == null ? 0 : memory.address();
  }

  long bytes() {
    return memory.stream().mapToLong(Device.Memory::bytes).sum();
  }

  @Override
  public void close() {
    memory.forEach(Device.Memory::close);
  }

  /** y = x Wᵀ + b; sums of floats. */
  abstract static sealed class Sums extends DeviceWeight {
    private Sums(int outputs, Device.Memory... memory) {
      super(outputs, memory);
    }

    /**
     * @param y (rows, stride of the outputs), with room for the tallest tile
     */
    abstract void multiply(DeviceSession session, DeviceRows x, int rows, long y);
  }

  /** Weights of the rows' own type. */
  static final class Floating extends Sums {
    private final Device.Product product;
    private final Device.Memory weight;
    private final Device.Memory bias;

    private Floating(
        int outputs, Device.Product product, Device.Memory weight, Device.Memory bias) {
      super(outputs, weight, bias);
      this.product = product;
      this.weight = weight;
      this.bias = bias;
    }

    @Override
    void multiply(DeviceSession session, DeviceRows x, int rows, long y) {
      session.stream()
          .multiply(product, rows, x.address(), weight.address(), DeviceWeight.address(bias), y);
    }
  }

  /** Codes that are unpacked to float32 before each product: 8 or 4 bits in memory. */
  static final class WeightOnly extends Sums {
    private final int inputs;
    private final int bits;
    private final Device.Product product;
    private final Device.Memory codes;
    private final Device.Memory scales;
    private final Device.Memory bias;

    private WeightOnly(
        int outputs,
        int inputs,
        int bits,
        Device.Product product,
        Device.Memory codes,
        Device.Memory scales,
        Device.Memory bias) {
      super(outputs, codes, scales, bias);
      this.inputs = inputs;
      this.bits = bits;
      this.product = product;
      this.codes = codes;
      this.scales = scales;
      this.bias = bias;
    }

    @Override
    void multiply(DeviceSession session, DeviceRows x, int rows, long y) {
      int all = Packing.padded(outputs);
      int stride = Packing.padded(inputs);
      long unpacked = session.scratch().of(Scratch.Use.UNPACKED, (long) all * stride * Float.BYTES);
      // Padding too: its scales are zero.
      session
          .kernels()
          .unpack(
              codes.address(),
              stride * bits / 8,
              bits,
              scales.address(),
              all,
              inputs,
              unpacked,
              stride);
      session.stream()
          .multiply(product, rows, x.address(), unpacked, DeviceWeight.address(bias), y);
    }
  }

  /** Codes whose sums are integers. */
  static final class Integers extends DeviceWeight {
    /** Bytes of sums made at once: a bound on memory, beyond what a usual batch takes. */
    private static final int SUMS_BYTES = 256 << 20;

    private static final int ROWS_STEP = 256;

    private final Device.Product product;
    private final Device.Memory codes;
    private final Device.Memory scales;
    private final Device.Memory bias;

    private Integers(
        int outputs,
        Device.Product product,
        Device.Memory codes,
        Device.Memory scales,
        Device.Memory bias) {
      super(outputs, codes, scales, bias);
      this.product = product;
      this.codes = codes;
      this.scales = scales;
      this.bias = bias;
    }

    /** Rows whose sums are made at once. */
    int rowsAtOnce() {
      long fitting = SUMS_BYTES / ((long) Packing.padded(outputs) * Integer.BYTES);
      return (int) Math.max(1, fitting / ROWS_STEP) * ROWS_STEP;
    }

    /** The sums of some of the rows, from {@code first} on. */
    Kernels.Sums sums(
        DeviceSession session, Kernels.Codes x, int first, int count, Scratch.Use where) {
      int stride = Packing.padded(outputs);
      long sums = session.scratch().of(where, (long) session.tiled(count) * stride * Integer.BYTES);
      long rows = x.codes() + (long) first * x.stride();
      session.stream().multiply(product, count, rows, codes.address(), 0, sums);
      return new Kernels.Sums(
          sums,
          stride,
          x.scales() + (long) first * Float.BYTES,
          scales.address(),
          DeviceWeight.address(bias),
          outputs);
    }
  }
}
