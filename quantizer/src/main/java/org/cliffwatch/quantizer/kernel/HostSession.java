package org.cliffwatch.quantizer.kernel;

import java.util.Arrays;
import org.cliffwatch.quantizer.scheme.Vectorwise;

/** Operations on Java arrays, one after another. */
final class HostSession implements Session {
  /** (capacity, width), row-major. */
  private record Array(int width, float[] values) implements Rows {
    @Override
    public void close() {}
  }

  record Values(float[] values) implements Constants {
    @Override
    public void close() {}
  }

  /** Neither copied nor rounded: looked up in the checkpoint. */
  record Lookup(WeightRows rows) implements Table {
    @Override
    public void close() {}
  }

  private final HostOperations operations;
  private final FloatType compute;
  private int[] tokens;
  private int[] positions;
  private TokenRuns runs;
  private Stopwatch watch;
  private int rows;

  /** What a product adds to other rows. */
  private float[] update = {};

  /** A table's row. */
  private float[] row = {};

  HostSession(HostOperations operations, FloatType compute) {
    this.operations = operations;
    this.compute = compute;
  }

  @Override
  public Rows rows(int capacity, int width) {
    return new Array(width, new float[capacity * width]);
  }

  @Override
  public void begin(int[] tokens, TokenRuns runs, Stopwatch watch) {
    this.tokens = tokens;
    this.positions = runs.positions();
    this.runs = runs;
    this.watch = watch;
    this.rows = tokens.length;
  }

  @Override
  public void embed(Table table, Nudge nudge, Rows y) {
    WeightRows embeddings = ((Lookup) table).rows();
    int width = y.width();
    float[] values = values(y);
    row = atLeast(row, width);
    for (int r = 0; r < rows; r++) {
      embeddings.row(tokens[r], row);
      System.arraycopy(row, 0, values, r * width, width);
    }
    round(values, rows * width);
    for (int r = 0; r < rows; r++) {
      nudge.apply(values, r * width, width, positions[r], tokens[r], compute);
    }
    watch.lap(Stage.REST);
  }

  @Override
  public void addPositions(Table table, int offset, Rows x) {
    WeightRows learned = ((Lookup) table).rows();
    int width = x.width();
    float[] values = values(x);
    row = atLeast(row, width);
    for (int r = 0; r < rows; r++) {
      learned.row(positions[r] + offset, row);
      for (int i = 0; i < width; i++) {
        values[r * width + i] += row[i];
      }
    }
    round(values, rows * width);
    watch.lap(Stage.ELEMENTWISE);
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
    float[] gains = values(weight);
    int width = gains.length;
    float[] to = values(y);
    switch (kind) {
      case RMS -> operations.rmsNorm(values(x), rows * parts, width, gains, epsilon, to);
      case LAYER ->
          operations.layerNorm(values(x), rows * parts, width, gains, values(bias), epsilon, to);
    }
    round(to, rows * parts * width);
    watch.lap(Stage.ELEMENTWISE);
  }

  @Override
  public void multiply(Linear layer, Rows x, Rows... y) {
    float[][] results = new float[y.length][];
    for (int p = 0; p < y.length; p++) {
      results[p] = values(y[p]);
    }
    layer.apply(values(x), rows, watch, results);
  }

  @Override
  public void addProduct(Linear layer, Rows x, Rows to) {
    int n = rows * to.width();
    update = atLeast(update, n);
    layer.apply(values(x), rows, watch, update);
    operations.add(values(to), update, n);
    round(values(to), n);
    watch.lap(Stage.ELEMENTWISE);
  }

  @Override
  public void scale(Rows x, float factor) {
    int n = rows * x.width();
    operations.scale(values(x), factor, n);
    round(values(x), n);
    watch.lap(Stage.ELEMENTWISE);
  }

  @Override
  public void requantize(Rows x, int parts) {
    float[] values = values(x);
    int width = x.width() / parts;
    byte[] codes = new byte[width];
    for (int at = 0; at < rows * x.width(); at += width) {
      float scale = Vectorwise.quantize(values, at, width, Vectorwise.LEVELS_8_BIT, codes, 0);
      for (int i = 0; i < width; i++) {
        values[at + i] = compute.round(codes[i] * scale);
      }
    }
    watch.lap(Stage.QUANTIZATION);
  }

  @Override
  public void clamp(Rows x, float bound) {
    float[] values = values(x);
    float rounded = compute.round(bound);
    int n = rows * x.width();
    for (int i = 0; i < n; i++) {
      values[i] = Math.max(-rounded, Math.min(rounded, values[i]));
    }
    watch.lap(Stage.ELEMENTWISE);
  }

  @Override
  public void add(Rows x, Rows to) {
    int n = rows * to.width();
    operations.add(values(to), values(x), n);
    round(values(to), n);
    watch.lap(Stage.ELEMENTWISE);
  }

  @Override
  public void feedForward(Linear in, Activation f, Linear out, Rows x, Rows[] inner, Rows y) {
    multiply(out, activated(in, f, x, inner), y);
  }

  @Override
  public void addFeedForward(Linear in, Activation f, Linear out, Rows x, Rows[] inner, Rows to) {
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
    copy(chosen, x, gathered);
    watch.lap(Stage.REST);
    int atHand = rows;
    rows = chosen.length;
    feedForward(in, f, out, gathered, inner, gathered);
    append(gathered, y, at);
    rows = atHand;
  }

  @Override
  public void combine(Rows parts, int[] slots, float[] weights, boolean areRounded, Rows y) {
    float[] from = values(parts);
    float[] sums = values(y);
    int width = y.width();
    int each = slots.length / rows;
    row = atLeast(row, width);
    Arrays.fill(sums, 0, rows * width, 0);
    for (int i = 0; i < slots.length; i++) {
      float weight = areRounded ? compute.round(weights[i]) : weights[i];
      int part = slots[i] * width;
      for (int c = 0; c < width; c++) {
        row[c] = weight * from[part + c];
      }
      if (areRounded) {
        round(row, width);
      }
      int sum = i / each * width;
      for (int c = 0; c < width; c++) {
        sums[sum + c] += row[c];
      }
    }
    round(sums, rows * width);
    watch.lap(Stage.ELEMENTWISE);
  }

  private Rows activated(Linear in, Activation f, Rows x, Rows... inner) {
    multiply(in, x, inner);
    float[] activated = values(inner[0]);
    int n = rows * inner[0].width();
    if (inner.length == 1) {
      operations.activate(f, activated, n);
    } else {
      operations.activateGated(f, activated, values(inner[1]), n);
    }
    round(activated, n);
    watch.lap(Stage.ELEMENTWISE);
    return inner[0];
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
    float[] values = values(x);
    operations.rotate(
        values, rows, heads, headSize, rotated, positions, values(cos), values(sin), interleaved);
    round(values, rows * heads * headSize);
  }

  @Override
  public void attend(Rows q, Rows k, Rows v, AttentionShape shape, Constants alibi, Rows y) {
    operations.attention(values(q), values(k), values(v), runs, shape, values(y));
    round(values(y), rows * shape.heads() * shape.headSize());
    watch.lap(Stage.ATTENTION);
  }

  @Override
  public void keep(int[] kept, Rows... all) {
    if (kept.length == rows) {
      return;
    }
    for (Rows x : all) {
      copy(kept, x, x);
    }
    rows = kept.length;
    watch.lap(Stage.REST);
  }

  /**
   * to[i] = from[chosen[i]].
   *
   * @param chosen ascending where {@code to} is {@code from}
   */
  private static void copy(int[] chosen, Rows from, Rows to) {
    float[] source = values(from);
    float[] copies = values(to);
    int width = from.width();
    for (int i = 0; i < chosen.length; i++) {
      System.arraycopy(source, chosen[i] * width, copies, i * width, width);
    }
  }

  @Override
  public void append(Rows from, Rows to, int at) {
    int width = from.width();
    System.arraycopy(values(from), 0, values(to), at * width, rows * width);
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
    head.score(values(x), count, firstTarget, targets, watch, logProbability, greedy);
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
    head.compare(values(x), count, baseline, baselineX, at, watch, divergence, agrees);
  }

  @Override
  public void write(float[] from, int at, int rows, Rows y) {
    System.arraycopy(from, at * y.width(), values(y), 0, rows * y.width());
  }

  @Override
  public void read(Rows x, int count, float[] to, int at) {
    System.arraycopy(values(x), 0, to, at * x.width(), count * x.width());
  }

  @Override
  public void logits(VocabularyHead head, Rows x, float[] out) {
    head.logits(values(x), rows, out);
  }

  private void round(float[] x, int n) {
    if (compute != FloatType.FLOAT32) {
      operations.round(compute, x, n);
    }
  }

  private static float[] values(Rows rows) {
    return ((Array) rows).values();
  }

  private static float[] values(Constants constants) {
    return constants == null ? null : ((Values) constants).values();
  }

  private static float[] atLeast(float[] array, int length) {
    return array.length < length ? new float[length] : array;
  }

  @Override
  public void close() {}
}
