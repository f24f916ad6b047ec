package org.cliffwatch.quantizer.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.cliffwatch.quantizer.kernel.Activation;
import org.cliffwatch.quantizer.kernel.AttentionShape;
import org.cliffwatch.quantizer.kernel.Constants;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.HostOperations;
import org.cliffwatch.quantizer.kernel.MatrixRows;
import org.cliffwatch.quantizer.kernel.Normalization;
import org.cliffwatch.quantizer.kernel.Nudge;
import org.cliffwatch.quantizer.kernel.Projection;
import org.cliffwatch.quantizer.kernel.Stopwatch;
import org.cliffwatch.quantizer.kernel.TokenRuns;
import org.cliffwatch.quantizer.kernel.reference.ScalarOperations;
import org.cliffwatch.quantizer.scheme.LinearForm;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.cliffwatch.quantizer.scheme.QuantizedWeight;
import org.cliffwatch.quantizer.scheme.Schemes;
import org.cliffwatch.quantizer.scheme.Vectorwise;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Every operation of a session, in every type, beside scalar code on what it is given. */
@Tag("gpu")
@ParameterizedClass
@MethodSource("org.cliffwatch.quantizer.kernel.cuda.Devices#all")
class DeviceSessionTest {
  private static final int[] WIDTHS = {1, 15, 16, 17, 577, 1100};

  private static final int[] ROWS = {1, 3, 33};

  /** Of values of magnitude one, after tens of float32 roundings (2⁻²⁴ each). */
  private static final float FLOAT32 = 5e-6f;

  private final DeviceBackend backend;
  private final HostOperations scalar = new ScalarOperations();

  DeviceSessionTest(DeviceBackend backend) {
    this.backend = backend;
  }

  /** What float32 sums in another order may move a result by, and half a unit of its type. */
  private static float tolerance(FloatType type, float expected) {
    float rounding = type == FloatType.FLOAT32 ? 0 : type.ulp(type.round(expected));
    return FLOAT32 * Math.max(1, Math.abs(expected)) + rounding;
  }

  private static void assertNear(FloatType type, float[] found, float[] expected) {
    for (int i = 0; i < expected.length; i++) {
      if (Float.isNaN(expected[i])) {
        assertThat(found[i]).as("value %s", i).isNaN();
      } else {
        assertThat(found[i])
            .as("value %s", i)
            .isCloseTo(
                expected[i], org.assertj.core.data.Offset.offset(tolerance(type, expected[i])));
        assertThat(type.round(found[i])).isEqualTo(found[i]);
      }
    }
  }

  private static float[] normals(SplittableRandom random, int n, FloatType type) {
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = type.round((float) random.nextGaussian());
    }
    return values;
  }

  private DeviceRows rows(DeviceSession session, float[] values, int count) {
    DeviceRows rows = session.rows(count, values.length / count);
    session.upload(values, count, rows);
    return rows;
  }

  private static float[] read(DeviceSession session, DeviceRows rows, int count) {
    float[] values = new float[count * rows.width()];
    session.download(rows, count, values);
    return values;
  }

  /** Positions 0 … rows − 1, as one run. */
  private static TokenRuns run(int rows) {
    return new TokenRuns(new int[] {0, rows}, new int[] {-1}, new int[] {0});
  }

  @ParameterizedTest
  @EnumSource(FloatType.class)
  void embeddings(FloatType type) {
    SplittableRandom random = new SplittableRandom(1);
    for (int width : WIDTHS) {
      MatrixRows table =
          new MatrixRows("t", 9, width, normals(random, 9 * width, FloatType.FLOAT32));
      int[] tokens = {3, 8, 0, 3, 7};
      try (DeviceSession session = backend.session(type);
          DeviceConstants packed = backend.table(table, type);
          DeviceRows y = session.rows(5, width)) {
        session.begin(tokens, run(5), new Stopwatch());
        for (int replica : new int[] {0, 1, 2}) {
          Nudge nudge = new Nudge(77, replica);
          session.embed(packed, nudge, y);
          session.addPositions(packed, 2, y);
          float[] expected = new float[5 * width];
          for (int r = 0; r < 5; r++) {
            for (int i = 0; i < width; i++) {
              expected[r * width + i] = type.round(table.values()[tokens[r] * width + i]);
            }
            nudge.apply(expected, r * width, width, r, tokens[r], type);
            for (int i = 0; i < width; i++) {
              float learned = type.round(table.values()[(r + 2) * width + i]);
              expected[r * width + i] = type.round(expected[r * width + i] + learned);
            }
          }
          assertThat(read(session, y, 5)).isEqualTo(expected);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(FloatType.class)
  void norms(FloatType type) {
    SplittableRandom random = new SplittableRandom(2);
    for (int width : WIDTHS) {
      for (int parts : new int[] {1, 3}) {
        int rows = 5;
        float[] x = normals(random, rows * parts * width, type);
        x[0] = 40;
        Arrays.fill(x, parts * width, 2 * parts * width, 0);
        x[2 * parts * width] = Float.NaN;
        x[3 * parts * width] = Float.POSITIVE_INFINITY;
        float[] weight = normals(random, width, type);
        float[] bias = normals(random, width, type);
        for (Normalization kind : Normalization.values()) {
          float[] expected = new float[x.length];
          if (kind == Normalization.RMS) {
            scalar.rmsNorm(x, rows * parts, width, weight, 1e-2f, expected);
          } else {
            scalar.layerNorm(x, rows * parts, width, weight, bias, 1e-2f, expected);
          }
          try (DeviceSession session = backend.session(type);
              Constants gains = backend.constants(weight);
              Constants biases = backend.constants(bias);
              DeviceRows on = rows(session, x, rows)) {
            session.begin(rows);
            session.normalize(kind, 1e-2f, gains, biases, on, parts, on);
            float[] found = read(session, on, rows);
            int finite = 3 * parts * width;
            assertNear(
                type,
                Arrays.copyOf(found, 2 * parts * width),
                type.rounded(Arrays.copyOf(expected, 2 * parts * width)));
            assertThat(found[2 * parts * width]).isNaN();
            assertThat(found[finite]).isNaN();
          }
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(FloatType.class)
  void activationsAndSums(FloatType type) {
    SplittableRandom random = new SplittableRandom(3);
    for (int width : WIDTHS) {
      int rows = 3;
      float[] x = normals(random, rows * width, type);
      float[] y = normals(random, rows * width, type);
      x[width] = Float.NEGATIVE_INFINITY;
      for (Activation f : Activation.values()) {
        try (DeviceSession session = backend.session(type);
            DeviceRows gate = rows(session, x, rows);
            DeviceRows up = rows(session, y, rows)) {
          float[] expected = x.clone();
          scalar.activate(f, expected, expected.length);
          session.kernels().activate(f, gate, rows);
          assertNear(type, read(session, gate, rows), type.rounded(expected));
          session.upload(x, rows, gate);
          expected = x.clone();
          scalar.activateGated(f, expected, y, expected.length);
          session.kernels().activateGated(f, gate, up, rows);
          assertNear(type, read(session, gate, rows), type.rounded(expected));
          session.upload(x, rows, gate);
          session.kernels().add(gate, up.address(), rows);
          expected = x.clone();
          scalar.add(expected, y, expected.length);
          assertThat(read(session, gate, rows)).isEqualTo(type.rounded(expected));
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(FloatType.class)
  void rotationsAreExact(FloatType type) {
    SplittableRandom random = new SplittableRandom(4);
    for (int headSize : new int[] {2, 8, 40, 64, 128}) {
      for (boolean interleaved : new boolean[] {false, true}) {
        int rows = 7;
        int rotated = Math.max(2, headSize / 4 * 2);
        float[] x = normals(random, rows * 3 * headSize, type);
        float[] cos = normals(random, rows * rotated / 2, type);
        float[] sin = normals(random, rows * rotated / 2, type);
        float[] expected = x.clone();
        int[] positions = run(rows).positions();
        scalar.rotate(expected, rows, 3, headSize, rotated, positions, cos, sin, interleaved);
        try (DeviceSession session = backend.session(type);
            Constants cosines = backend.constants(cos);
            Constants sines = backend.constants(sin);
            DeviceRows on = rows(session, x, rows)) {
          session.begin(new int[rows], run(rows), new Stopwatch());
          session.rotate(on, 3, headSize, rotated, cosines, sines, interleaved);
          assertThat(read(session, on, rows)).isEqualTo(type.rounded(expected));
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(FloatType.class)
  void attention(FloatType type) {
    TokenRuns forest =
        new TokenRuns(
            new int[] {0, 37, 42, 43, 61}, new int[] {-1, 0, 0, 1}, new int[] {0, 37, 37, 42});
    float[] alibi = {0.5f, 0.25f, 0.125f, 0.0625f};
    for (AttentionShape shape :
        List.of(
            new AttentionShape(4, 2, 64, 0.125f, 0, null, 0),
            new AttentionShape(4, 4, 40, 0.2f, 33, alibi, 30),
            new AttentionShape(2, 1, 128, 0.09f, 5, null, 0),
            new AttentionShape(1, 1, 256, 0.06f, 0, null, 0),
            new AttentionShape(3, 3, 5, 0.4f, 1, null, 0))) {
      SplittableRandom random = new SplittableRandom(5);
      int rows = forest.rows();
      float[] q = normals(random, rows * shape.heads() * shape.headSize(), type);
      float[] k = normals(random, rows * shape.keyHeads() * shape.headSize(), type);
      float[] v = normals(random, rows * shape.keyHeads() * shape.headSize(), type);
      float[] expected = new float[q.length];
      scalar.attention(q, k, v, forest, shape, expected);
      try (DeviceSession session = backend.session(type);
          Constants slopes = shape.alibi() == null ? null : backend.constants(shape.alibi());
          DeviceRows query = rows(session, q, rows);
          DeviceRows key = rows(session, k, rows);
          DeviceRows value = rows(session, v, rows);
          DeviceRows y = session.rows(rows, shape.heads() * shape.headSize())) {
        session.begin(new int[rows], forest, new Stopwatch());
        session.attend(query, key, value, shape, slopes, y);
        assertNear(type, read(session, y, rows), type.rounded(expected));
      }
    }
  }

  /** Codes, scales, sums and what is made of them, as the scheme says, to the bit. */
  @ParameterizedTest
  @EnumSource(FloatType.class)
  void integerLayersAreExact(FloatType type) {
    SplittableRandom random = new SplittableRandom(6);
    Precision precision = int8(type);
    for (int inputs : WIDTHS) {
      for (int rows : ROWS) {
        int outputs = 1 + random.nextInt(70);
        float[] x = awkward(random, rows, inputs, type);
        float[] residual = normals(random, rows * outputs, type);
        MatrixRows w =
            new MatrixRows("w", outputs, inputs, normals(random, outputs * inputs, type));
        float[] bias = outputs % 2 == 0 ? null : normals(random, outputs, type);
        float[] expected = product(w, bias, precision, x, rows);
        try (DeviceLinear layer = backend.linear(List.of(new Projection(w, bias)), precision);
            DeviceSession session = backend.session(type);
            DeviceRows from = rows(session, x, rows);
            DeviceRows y = session.rows(rows, outputs);
            DeviceRows to = rows(session, residual, rows)) {
          session.begin(rows);
          session.multiply(layer, from, y);
          assertThat(read(session, y, rows)).isEqualTo(expected);
          session.addProduct(layer, from, to);
          for (int i = 0; i < expected.length; i++) {
            expected[i] = type.round(residual[i] + expected[i]);
          }
          assertThat(read(session, to, rows)).isEqualTo(expected);
        }
      }
    }
  }

  /** One kernel between two products gives the bits of three. */
  @ParameterizedTest
  @EnumSource(FloatType.class)
  void fusedFeedForwardsAreTheSameBits(FloatType type) {
    SplittableRandom random = new SplittableRandom(7);
    Precision precision = int8(type);
    for (int inner : WIDTHS) {
      for (boolean gated : new boolean[] {false, true}) {
        Activation f = Activation.values()[random.nextInt(Activation.values().length)];
        int rows = 5;
        int hidden = 48;
        float[] x = awkward(random, rows, hidden, type);
        float[] residual = normals(random, rows * hidden, type);
        List<Projection> projections = new ArrayList<>();
        for (int p = 0; p < (gated ? 2 : 1); p++) {
          float[] w = normals(random, inner * hidden, type);
          float[] bias = p == 0 ? normals(random, inner, type) : null;
          projections.add(new Projection(new MatrixRows("w", inner, hidden, w), bias));
        }
        MatrixRows down =
            new MatrixRows("down", hidden, inner, normals(random, hidden * inner, type));
        try (DeviceLinear in = backend.linear(projections, precision);
            DeviceLinear out = backend.linear(List.of(new Projection(down, null)), precision);
            DeviceSession session = backend.session(type);
            DeviceRows from = rows(session, x, rows);
            DeviceRows gate = session.rows(rows, inner);
            DeviceRows up = session.rows(rows, inner);
            DeviceRows fused = rows(session, residual, rows);
            DeviceRows steps = rows(session, residual, rows)) {
          DeviceRows[] room = gated ? new DeviceRows[] {gate, up} : new DeviceRows[] {gate};
          session.begin(rows);
          session.addFeedForward(in, f, out, from, room, fused);
          session.multiply(in, from, room);
          if (gated) {
            session.kernels().activateGated(f, gate, up, rows);
          } else {
            session.kernels().activate(f, gate, rows);
          }
          session.addProduct(out, gate, steps);
          assertThat(read(session, fused, rows)).isEqualTo(read(session, steps, rows));
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(FloatType.class)
  void keptAndAppendedRows(FloatType type) {
    SplittableRandom random = new SplittableRandom(8);
    float[] x = normals(random, 6 * 17, type);
    try (DeviceSession session = backend.session(type);
        DeviceRows from = rows(session, x, 6);
        DeviceRows to = session.rows(9, 17)) {
      session.begin(6);
      session.keep(new int[] {1, 2, 5}, from);
      session.append(from, to, 4);
      float[] found = read(session, to, 9);
      for (int i = 0; i < 17; i++) {
        assertThat(found[4 * 17 + i]).isEqualTo(x[17 + i]);
        assertThat(found[6 * 17 + i]).isEqualTo(x[5 * 17 + i]);
        assertThat(found[7 * 17 + i]).isZero();
      }
    }
  }

  /** Each row's feed-forward is what it is among all rows, whichever rows are beside it. */
  @ParameterizedTest
  @EnumSource(FloatType.class)
  void chosenRowsAndTheirSums(FloatType type) {
    SplittableRandom random = new SplittableRandom(9);
    int rows = 40;
    int hidden = 17;
    float[] x = awkward(random, rows, hidden, type);
    int[] chosen = {0, 3, 4, 7, 38, 39};
    MatrixRows up = new MatrixRows("up", 24, hidden, normals(random, 24 * hidden, type));
    MatrixRows down = new MatrixRows("down", hidden, 24, normals(random, hidden * 24, type));
    try (DeviceLinear in = backend.linear(List.of(new Projection(up, null)), int8(type));
        DeviceLinear out = backend.linear(List.of(new Projection(down, null)), int8(type));
        DeviceSession session = backend.session(type);
        DeviceRows from = rows(session, x, rows);
        DeviceRows gathered = session.rows(rows, hidden);
        DeviceRows inner = session.rows(rows, 24);
        DeviceRows every = session.rows(rows, hidden);
        DeviceRows parts = session.rows(2 * rows, hidden);
        DeviceRows sums = session.rows(rows, hidden)) {
      DeviceRows[] room = {inner};
      session.begin(new int[rows], run(rows), new Stopwatch());
      session.feedForward(in, Activation.SILU, out, from, room, every);
      session.feedForwardOf(chosen, in, Activation.SILU, out, from, gathered, room, parts, 3);
      float[] all = read(session, every, rows);
      float[] some = read(session, parts, 3 + chosen.length);
      for (int i = 0; i < chosen.length; i++) {
        assertThat(Arrays.copyOfRange(some, (3 + i) * hidden, (4 + i) * hidden))
            .isEqualTo(Arrays.copyOfRange(all, chosen[i] * hidden, (chosen[i] + 1) * hidden));
      }
      int[] slots = new int[2 * rows];
      Arrays.setAll(slots, i -> 3 + i % chosen.length);
      float[] weights = normals(random, 2 * rows, FloatType.FLOAT32);
      for (boolean areRounded : new boolean[] {false, true}) {
        session.combine(parts, slots, weights, areRounded, sums);
        float[] expected = new float[rows * hidden];
        for (int i = 0; i < expected.length; i++) {
          float sum = 0;
          for (int k = 2 * (i / hidden); k < 2 * (i / hidden) + 2; k++) {
            float part = some[slots[k] * hidden + i % hidden];
            sum += areRounded ? type.round(type.round(weights[k]) * part) : weights[k] * part;
          }
          expected[i] = type.round(sum);
        }
        assertThat(read(session, sums, rows)).isEqualTo(expected);
      }
    }
  }

  private static Precision int8(FloatType type) {
    return Precisions.packaged()
        .named(
            switch (type) {
              case FLOAT32 -> "w8a8";
              case BFLOAT16 -> "w8a8-bf16";
              case FLOAT16 -> "w8a8-fp16";
            });
  }

  /** Normal rows; a row of zeros, one of ties, one with an outlier, one that is not finite. */
  private static float[] awkward(SplittableRandom random, int rows, int width, FloatType type) {
    float[] x = normals(random, rows * width, type);
    for (int r = 0; r < rows; r++) {
      switch (r % 6) {
        case 1 -> Arrays.fill(x, r * width, (r + 1) * width, 0);
        case 2 -> {
          for (int i = 0; i < width; i++) {
            x[r * width + i] = i == 0 ? 127 : i % 100 - 49.5f;
          }
        }
        case 3 -> x[r * width + width / 2] = 8192;
        case 4 -> x[r * width + width / 2] = Float.NaN;
        default -> {}
      }
    }
    return x;
  }

  private static float[] product(
      MatrixRows w, float[] bias, Precision precision, float[] x, int rows) {
    QuantizedWeight weight =
        ((LinearForm.IntegerProduct) Schemes.of(precision).prepare(w, precision)).weight();
    int inputs = w.columns();
    float[] y = new float[rows * w.rows()];
    byte[] codes = new byte[inputs];
    for (int t = 0; t < rows; t++) {
      float scale = Vectorwise.quantize(x, t * inputs, inputs, 127, codes, 0);
      for (int o = 0; o < w.rows(); o++) {
        int sum = 0;
        for (int i = 0; i < inputs; i++) {
          sum += codes[i] * weight.codes()[o * inputs + i];
        }
        float value = sum * scale * weight.scales()[o];
        y[t * w.rows() + o] = precision.compute().round(bias == null ? value : value + bias[o]);
      }
    }
    return y;
  }
}
