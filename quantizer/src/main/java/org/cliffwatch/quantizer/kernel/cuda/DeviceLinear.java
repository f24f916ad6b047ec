package org.cliffwatch.quantizer.kernel.cuda;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.Activation;
import org.cliffwatch.quantizer.kernel.Linear;
import org.cliffwatch.quantizer.kernel.Projection;
import org.cliffwatch.quantizer.kernel.Rows;
import org.cliffwatch.quantizer.kernel.Stage;
import org.cliffwatch.quantizer.kernel.Stopwatch;
import org.cliffwatch.quantizer.scheme.LinearForm;
import org.cliffwatch.quantizer.scheme.QuantizedWeight;
import org.cliffwatch.quantizer.scheme.RowQuantizer;

/** Projections that share their input, which is quantized once. */
final class DeviceLinear implements Linear {
  private final DeviceBackend backend;
  private final Storage storage;
  private final int inputs;
  private final int[] outputs;
  private final List<DeviceWeight> weights = new ArrayList<>();
  private volatile boolean closed;

  /**
   * @param forms what a scheme has made of the projections, all of one kind
   */
  DeviceLinear(
      DeviceBackend backend,
      Storage storage,
      List<Projection> projections,
      List<LinearForm> forms) {
    this.backend = backend;
    this.storage = storage;
    this.inputs = projections.get(0).weight().columns();
    this.outputs = projections.stream().mapToInt(each -> each.weight().rows()).toArray();
    Device device = backend.device();
    Packing packing = backend.packing();
    RowQuantizer quantizer = forms.get(0).inputs();
    if (quantizer != null) {
      throw new InvalidInputException(
          "backend cuda quantizes inputs to int8, a scale a token, and not to %s; expected backend onednn or reference"
              .formatted(quantizer.describe()));
    }
    if (forms.stream().anyMatch(LinearForm.Coded.class::isInstance)) {
      throw new InvalidInputException(
          "backend cuda multiplies by codes with one scale a row in float32, and not by those of"
              + " quantized checkpoints or in 16 bits; expected backend onednn or reference");
    }
    try {
      if (forms.get(0) instanceof LinearForm.IntegerProduct) {
        List<QuantizedWeight> codes =
            forms.stream().map(form -> ((LinearForm.IntegerProduct) form).weight()).toList();
        weights.add(new DeviceWeight.Integers(device, packing, codes, projections));
        return;
      }
      for (int p = 0; p < forms.size(); p++) {
        Projection projection = projections.get(p);
        weights.add(
            forms.get(p) instanceof LinearForm.WeightOnly codes
                ? new DeviceWeight.WeightOnly(device, packing, codes.weight(), projection)
                : new DeviceWeight.Floating(
                    device, packing, (LinearForm.Floating) forms.get(p), projection, storage));
      }
    } catch (RuntimeException | Error e) {
      weights.forEach(DeviceWeight::close);
      throw e;
    }
  }

  @Override
  public int inputs() {
    return inputs;
  }

  @Override
  public int[] outputs() {
    return outputs.clone();
  }

  /** Whether inputs are quantized to codes. */
  boolean isInteger() {
    return weights.get(0) instanceof DeviceWeight.Integers;
  }

  private DeviceWeight.Integers integers() {
    return (DeviceWeight.Integers) weights.get(0);
  }

  /** Receives the sums of some of the rows, a projection each. */
  private interface SumsConsumer {
    void accept(int first, int count, List<Kernels.Sums> sums);
  }

  private void forEachSums(
      DeviceSession session, Kernels.Codes x, int rows, SumsConsumer consumer) {
    requireOpen();
    int together = integers().rowsAtOnce();
    for (int first = 0; first < rows; first += together) {
      int count = Math.min(together, rows - first);
      consumer.accept(first, count, integers().sums(session, x, first, count));
    }
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
    multiply(session, quantized(session, x, rows), rows, y);
  }

  /** As {@link #multiply(DeviceSession, DeviceRows, int, Rows...)}, of quantized rows. */
  void multiply(DeviceSession session, Kernels.Codes x, int rows, Rows... y) {
    forEachSums(
        session,
        x,
        rows,
        (first, count, sums) -> {
          for (int p = 0; p < y.length; p++) {
            DeviceRows to = (DeviceRows) y[p];
            session.kernels().dequantize(sums.get(p), count, address(to, first), to.stride());
          }
        });
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
    forEachSums(
        session,
        x,
        rows,
        (first, count, sums) ->
            session.kernels().dequantizeAdd(sums.get(0), count, address(to, first), to.stride()));
  }

  /** The codes of f(layer(x)), or of f(gate(x)) · up(x) where there are two projections. */
  Kernels.Codes activated(DeviceSession session, Activation f, DeviceRows x, int rows) {
    Kernels.Codes activated =
        codes(session, rows, outputs[0], Scratch.Use.ACTIVATED, Scratch.Use.ACTIVATED_SCALES);
    forEachSums(
        session,
        quantized(session, x, rows),
        rows,
        (first, count, sums) -> {
          Kernels.Codes to =
              new Kernels.Codes(
                  activated.codes() + (long) first * activated.stride(),
                  activated.stride(),
                  activated.scales() + (long) first * Float.BYTES);
          if (sums.size() == 1) {
            session.kernels().activateQuantize(f, sums.get(0), count, to);
          } else {
            session.kernels().activateGatedQuantize(f, sums.get(0), sums.get(1), count, to);
          }
        });
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

  /** The product of all rows in one call, of the first projection where there are several. */
  Runnable bareProduct(DeviceSession session, DeviceRows x, int rows) {
    if (isInteger()) {
      Kernels.Codes codes = quantized(session, x, rows);
      return () -> integers().sums(session, codes, 0, rows);
    }
    long bytes = (long) session.tiled(rows) * Packing.padded(outputs[0]) * storage.bytes();
    long y = session.scratch().of(Scratch.Use.UPDATE, bytes);
    return () -> ((DeviceWeight.Sums) weights.get(0)).multiply(session, x, rows, y);
  }

  private long address(DeviceRows rows, int first) {
    return rows.address() + (long) first * rows.stride() * storage.bytes();
  }

  @Override
  public void apply(float[] x, int rows, Stopwatch watch, float[]... y) {
    requireOpen();
    DeviceRows[] results = new DeviceRows[y.length];
    try (DeviceSession session = backend.session(storage.type());
        DeviceRows from = session.rows(rows, inputs)) {
      session.upload(x, rows, from);
      for (int p = 0; p < y.length; p++) {
        results[p] = session.rows(rows, outputs[p]);
      }
      multiply(session, from, rows, results);
      for (int p = 0; p < y.length; p++) {
        session.download(results[p], rows, y[p]);
      }
    } finally {
      Arrays.stream(results).filter(Objects::nonNull).forEach(DeviceRows::close);
    }
    watch.lap(Stage.DEVICE);
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
