package org.cliffwatch.quantizer.kernel.cuda;

import java.util.ArrayList;
import java.util.List;
import org.cliffwatch.quantizer.kernel.Projection;
import org.cliffwatch.quantizer.scheme.LinearForm;
import org.cliffwatch.quantizer.scheme.QuantizedWeight;

/** Weights of a linear layer, with their biases, in device memory. */
abstract sealed class DeviceWeight implements AutoCloseable {
  private final List<Device.Memory> memory = new ArrayList<>();

  private DeviceWeight() {}

  private static Device.Product product(Device device, ProductType type, int outputs, int inputs) {
    return device.product(type, Packing.padded(outputs), Packing.padded(inputs));
  }

  private static void requireRowScales(QuantizedWeight weight) {
    if (weight.group() != weight.columns()) {
      throw new IllegalArgumentException(weight.name() + ": products need one scale a row");
    }
  }

  /** Keeps memory until this is closed; null and 0 where there is none. */
  final long kept(Device.Memory packed) {
    if (packed == null) {
      return 0;
    }
    memory.add(packed);
    return packed.address();
  }

  /** As a constructor does: what was kept is freed where the rest fails. */
  final void build(Runnable packing) {
    try {
      packing.run();
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  long bytes() {
    return memory.stream().mapToLong(Device.Memory::bytes).sum();
  }

  @Override
  public void close() {
    memory.forEach(Device.Memory::close);
  }

  /** One weight: y = x Wᵀ + b, summed in floats. */
  abstract static sealed class Sums extends DeviceWeight {
    /**
     * @param y (rows, stride of the outputs), with room for whole tiles
     */
    abstract void multiply(DeviceSession session, DeviceRows x, int rows, long y);
  }

  /** Weights of the rows' own type. */
  static final class Floating extends Sums {
    private final Device.Product product;
    private long weight;
    private long bias;

    Floating(
        Device device,
        Packing packing,
        LinearForm.Floating form,
        Projection projection,
        Storage storage) {
      product = product(device, storage.product(), form.weight().rows(), form.weight().columns());
      build(
          () -> {
            weight = kept(packing.weight(form.weight(), storage));
            bias = kept(packing.vector(projection.bias(), storage));
          });
    }

    @Override
    void multiply(DeviceSession session, DeviceRows x, int rows, long y) {
      session.stream().multiply(product, rows, x.address(), weight, bias, y);
    }
  }

  /** Codes that are unpacked to float32 before each product: 8 or 4 bits in memory. */
  static final class WeightOnly extends Sums {
    private final int outputs;
    private final int inputs;
    private final int bits;
    private final Device.Product product;
    private long codes;
    private long scales;
    private long bias;

    WeightOnly(Device device, Packing packing, QuantizedWeight weight, Projection projection) {
      requireRowScales(weight);
      outputs = weight.rows();
      inputs = weight.columns();
      bits = weight.bits() <= 4 ? 4 : 8;
      product = product(device, ProductType.FLOAT32, outputs, inputs);
      build(
          () -> {
            codes = kept(bits == 4 ? packing.nibbles(weight) : packing.codes(List.of(weight)));
            scales = kept(packing.vector(weight.scales(), Storage.F32));
            bias = kept(packing.vector(projection.bias(), Storage.F32));
          });
    }

    @Override
    void multiply(DeviceSession session, DeviceRows x, int rows, long y) {
      int all = Packing.padded(outputs);
      int stride = Packing.padded(inputs);
      long unpacked = session.scratch().of(Scratch.Use.UNPACKED, (long) all * stride * Float.BYTES);
      // Padding too: its scales are zero.
      session
          .kernels()
          .unpack(codes, stride * bits / 8, bits, scales, all, inputs, unpacked, stride);
      session.stream().multiply(product, rows, x.address(), unpacked, bias, y);
    }
  }

  /** Codes of all weights that share an input, whose integer sums one product makes. */
  static final class Integers extends DeviceWeight {
    /** Bytes of sums made at once: a bound on memory, beyond what a usual batch takes. */
    private static final int SUMS_BYTES = 256 << 20;

    private static final int ROWS_STEP = 256;

    /**
     * A projection's part of the sums.
     *
     * @param first column
     * @param bias address of its first value, or 0
     */
    private record Part(int first, int outputs, long bias) {}

    private final List<Part> parts = new ArrayList<>();
    private final int stride;
    private final Device.Product product;
    private long codes;
    private long scales;

    Integers(
        Device device,
        Packing packing,
        List<QuantizedWeight> weights,
        List<Projection> projections) {
      weights.forEach(DeviceWeight::requireRowScales);
      stride = weights.stream().mapToInt(weight -> Packing.padded(weight.rows())).sum();
      product = product(device, ProductType.INT8, stride, weights.get(0).columns());
      build(
          () -> {
            float[] all = new float[stride];
            int first = 0;
            for (int p = 0; p < weights.size(); p++) {
              float[] own = weights.get(p).scales();
              System.arraycopy(own, 0, all, first, own.length);
              long bias = kept(packing.vector(projections.get(p).bias(), Storage.F32));
              parts.add(new Part(first, own.length, bias));
              first += Packing.padded(own.length);
            }
            codes = kept(packing.codes(weights));
            scales = kept(packing.vector(all, Storage.F32));
          });
    }

    /** Rows whose sums are made at once. */
    int rowsAtOnce() {
      long fitting = SUMS_BYTES / ((long) stride * Integer.BYTES);
      return (int) Math.max(1, fitting / ROWS_STEP) * ROWS_STEP;
    }

    /** The sums of some of the rows, from {@code first} on, a projection each. */
    List<Kernels.Sums> sums(DeviceSession session, Kernels.Codes x, int first, int count) {
      long bytes = (long) session.tiled(count) * stride * Integer.BYTES;
      long sums = session.scratch().of(Scratch.Use.SUMS, bytes);
      long rows = x.codes() + (long) first * x.stride();
      session.stream().multiply(product, count, rows, codes, 0, sums);
      long rowScales = x.scales() + (long) first * Float.BYTES;
      return parts.stream()
          .map(
              part ->
                  new Kernels.Sums(
                      sums + (long) part.first * Integer.BYTES,
                      stride,
                      rowScales,
                      scales + (long) part.first * Float.BYTES,
                      part.bias,
                      part.outputs))
          .toList();
    }
  }
}
