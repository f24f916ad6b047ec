package org.cliffwatch.quantizer.kernel.cuda;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.cliffwatch.quantizer.kernel.LogitTransform;
import org.cliffwatch.quantizer.kernel.Stage;
import org.cliffwatch.quantizer.kernel.Stopwatch;
import org.cliffwatch.quantizer.kernel.VocabularyHead;
import org.cliffwatch.quantizer.kernel.WeightRows;

/**
 * The vocabulary in blocks of {@link #BLOCK} tokens: each block's products are reduced before the
 * next is made, and lie in the second-level cache.
 */
final class DeviceHead implements VocabularyHead {
  private static final int BLOCK = 8192;

  /** Rows multiplied at once. */
  private static final int CHUNK = 1024;

  private final DeviceBackend backend;
  private final Storage storage;
  private final LogitTransform transform;
  private final int vocabulary;
  private final int hidden;
  private final Device.Memory weight;
  private final Device.Memory bias;
  private final Device.Product block;
  private final Device.Product last;
  private volatile boolean closed;

  DeviceHead(
      DeviceBackend backend,
      WeightRows weight,
      float[] bias,
      Storage storage,
      LogitTransform transform) {
    this.backend = backend;
    this.storage = storage;
    this.transform = transform;
    this.vocabulary = weight.rows();
    this.hidden = weight.columns();
    Device device = backend.device();
    int inputs = Packing.padded(hidden);
    this.block = device.product(storage.sums(), BLOCK, inputs);
    this.last = device.product(storage.sums(), Packing.padded(tokens(lastFirst())), inputs);
    this.weight = backend.packing().weight(weight, storage);
    try {
      this.bias = backend.packing().vector(bias, Storage.F32);
    } catch (RuntimeException | Error e) {
      this.weight.close();
      throw e;
    }
  }

  /** First token of the last block. */
  private int lastFirst() {
    return (vocabulary - 1) / BLOCK * BLOCK;
  }

  private int tokens(int first) {
    return Math.min(BLOCK, vocabulary - first);
  }

  @Override
  public int vocabulary() {
    return vocabulary;
  }

  /** Receives the products of some rows with one block. */
  private interface BlockConsumer {
    /**
     * @param products (count, stride) float32
     */
    void accept(int firstRow, int count, int firstToken, int tokens, long products, int stride);
  }

  private void forEachBlock(DeviceSession session, DeviceRows x, int rows, BlockConsumer consumer) {
    if (closed) {
      throw new IllegalStateException("vocabulary projection used after it was closed");
    }
    long row = (long) x.stride() * storage.bytes();
    int all = session.tiled(Math.min(CHUNK, rows));
    long products = session.scratch().of(Scratch.Use.LOGITS, (long) all * BLOCK * Float.BYTES);
    for (int first = 0; first < rows; first += CHUNK) {
      int count = Math.min(CHUNK, rows - first);
      for (int token = 0; token < vocabulary; token += BLOCK) {
        Device.Product product = token == lastFirst() ? last : block;
        session.stream()
            .multiply(
                product,
                count,
                x.address() + first * row,
                weight.address() + token * row,
                0,
                products);
        int tokens = tokens(token);
        consumer.accept(first, count, token, tokens, products, Packing.padded(tokens));
      }
    }
  }

  private long bias() {
    return bias == null ? 0 : bias.address();
  }

  /** As {@link VocabularyHead#score}, of rows on the device; waits. */
  void score(
      DeviceSession session,
      DeviceRows x,
      int rows,
      int[] firstTarget,
      int[] targets,
      double[] logProbability,
      boolean[] greedy) {
    int base = firstTarget[0];
    int count = firstTarget[rows] - base;
    int[] offsets = Arrays.stream(firstTarget, 0, rows + 1).map(offset -> offset - base).toArray();
    long firsts = session.upload(Scratch.Use.FIRST_TARGET, offsets);
    int[] wanted = Arrays.copyOfRange(targets, base, base + count);
    long tokens = session.upload(Scratch.Use.TARGETS, wanted);
    Scratch scratch = session.scratch();
    long max = scratch.of(Scratch.Use.MAX, (long) rows * Float.BYTES);
    long sum = scratch.of(Scratch.Use.SUM, (long) rows * Double.BYTES);
    long best = scratch.of(Scratch.Use.BEST, (long) rows * Integer.BYTES);
    long logits = scratch.of(Scratch.Use.TARGET_LOGITS, (long) count * Float.BYTES);
    forEachBlock(
        session,
        x,
        rows,
        (row, n, firstToken, blockTokens, products, stride) ->
            session
                .kernels()
                .logSumExp(
                    products,
                    stride,
                    n,
                    blockTokens,
                    firstToken,
                    bias(),
                    transform,
                    firsts + (long) row * Integer.BYTES,
                    tokens,
                    max + (long) row * Float.BYTES,
                    sum + (long) row * Double.BYTES,
                    best + (long) row * Integer.BYTES,
                    logits));
    ByteBuffer maxima = downloaded(session, max, rows * Float.BYTES);
    ByteBuffer sums = downloaded(session, sum, rows * Double.BYTES);
    ByteBuffer bests = downloaded(session, best, rows * Integer.BYTES);
    ByteBuffer targetLogits = downloaded(session, logits, count * Float.BYTES);
    for (int row = 0; row < rows; row++) {
      double logSumExp =
          maxima.getFloat(row * Float.BYTES) + StrictMath.log(sums.getDouble(row * Double.BYTES));
      for (int i = offsets[row]; i < offsets[row + 1]; i++) {
        logProbability[base + i] = targetLogits.getFloat(i * Float.BYTES) - logSumExp;
        greedy[base + i] = wanted[i] == bests.getInt(row * Integer.BYTES);
      }
    }
  }

  private static ByteBuffer downloaded(DeviceSession session, long from, int bytes) {
    ByteBuffer to = DeviceSession.direct(bytes);
    session.stream().download(from, to);
    return to;
  }

  /** As {@link VocabularyHead#logits}, of rows on the device; waits. */
  void logits(DeviceSession session, DeviceRows x, int rows, float[] out) {
    try (Device.Memory logits = backend.device().allocate((long) rows * vocabulary * Float.BYTES)) {
      forEachBlock(
          session,
          x,
          rows,
          (row, n, firstToken, tokens, products, stride) ->
              session
                  .kernels()
                  .finishLogits(
                      products,
                      stride,
                      n,
                      tokens,
                      firstToken,
                      bias(),
                      transform,
                      logits.address() + (long) row * vocabulary * Float.BYTES,
                      vocabulary));
      for (int row = 0; row < rows; row++) {
        long from = logits.address() + (long) row * vocabulary * Float.BYTES;
        downloaded(session, from, vocabulary * Float.BYTES)
            .asFloatBuffer()
            .get(out, row * vocabulary, vocabulary);
      }
    }
  }

  @Override
  public void score(
      float[] x,
      int rows,
      int[] firstTarget,
      int[] targets,
      Stopwatch watch,
      double[] logProbability,
      boolean[] greedy) {
    if (rows == 0) {
      return;
    }
    try (DeviceSession session = backend.session(storage.type());
        DeviceRows from = session.rows(rows, hidden)) {
      session.upload(x, rows, from);
      score(session, from, rows, firstTarget, targets, logProbability, greedy);
    }
    watch.lap(Stage.DEVICE);
  }

  static UnsupportedOperationException noComparison() {
    return new UnsupportedOperationException("cuda has no kernel that compares two heads' logits");
  }

  @Override
  public void compare(
      float[] x,
      int rows,
      VocabularyHead baseline,
      float[] baselineX,
      int at,
      Stopwatch watch,
      double[] divergence,
      boolean[] agrees) {
    throw noComparison();
  }

  @Override
  public void logits(float[] x, int rows, float[] out) {
    try (DeviceSession session = backend.session(storage.type());
        DeviceRows from = session.rows(rows, hidden)) {
      session.upload(x, rows, from);
      logits(session, from, rows, out);
    }
  }

  @Override
  public long bytes() {
    return weight.bytes() + (bias == null ? 0 : bias.bytes());
  }

  @Override
  public void close() {
    closed = true;
    weight.close();
    if (bias != null) {
      bias.close();
    }
  }
}
