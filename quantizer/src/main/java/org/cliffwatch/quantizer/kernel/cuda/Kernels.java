package org.cliffwatch.quantizer.kernel.cuda;

import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.Activation;
import org.cliffwatch.quantizer.kernel.AttentionShape;
import org.cliffwatch.quantizer.kernel.LogitTransform;
import org.cliffwatch.quantizer.kernel.Normalization;

/**
 * The kernels of the {@code .cu} sources, launched as they are written for: which blocks there are,
 * and what they are given. Addresses are the device's.
 */
final class Kernels {
  private static final int THREADS = 256;

  /** {@code ATTENTION_THREADS} and {@code KEYS} of attention.cu. */
  private static final int ATTENTION_THREADS = 128;

  private static final int ATTENTION_KEYS = 32;

  /** The largest head that attention.cu has columns for. */
  private static final int MOST_HEAD_SIZE = 256;

  /** Columns of a row that a block of an elementwise kernel takes. */
  private static final int COLUMNS = 1024;

  private final Stream stream;
  private final Storage storage;
  private final int sharedBytes;

  /**
   * @param storage the type of rows
   * @param sharedBytes what a block can have
   */
  Kernels(Stream stream, Storage storage, int sharedBytes) {
    this.stream = stream;
    this.storage = storage;
    this.sharedBytes = sharedBytes;
  }

  /**
   * Codes and scales of rows in 8 bits.
   *
   * @param codes (rows, stride) signed bytes
   * @param scales (rows) float32
   */
  record Codes(long codes, int stride, long scales) {}

  /**
   * Integer sums of a weight's products, and what they are dequantized by.
   *
   * @param sums (rows, stride) int32
   * @param rowScales (rows) float32
   * @param bias (width) float32, or 0
   */
  record Sums(long sums, int stride, long rowScales, long weightScales, long bias, int width) {}

  void embed(
      DeviceConstants table,
      long tokens,
      long positions,
      long seeded,
      boolean nudged,
      int rows,
      DeviceRows y) {
    typed(
        "embed",
        rows,
        1,
        0,
        table.memory().address(),
        y.stride(),
        tokens,
        positions,
        y.width(),
        nudged ? 1 : 0,
        seeded,
        y.address(),
        y.stride());
  }

  void addTable(DeviceConstants table, long positions, int offset, int rows, DeviceRows x) {
    typed(
        "add_table",
        rows,
        1,
        0,
        table.memory().address(),
        x.stride(),
        positions,
        offset,
        x.width(),
        x.address(),
        x.stride());
  }

  /**
   * @param width of a part
   */
  void normalize(
      Normalization kind,
      float epsilon,
      long weight,
      long bias,
      DeviceRows x,
      int rows,
      int parts,
      int width,
      DeviceRows y) {
    switch (kind) {
      case RMS ->
          typed(
              "rms_norm",
              rows,
              parts,
              0,
              x.address(),
              x.stride(),
              width,
              weight,
              epsilon,
              y.address(),
              y.stride());
      case LAYER ->
          typed(
              "layer_norm",
              rows,
              parts,
              0,
              x.address(),
              x.stride(),
              width,
              weight,
              bias,
              epsilon,
              y.address(),
              y.stride());
    }
  }

  void activate(Activation f, DeviceRows x, int rows) {
    elementwise("activate", rows, x, f.ordinal(), x.address(), x.width(), x.stride());
  }

  void activateGated(Activation f, DeviceRows gate, DeviceRows up, int rows) {
    elementwise(
        "activate_gated",
        rows,
        gate,
        f.ordinal(),
        gate.address(),
        up.address(),
        gate.width(),
        gate.stride());
  }

  void scale(DeviceRows x, float factor, int rows) {
    elementwise("scale", rows, x, x.address(), factor, x.width(), x.stride());
  }

  void clamp(DeviceRows x, float bound, int rows) {
    elementwise("clamp", rows, x, x.address(), bound, x.stride());
  }

  void add(DeviceRows x, long y, int rows) {
    elementwise("add", rows, x, x.address(), y, x.width(), x.stride());
  }

  void rotate(
      DeviceRows x,
      int rows,
      int heads,
      int headSize,
      int rotated,
      long positions,
      long cos,
      long sin,
      boolean interleaved) {
    typed(
        "rotate",
        rows,
        1,
        0,
        x.address(),
        x.stride(),
        heads,
        headSize,
        rotated / 2,
        positions,
        cos,
        sin,
        interleaved ? 1 : 0);
  }

  void gather(DeviceRows from, long chosen, int count, long to) {
    elementwise("gather", count, from, from.address(), chosen, from.stride(), to);
  }

  /**
   * @param slots (rows, each) int32
   * @param weights (rows, each) float32
   */
  void combine(
      DeviceRows parts,
      long slots,
      long weights,
      int each,
      boolean areRounded,
      int rows,
      DeviceRows y) {
    elementwise(
        "combine",
        rows,
        y,
        parts.address(),
        slots,
        weights,
        each,
        areRounded ? 1 : 0,
        y.address(),
        y.width(),
        y.stride());
  }

  void attend(
      DeviceRows q,
      DeviceRows k,
      DeviceRows v,
      long tiles,
      int tileCount,
      long keyRows,
      AttentionShape shape,
      long alibi,
      DeviceRows y) {
    if (shape.headSize() > MOST_HEAD_SIZE) {
      throw new InvalidInputException(
          "found heads of %s values, expected at most %s on a GPU"
              .formatted(shape.headSize(), MOST_HEAD_SIZE));
    }
    stream.launch(
        "attention_" + parts(shape.headSize()) + "_" + storage.suffix(),
        tileCount,
        shape.heads(),
        ATTENTION_THREADS,
        attentionSharedBytes(shape.headSize()),
        q.address(),
        q.stride(),
        k.address(),
        k.stride(),
        v.address(),
        v.stride(),
        tiles,
        keyRows,
        shape.heads(),
        shape.keyHeads(),
        shape.headSize(),
        shape.scale(),
        shape.window(),
        alibi,
        shape.softCap(),
        y.address(),
        y.stride());
  }

  void quantize(DeviceRows x, int rows, Codes to) {
    typed(
        "quantize",
        rows,
        1,
        0,
        x.address(),
        x.stride(),
        x.width(),
        to.codes(),
        to.stride(),
        to.scales());
  }

  /**
   * @param y address of the first row's first value
   */
  void dequantize(Sums sums, int rows, long y, int stride) {
    dequantize("dequantize", sums, rows, y, stride);
  }

  void dequantizeAdd(Sums sums, int rows, long x, int stride) {
    dequantize("dequantize_add", sums, rows, x, stride);
  }

  private void dequantize(String kernel, Sums sums, int rows, long y, int stride) {
    typed(
        kernel,
        rows,
        columns(stride),
        0,
        sums.sums(),
        sums.stride(),
        sums.rowScales(),
        sums.weightScales(),
        sums.bias(),
        sums.width(),
        y,
        stride);
  }

  /** Whether rows of that width can be activated and quantized in one go. */
  boolean fuses(int width) {
    return (long) DeviceRows.roundUp(width, 4) * storage.bytes() <= sharedBytes;
  }

  void activateQuantize(Activation f, Sums sums, int rows, Codes to) {
    typed(
        "dequantize_activate_quantize",
        rows,
        1,
        DeviceRows.roundUp(sums.width(), 4) * storage.bytes(),
        f.ordinal(),
        sums.sums(),
        sums.stride(),
        sums.rowScales(),
        sums.weightScales(),
        sums.bias(),
        sums.width(),
        to.codes(),
        to.stride(),
        to.scales());
  }

  void activateGatedQuantize(Activation f, Sums gate, Sums up, int rows, Codes to) {
    typed(
        "dequantize_activate_gated_quantize",
        rows,
        1,
        DeviceRows.roundUp(gate.width(), 4) * storage.bytes(),
        f.ordinal(),
        gate.sums(),
        up.sums(),
        gate.stride(),
        gate.rowScales(),
        gate.weightScales(),
        up.weightScales(),
        gate.bias(),
        up.bias(),
        gate.width(),
        to.codes(),
        to.stride(),
        to.scales());
  }

  /**
   * @param codes (rows, codesStride) bytes
   * @param bits 8, or 4: two codes a byte
   * @param w (rows, stride) float32
   */
  void unpack(
      long codes,
      int codesStride,
      int bits,
      long scales,
      int rows,
      int columns,
      long w,
      int stride) {
    stream.launch(
        "unpack_codes", rows, 1, THREADS, 0, codes, codesStride, bits, scales, columns, w, stride);
  }

  /**
   * @param products (rows, stride) float32, of the tokens {@code [first, first + tokens)}
   */
  void logSumExp(
      long products,
      int stride,
      int rows,
      int tokens,
      int first,
      long bias,
      LogitTransform transform,
      long firstTarget,
      long targets,
      long max,
      long sum,
      long best,
      long targetLogits) {
    stream.launch(
        "log_sum_exp",
        rows,
        1,
        THREADS,
        0,
        products,
        stride,
        tokens,
        first,
        bias,
        storage.ordinal(),
        transform.factor(),
        transform.softCap(),
        firstTarget,
        targets,
        max,
        sum,
        best,
        targetLogits);
  }

  void finishLogits(
      long products,
      int stride,
      int rows,
      int tokens,
      int first,
      long bias,
      LogitTransform transform,
      long logits,
      int vocabulary) {
    stream.launch(
        "finish_logits",
        rows,
        columns(tokens),
        THREADS,
        0,
        products,
        stride,
        tokens,
        first,
        bias,
        storage.ordinal(),
        transform.factor(),
        transform.softCap(),
        logits,
        vocabulary);
  }

  private void elementwise(String kernel, int rows, DeviceRows x, Object... arguments) {
    typed(kernel, rows, columns(x.stride()), 0, arguments);
  }

  private void typed(String kernel, int gridX, int gridY, int shared, Object... arguments) {
    stream.launch(kernel + "_" + storage.suffix(), gridX, gridY, THREADS, shared, arguments);
  }

  private static int columns(int width) {
    return (width + COLUMNS - 1) / COLUMNS;
  }

  /** Of the kernels there are, that with the fewest times 64 values of a head. */
  private static int parts(int headSize) {
    return headSize <= 64 ? 1 : headSize <= 128 ? 2 : 4;
  }

  /** What attention.cu says a block needs: a tile's queries, and a block of keys and of values. */
  private static int attentionSharedBytes(int headSize) {
    int stride = DeviceRows.roundUp(headSize, 4) + 4;
    return (AttentionTiles.ROWS + 2 * ATTENTION_KEYS) * stride * Float.BYTES;
  }
}
