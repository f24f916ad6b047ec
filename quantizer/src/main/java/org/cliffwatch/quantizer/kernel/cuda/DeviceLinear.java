package org.cliffwatch.quantizer.kernel.cuda;

import java.util.List;
import org.cliffwatch.quantizer.kernel.Activation;
import org.cliffwatch.quantizer.kernel.Linear;
import org.cliffwatch.quantizer.kernel.Rows;
import org.cliffwatch.quantizer.kernel.Stage;
import org.cliffwatch.quantizer.kernel.Stopwatch;

/** Weights that share their input, which is quantized once. */
final class DeviceLinear implements Linear {
  private final DeviceBackend backend;
  private final Storage storage;
  private final int inputs;
  private final List<DeviceWeight> weights;
  private volatile boolean closed;

  DeviceLinear(DeviceBackend backend, Storage storage, int inputs, List<DeviceWeight> weights) {
    this.backend = backend;
    this.storage = storage;
    this.inputs = inputs;
    this.weights = weights;
  }

  @Override
  public int inputs() {
    return inputs;
  }

  @Override
  public int[] outputs() {
    return weights.stream().mapToInt(weight -> weight.outputs).toArray();
  }

  /** Whether inputs are quantized to codes. */
  boolean isInteger() {
    return weights.get(0) instanceof DeviceWeight.Integers;
  }

  private DeviceWeight.Integers integers(int p) {
    return (DeviceWeight.Integers) weights.get(p);
  }

  /** A projection each: y = layer(x). */
  void multiply(DeviceSession session, DeviceRows x, int rows, Rows... y) {
    requireOpen();
    if (!isInteger()) {
      for (int p = 0; p < y.length; p++) {
        long to = ((DeviceRows) y[p]).address();
        ((DeviceWeight.Sums) weights.get(p)).multiply(session, x, rows, to);
      }
      return;
    }
    Kernels.Codes codes = quantized(session, x, rows);
    for (int p = 0; p < y.length; p++) {
      DeviceRows to = (DeviceRows) y[p];
      int together = integers(p).rowsAtOnce();
      for (int first = 0; first < rows; first += together) {
        int count = Math.min(together, rows - first);
        Kernels.Sums sums = integers(p).sums(session, codes, first, count, Scratch.Use.SUMS);
        session.kernels().dequantize(sums, count, address(to, first), to.stride());
      }
    }
  }

  /** to += layer(x), of one projection. */
  void addProduct(DeviceSession session, DeviceRows x, int rows, DeviceRows to) {
    requireOpen();
    if (isInteger()) {
      addProduct(session, quantized(session, x, rows), rows, to);
      return;
    }
    int all = session.tiled(rows);
    long bytes = (long) all * to.stride() * storage.bytes();
    long update = session.scratch().of(Scratch.Use.UPDATE, bytes);
    ((DeviceWeight.Sums) weights.get(0)).multiply(session, x, rows, update);
    session.kernels().add(to, update, rows);
  }

  /** As {@link #addProduct(DeviceSession, DeviceRows, int, DeviceRows)}, of quantized rows. */
  void addProduct(DeviceSession session, Kernels.Codes x, int rows, DeviceRows to) {
    requireOpen();
    int together = integers(0).rowsAtOnce();
    for (int first = 0; first < rows; first += together) {
      int count = Math.min(together, rows - first);
      Kernels.Sums sums = integers(0).sums(session, x, first, count, Scratch.Use.SUMS);
      session.kernels().dequantizeAdd(sums, count, address(to, first), to.stride());
    }
  }

  /** The codes of f(layer(x)), or of f(gate(x)) · up(x) where there are two projections. */
  Kernels.Codes activated(DeviceSession session, Activation f, DeviceRows x, int rows) {
    requireOpen();
    Kernels.Codes codes = quantized(session, x, rows);
    int width = weights.get(0).outputs;
    Kernels.Codes activated =
        codes(session, rows, width, Scratch.Use.ACTIVATED, Scratch.Use.ACTIVATED_SCALES);
    int together = integers(0).rowsAtOnce();
    for (int first = 0; first < rows; first += together) {
      int count = Math.min(together, rows - first);
      Kernels.Codes to =
          new Kernels.Codes(
              activated.codes() + (long) first * activated.stride(),
              activated.stride(),
              activated.scales() + (long) first * Float.BYTES);
      Kernels.Sums sums = integers(0).sums(session, codes, first, count, Scratch.Use.SUMS);
      if (weights.size() == 1) {
        session.kernels().activateQuantize(f, sums, count, to);
      } else {
        Kernels.Sums up = integers(1).sums(session, codes, first, count, Scratch.Use.UP_SUMS);
        session.kernels().activateGatedQuantize(f, sums, up, count, to);
      }
    }
    return activated;
  }

  private Kernels.Codes quantized(DeviceSession session, DeviceRows x, int rows) {
    Kernels.Codes codes = codes(session, rows, inputs, Scratch.Use.CODES, Scratch.Use.CODE_SCALES);
    session.kernels().quantize(x, rows, codes);
    return codes;
  }

  private static Kernels.Codes codes(
      DeviceSession session, int rows, int width, Scratch.Use codes, Scratch.Use scales) {
    int stride = Packing.padded(width);
    return new Kernels.Codes(
        session.scratch().of(codes, (long) session.tiled(rows) * stride),
        stride,
        session.scratch().of(scales, (long) rows * Float.BYTES));
  }

  /** The first projection's product of all rows in one call, and nothing else. */
  Runnable bareProduct(DeviceSession session, DeviceRows x, int rows) {
    if (isInteger()) {
      Kernels.Codes codes = quantized(session, x, rows);
      return () -> integers(0).sums(session, codes, 0, rows, Scratch.Use.SUMS);
    }
    int all = session.tiled(rows);
    int stride = Packing.padded(weights.get(0).outputs);
    long y = session.scratch().of(Scratch.Use.UPDATE, (long) all * stride * storage.bytes());
    return () -> ((DeviceWeight.Sums) weights.get(0)).multiply(session, x, rows, y);
  }

  private long address(DeviceRows rows, int first) {
    return rows.address() + (long) first * rows.stride() * storage.bytes();
  }

  @Override
  public void apply(float[] x, int rows, Stopwatch watch, float[]... y) {
    requireOpen();
    try (DeviceSession session = backend.session(storage.type());
        DeviceRows from = session.rows(rows, inputs)) {
      session.upload(x, rows, from);
      for (int p = 0; p < y.length; p++) {
        try (DeviceRows to = session.rows(rows, weights.get(p).outputs)) {
          part(p).multiply(session, from, rows, to);
          session.download(to, rows, y[p]);
        }
      }
    }
    watch.lap(Stage.DEVICE);
  }

  private DeviceLinear part(int p) {
    return new DeviceLinear(backend, storage, inputs, weights.subList(p, p + 1));
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("linear layer used after it was closed");
    }
  }

  @Override
  public long bytes() {
    return weights.stream().mapToLong(DeviceWeight::bytes).sum();
  }

  @Override
  public void close() {
    closed = true;
    weights.forEach(DeviceWeight::close);
  }
}
