package org.cliffwatch.quantizer.kernel;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.Map;
import java.util.SplittableRandom;
import org.cliffwatch.quantizer.scheme.Precision;

/**
 * A digest of what a backend computes here, to the bit: fixed products of every kind, the
 * vocabulary projection and every other operation. Version and instruction set do not say all that
 * results depend on: libraries choose the order of a sum by the size of caches, by patch releases
 * and by settings. Where any of these changes a bit, kernels have two identities.
 */
public final class KernelDigest {
  private static final int BYTES = 4;

  /** What rounds is made in tiles of one height, in which rows do not meet. */
  private static final int ROWS = 5;

  private static final int ATTENDING_ROWS = 60;

  /** Inputs beyond what libraries add in one go. */
  private static final int LONG = 4096;

  private static final Precision[] KINDS = {
    new Precision("fp32", "float", 32, 32, FloatType.FLOAT32, Map.of()),
    new Precision("bf16", "float", 16, 16, FloatType.BFLOAT16, Map.of()),
    new Precision("fp16", "float", 16, 16, FloatType.FLOAT16, Map.of()),
    new Precision("w8", "vectorwise", 8, 32, FloatType.FLOAT32, Map.of()),
    new Precision("w4", "vectorwise", 4, 32, FloatType.FLOAT32, Map.of()),
    new Precision("w8a8", "vectorwise", 8, 8, FloatType.FLOAT32, Map.of())
  };

  private final Backend backend;
  private final SplittableRandom random = new SplittableRandom(1);
  private final MessageDigest digest;

  private KernelDigest(Backend backend) {
    this.backend = backend;
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Eight hexadecimal digits; costs a few tenths of a second. */
  public static String of(Backend backend) {
    KernelDigest computed = new KernelDigest(backend);
    for (Precision kind : KINDS) {
      computed.addProduct(kind, 577, 100);
      computed.addCancelled(kind, LONG, 32);
    }
    for (FloatType type : FloatType.values()) {
      computed.addHead(type);
    }
    computed.addOperations();
    return HexFormat.of().formatHex(computed.digest.digest(), 0, BYTES);
  }

  private void addProduct(Precision kind, int inputs, int outputs) {
    addProduct(
        kind,
        inputs,
        values(ROWS * inputs, kind.compute()),
        values(outputs * inputs, FloatType.FLOAT32));
  }

  /**
   * Sums whose second half takes back the first: what is left is the roundings on the way, and
   * shows their order also where results are rounded to 16 bits.
   */
  private void addCancelled(Precision kind, int inputs, int outputs) {
    float[] x = values(ROWS * inputs, kind.compute());
    float[] weight = values(outputs * inputs, FloatType.FLOAT32);
    int half = inputs / 2;
    for (int row = 0; row < ROWS; row++) {
      System.arraycopy(x, row * inputs, x, row * inputs + half, half);
    }
    for (int o = 0; o < outputs; o++) {
      for (int i = o * inputs; i < o * inputs + half; i++) {
        weight[half + i] = -weight[i];
      }
    }
    addProduct(kind, inputs, x, weight);
  }

  private void addProduct(Precision kind, int inputs, float[] x, float[] weight) {
    int outputs = weight.length / inputs;
    float[] y = new float[ROWS * outputs];
    MatrixRows rows = new MatrixRows("kernel digest", outputs, inputs, weight);
    try (Linear linear = backend.linear(rows, null, kind)) {
      linear.apply(x, ROWS, y);
    }
    add(y);
  }

  private void addHead(FloatType type) {
    int hidden = 193;
    int vocabulary = 531;
    int[] firstTarget = new int[ROWS + 1];
    int[] targets = new int[ROWS];
    for (int row = 0; row < ROWS; row++) {
      firstTarget[row + 1] = row + 1;
      targets[row] = 5 * row;
    }
    double[] logProbability = new double[ROWS];
    float[] x = values(ROWS * hidden, type);
    MatrixRows weight =
        new MatrixRows(
            "kernel digest", vocabulary, hidden, values(vocabulary * hidden, FloatType.FLOAT32));
    try (VocabularyHead head = backend.head(weight, null, type)) {
      head.score(x, ROWS, firstTarget, targets, new Stopwatch(), logProbability, new boolean[ROWS]);
    }
    ByteBuffer bytes = ByteBuffer.allocate(ROWS * Double.BYTES);
    bytes.asDoubleBuffer().put(logProbability);
    digest.update(bytes);
  }

  private void addOperations() {
    HostOperations operations = backend.operations();
    int width = 577;
    float[] x = values(ROWS * width, FloatType.FLOAT32);
    float[] y = new float[x.length];
    operations.rmsNorm(x, ROWS, width, values(width, FloatType.FLOAT32), 1e-5f, y);
    add(y);
    float[] gain = values(width, FloatType.FLOAT32);
    operations.layerNorm(x, ROWS, width, gain, values(width, FloatType.FLOAT32), 1e-5f, y);
    add(y);
    // Made of what SILU is made of, and not there when the first identities were given.
    for (Activation f : EnumSet.complementOf(EnumSet.of(Activation.QUICK_GELU))) {
      float[] activated = x.clone();
      operations.activate(f, activated, activated.length);
      add(activated);
      float[] gate = x.clone();
      operations.activateGated(f, gate, y, gate.length);
      add(gate);
    }
    TokenRuns runs =
        new TokenRuns(
            new int[] {0, 40, 50, ATTENDING_ROWS}, new int[] {-1, 0, 0}, new int[] {0, 40, 40});
    float[] slopes = {0.5f, 0.25f, 0.125f, 0.0625f};
    for (AttentionShape shape :
        new AttentionShape[] {
          new AttentionShape(4, 2, 64, 0.125f, 0, null, 0),
          new AttentionShape(4, 4, 40, 0.15f, 33, slopes, 30)
        }) {
      float[] q = values(ATTENDING_ROWS * shape.heads() * shape.headSize(), FloatType.FLOAT32);
      float[] k = values(ATTENDING_ROWS * shape.keyHeads() * shape.headSize(), FloatType.FLOAT32);
      float[] v = values(ATTENDING_ROWS * shape.keyHeads() * shape.headSize(), FloatType.FLOAT32);
      float[] attended = new float[q.length];
      operations.attention(q, k, v, runs, shape, attended);
      add(attended);
    }
  }

  private void add(float[] values) {
    ByteBuffer bytes = ByteBuffer.allocate(values.length * Float.BYTES);
    bytes.asFloatBuffer().put(values);
    digest.update(bytes);
  }

  /** In [−2, 2), of 24 bits, so that every sum rounds; the same in every Java. */
  private float[] values(int n, FloatType type) {
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = type.round((random.nextInt() >> 8) * 0x1p-22f);
    }
    return values;
  }
}
