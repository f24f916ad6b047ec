package org.cliffwatch.quantizer.kernel.cuda;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.cliffwatch.quantizer.kernel.Activation;
import org.cliffwatch.quantizer.kernel.AttentionShape;
import org.cliffwatch.quantizer.kernel.Constants;
import org.cliffwatch.quantizer.kernel.Linear;
import org.cliffwatch.quantizer.kernel.Normalization;
import org.cliffwatch.quantizer.kernel.Nudge;
import org.cliffwatch.quantizer.kernel.Rows;
import org.cliffwatch.quantizer.kernel.Session;
import org.cliffwatch.quantizer.kernel.Stage;
import org.cliffwatch.quantizer.kernel.Stopwatch;
import org.cliffwatch.quantizer.kernel.Table;
import org.cliffwatch.quantizer.kernel.TokenRuns;
import org.cliffwatch.quantizer.kernel.VocabularyHead;

/**
 * A stream of kernels and products: the host only gives work, and waits where scores are read. What
 * lies between products of codes and the codes of the next is one kernel.
 */
final class DeviceSession implements Session {
  private final Device device;
  private final Storage storage;
  private final Stream stream;
  private final Kernels kernels;
  private final Scratch scratch;
  private Stopwatch watch = new Stopwatch();
  private int rows;

  // The batch at hand, in device memory.
  private long tokens;
  private long positions;
  private long tiles;
  private long keyRows;
  private int tileCount;

  DeviceSession(Device device, Storage storage) {
    this.device = device;
    this.storage = storage;
    this.stream = device.stream();
    this.kernels = new Kernels(stream, storage, device.sharedBytes());
    this.scratch = new Scratch(device);
  }

  /** Rows in whole tiles: what products have to have room for. */
  int tiled(int count) {
    return DeviceRows.roundUp(count, device.tileRows());
  }

  Stream stream() {
    return stream;
  }

  Kernels kernels() {
    return kernels;
  }

  Scratch scratch() {
    return scratch;
  }

  @Override
  public DeviceRows rows(int capacity, int width) {
    return new DeviceRows(device, storage, capacity, width);
  }

  @Override
  public void begin(int[] tokens, TokenRuns runs, Stopwatch watch) {
    this.watch = watch;
    this.rows = tokens.length;
    AttentionTiles attention = AttentionTiles.of(runs);
    this.tileCount = attention.count();
    this.tokens = upload(Scratch.Use.TOKENS, tokens);
    this.positions = upload(Scratch.Use.POSITIONS, runs.positions());
    this.tiles = upload(Scratch.Use.TILES, attention.tiles());
    this.keyRows = upload(Scratch.Use.KEY_ROWS, attention.keyRows());
  }

  /** Makes rows of the host the rows at hand. */
  void begin(int count) {
    this.rows = count;
  }

  long upload(Scratch.Use use, int[] values) {
    ByteBuffer bytes = direct(values.length * Integer.BYTES);
    bytes.asIntBuffer().put(values);
    long address = scratch.of(use, bytes.capacity());
    stream.upload(bytes, address);
    return address;
  }

  private long upload(Scratch.Use use, float[] values) {
    ByteBuffer bytes = direct(values.length * Float.BYTES);
    bytes.asFloatBuffer().put(values);
    long address = scratch.of(use, bytes.capacity());
    stream.upload(bytes, address);
    return address;
  }

  /** Rows from the host, (count, width), rounded to the type. */
  void upload(float[] x, int count, DeviceRows to) {
    ByteBuffer bytes = direct(Math.multiplyExact(count * to.stride(), storage.bytes()));
    for (int r = 0; r < count; r++) {
      bytes.position(r * to.stride() * storage.bytes());
      for (int i = 0; i < to.width(); i++) {
        storage.put(bytes, x[r * to.width() + i]);
      }
    }
    stream.upload(bytes.rewind(), to.address());
  }

  /** Rows to the host; waits. */
  void download(DeviceRows from, int count, float[] y) {
    ByteBuffer bytes = direct(Math.multiplyExact(count * from.stride(), storage.bytes()));
    stream.download(from.address(), bytes);
    for (int r = 0; r < count; r++) {
      bytes.position(r * from.stride() * storage.bytes());
      for (int i = 0; i < from.width(); i++) {
        y[r * from.width() + i] = storage.get(bytes);
      }
    }
  }

  static ByteBuffer direct(int bytes) {
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
  }

  @Override
  public void embed(Table table, Nudge nudge, Rows y) {
    kernels.embed(
        (DeviceConstants) table,
        tokens,
        positions,
        nudge.seeded(),
        nudge.replica() > 0,
        rows,
        (DeviceRows) y);
  }

  @Override
  public void addPositions(Table table, int offset, Rows x) {
    kernels.addTable((DeviceConstants) table, positions, offset, rows, (DeviceRows) x);
  }

  @Override
  public void normalize(
      Normalization kind,
      float epsilon,
      Constants weight,
      Constants bias,
      Rows x,
      int parts,
      Rows y) {
    kernels.normalize(
        kind,
        epsilon,
        DeviceConstants.address(weight),
        DeviceConstants.address(bias),
        (DeviceRows) x,
        rows,
        parts,
        ((DeviceConstants) weight).length(),
        (DeviceRows) y);
  }

  @Override
  public void multiply(Linear layer, Rows x, Rows... y) {
    ((DeviceLinear) layer).multiply(this, (DeviceRows) x, rows, y);
  }

  @Override
  public void addProduct(Linear layer, Rows x, Rows to) {
    ((DeviceLinear) layer).addProduct(this, (DeviceRows) x, rows, (DeviceRows) to);
  }

  @Override
  public void scale(Rows x, float factor) {
    kernels.scale((DeviceRows) x, factor, rows);
  }

  /** Precisions that need it are refused before. */
  @Override
  public void requantize(Rows x, int parts) {
    throw new UnsupportedOperationException("keys and values stay as they are computed");
  }

  @Override
  public void clamp(Rows x, float bound) {
    kernels.clamp((DeviceRows) x, bound, rows);
  }

  @Override
  public void add(Rows x, Rows to) {
    kernels.add((DeviceRows) to, ((DeviceRows) x).address(), rows);
  }

  @Override
  public void feedForward(Linear in, Activation f, Linear out, Rows x, Rows[] inner, Rows y) {
    if (fuses(in, out, inner)) {
      Kernels.Codes activated = ((DeviceLinear) in).activated(this, f, (DeviceRows) x, rows);
      ((DeviceLinear) out).multiply(this, activated, rows, y);
      return;
    }
    multiply(out, activated(in, f, x, inner), y);
  }

  @Override
  public void addFeedForward(Linear in, Activation f, Linear out, Rows x, Rows[] inner, Rows to) {
    if (fuses(in, out, inner)) {
      Kernels.Codes activated = ((DeviceLinear) in).activated(this, f, (DeviceRows) x, rows);
      ((DeviceLinear) out).addProduct(this, activated, rows, (DeviceRows) to);
      return;
    }
    addProduct(out, activated(in, f, x, inner), to);
  }

  @Override
  public void feedForwardOf(
      int[] chosen,
      Linear in,
      Activation f,
      Linear out,
      Rows x,
      Rows gathered,
      Rows[] inner,
      Rows y,
      int at) {
    long indices = upload(Scratch.Use.KEPT, chosen);
    kernels.gather((DeviceRows) x, indices, chosen.length, ((DeviceRows) gathered).address());
    int atHand = rows;
    rows = chosen.length;
    feedForward(in, f, out, gathered, inner, gathered);
    append(gathered, y, at);
    rows = atHand;
  }

  @Override
  public void combine(Rows parts, int[] slots, float[] weights, boolean areRounded, Rows y) {
    float[] given = areRounded ? storage.type().rounded(weights) : weights;
    kernels.combine(
        (DeviceRows) parts,
        upload(Scratch.Use.SLOTS, slots),
        upload(Scratch.Use.WEIGHTS, given),
        slots.length / rows,
        areRounded,
        rows,
        (DeviceRows) y);
  }

  private boolean fuses(Linear in, Linear out, Rows... inner) {
    return ((DeviceLinear) in).isInteger()
        && ((DeviceLinear) out).isInteger()
        && kernels.fuses(inner[0].width());
  }

  private DeviceRows activated(Linear in, Activation f, Rows x, Rows... inner) {
    multiply(in, x, inner);
    DeviceRows activated = (DeviceRows) inner[0];
    if (inner.length == 1) {
      kernels.activate(f, activated, rows);
    } else {
      kernels.activateGated(f, activated, (DeviceRows) inner[1], rows);
    }
    return activated;
  }

  @Override
  public void rotate(
      Rows x,
      int heads,
      int headSize,
      int rotated,
      Constants cos,
      Constants sin,
      boolean interleaved) {
    kernels.rotate(
        (DeviceRows) x,
        rows,
        heads,
        headSize,
        rotated,
        positions,
        DeviceConstants.address(cos),
        DeviceConstants.address(sin),
        interleaved);
  }

  @Override
  public void attend(Rows q, Rows k, Rows v, AttentionShape shape, Constants alibi, Rows y) {
    kernels.attend(
        (DeviceRows) q,
        (DeviceRows) k,
        (DeviceRows) v,
        tiles,
        tileCount,
        keyRows,
        shape,
        DeviceConstants.address(alibi),
        (DeviceRows) y);
  }

  @Override
  public void keep(int[] kept, Rows... all) {
    if (kept.length == rows) {
      return;
    }
    long chosen = upload(Scratch.Use.KEPT, kept);
    for (Rows each : all) {
      DeviceRows x = (DeviceRows) each;
      long bytes = (long) kept.length * x.stride() * storage.bytes();
      long gathered = scratch.of(Scratch.Use.GATHERED, bytes);
      kernels.gather(x, chosen, kept.length, gathered);
      stream.copy(gathered, x.address(), bytes);
    }
    rows = kept.length;
  }

  @Override
  public void append(Rows from, Rows to, int at) {
    DeviceRows source = (DeviceRows) from;
    long row = (long) source.stride() * storage.bytes();
    stream.copy(source.address(), ((DeviceRows) to).address() + at * row, rows * row);
  }

  @Override
  public void score(
      VocabularyHead head,
      Rows x,
      int count,
      int[] firstTarget,
      int[] targets,
      double[] logProbability,
      boolean[] greedy) {
    watch.lap(Stage.REST);
    ((DeviceHead) head)
        .score(this, (DeviceRows) x, count, firstTarget, targets, logProbability, greedy);
    watch.lap(Stage.DEVICE);
  }

  @Override
  public void compare(
      VocabularyHead head,
      Rows x,
      int count,
      VocabularyHead baseline,
      float[] baselineX,
      int at,
      double[] divergence,
      boolean[] agrees) {
    throw DeviceHead.noComparison();
  }

  @Override
  public void write(float[] from, int at, int count, Rows y) {
    upload(
        Arrays.copyOfRange(from, at * y.width(), (at + count) * y.width()), count, (DeviceRows) y);
  }

  @Override
  public void read(Rows x, int count, float[] to, int at) {
    watch.lap(Stage.REST);
    float[] read = new float[count * x.width()];
    download((DeviceRows) x, count, read);
    watch.lap(Stage.DEVICE);
    System.arraycopy(read, 0, to, at * x.width(), read.length);
  }

  @Override
  public void logits(VocabularyHead head, Rows x, float[] out) {
    ((DeviceHead) head).logits(this, (DeviceRows) x, rows, out);
  }

  @Override
  public void close() {
    stream.close();
    scratch.close();
  }
}
