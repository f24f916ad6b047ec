package org.cliffwatch.quantizer.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.assertj.core.data.Offset;
import org.cliffwatch.quantizer.kernel.Activation;
import org.cliffwatch.quantizer.kernel.AttentionShape;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.HostOperations;
import org.cliffwatch.quantizer.kernel.LogitTransform;
import org.cliffwatch.quantizer.kernel.Nudge;
import org.cliffwatch.quantizer.kernel.TokenRuns;
import org.cliffwatch.quantizer.kernel.cuda.DeviceArrays.Rows;
import org.cliffwatch.quantizer.kernel.reference.ScalarOperations;
import org.cliffwatch.quantizer.scheme.Vectorwise;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every kernel by itself, launched as its sources say: beside scalar code on rows that are awkward,
 * with zeros after a row's width and nothing written after the last row.
 */
@Tag("gpu")
@ParameterizedClass
@MethodSource("org.cliffwatch.quantizer.kernel.cuda.Devices#all")
class KernelsTest {
  private static final int[] WIDTHS = {1, 15, 16, 17, 577, 1100};

  private static final int[] ROWS = {1, 3, 33};

  private static final int THREADS = 256;

  /** Columns a block of an elementwise kernel takes. */
  private static final int COLUMNS = 1024;

  /** Of values of magnitude one, after tens of float32 roundings (2⁻²⁴ each). */
  private static final float FLOAT32 = 5e-6f;

  /** Of a sum of a thousand float32 exponentials, each of a few units. */
  private static final double EXPONENTIALS = 2e-6;

  private final Device device;
  private final HostOperations scalar = new ScalarOperations();
  private final SplittableRandom random = new SplittableRandom(1);
  private DeviceArrays arrays;

  KernelsTest(DeviceBackend backend) {
    this.device = backend.device();
  }

  @BeforeEach
  void open() {
    arrays = new DeviceArrays(device);
  }

  @AfterEach
  void close() {
    arrays.close();
  }

  private void next() {
    close();
    open();
  }

  private void launch(Storage t, String kernel, int x, int y, int shared, Object... arguments) {
    arrays.stream().launch(kernel + "_" + t.suffix(), x, y, THREADS, shared, arguments);
  }

  private static int blocks(int columns) {
    return (columns + COLUMNS - 1) / COLUMNS;
  }

  /** What float32 operations in another order may move a result by, and half a unit of its type. */
  private static void assertNear(FloatType type, float[] found, float[] exact) {
    float[] expected = type.rounded(exact);
    for (int i = 0; i < expected.length; i++) {
      if (Float.isNaN(expected[i]) || Float.isInfinite(expected[i])) {
        assertThat(Float.valueOf(found[i])).as("value %s", i).isEqualTo(Float.valueOf(expected[i]));
      } else {
        float rounding = type == FloatType.FLOAT32 ? 0 : type.ulp(expected[i]);
        float most = FLOAT32 * Math.max(1, Math.abs(expected[i])) + rounding;
        assertThat(found[i]).as("value %s", i).isCloseTo(expected[i], Offset.offset(most));
      }
    }
  }

  private float[] normals(int n, FloatType type) {
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = type.round((float) random.nextGaussian());
    }
    return values;
  }

  /** Normal rows; of zeros, of ties, with an outlier, with NaN, with infinity, of subnormals. */
  private float[] awkward(int rows, int width, FloatType type) {
    float[] x = normals(rows * width, type);
    for (int r = 0; r < rows; r++) {
      int at = r * width;
      switch (r % 7) {
        case 1 -> Arrays.fill(x, at, at + width, 0);
        case 2 -> {
          for (int i = 0; i < width; i++) {
            x[at + i] = i == 0 ? 127 : i % 100 - 49.5f;
          }
        }
        case 3 -> x[at + width / 2] = 8192;
        case 4 -> x[at + width - 1] = Float.NaN;
        case 5 -> x[at + width / 3] = Float.NEGATIVE_INFINITY;
        case 6 -> {
          float least = type == FloatType.FLOAT32 ? Float.MIN_VALUE : type.ulp(0);
          for (int i = 0; i < width; i++) {
            x[at + i] = type.round((i % 5 - 2) * least);
          }
        }
        default -> {}
      }
    }
    return x;
  }

  private static boolean isFinite(float[] x, int from, int to) {
    for (int i = from; i < to; i++) {
      if (!Float.isFinite(x[i])) {
        return false;
      }
    }
    return true;
  }

  @ParameterizedTest
  @EnumSource
  void embed(Storage t) {
    int[] tokens = {3, 8, 0, 3, 7};
    int[] positions = {0, 1, 2, 900, 4};
    for (int width : WIDTHS) {
      float[] table = awkward(9, width, t.type());
      // A unit more is infinite.
      table[3 * width] = t.type().round(65504);
      Rows from = arrays.input(t, 9, table);
      for (int replica = 0; replica < 3; replica++) {
        Nudge nudge = new Nudge(77, replica);
        float[] expected = new float[5 * width];
        for (int r = 0; r < 5; r++) {
          System.arraycopy(table, tokens[r] * width, expected, r * width, width);
          nudge.apply(expected, r * width, width, positions[r], tokens[r], t.type());
        }
        Rows y = arrays.output(t, 5, width);
        launch(
            t,
            "embed",
            5,
            1,
            0,
            from.address(),
            from.stride(),
            arrays.of(tokens),
            arrays.of(positions),
            width,
            replica == 0 ? 0 : 1,
            nudge.seeded(),
            y.address(),
            y.stride());
        assertThat(arrays.read(y)).isEqualTo(expected);
      }
      next();
    }
  }

  @ParameterizedTest
  @EnumSource
  void addTable(Storage t) {
    int[] positions = {0, 4, 1};
    for (int width : WIDTHS) {
      float[] table = normals(7 * width, t.type());
      float[] expected = awkward(3, width, t.type());
      Rows from = arrays.input(t, 7, table);
      Rows x = arrays.inPlace(t, 3, expected);
      for (int r = 0; r < 3; r++) {
        for (int i = 0; i < width; i++) {
          float learned = table[(positions[r] + 2) * width + i];
          expected[r * width + i] = t.type().round(expected[r * width + i] + learned);
        }
      }
      long at = arrays.of(positions);
      launch(
          t,
          "add_table",
          3,
          1,
          0,
          from.address(),
          from.stride(),
          at,
          2,
          width,
          x.address(),
          x.stride());
      assertThat(arrays.read(x)).isEqualTo(expected);
      next();
    }
  }

  @ParameterizedTest
  @EnumSource
  void norms(Storage t) {
    float epsilon = 1e-2f;
    for (int width : WIDTHS) {
      for (int groups : new int[] {1, 3}) {
        float[] x = awkward(7, groups * width, t.type());
        float[] weight = normals(width, FloatType.FLOAT32);
        float[] bias = normals(width, FloatType.FLOAT32);
        for (String kind : List.of("rms", "layer", "layer with bias")) {
          float[] expected = new float[x.length];
          float[] added = kind.equals("layer with bias") ? bias : null;
          if (kind.equals("rms")) {
            scalar.rmsNorm(x, 7 * groups, width, weight, epsilon, expected);
          } else {
            scalar.layerNorm(x, 7 * groups, width, weight, added, epsilon, expected);
          }
          // A row without finite mean square is NaN; scalar code has NaN only where NaN is added.
          for (int at = 0; at < x.length; at += width) {
            if (!isFinite(x, at, at + width)) {
              Arrays.fill(expected, at, at + width, Float.NaN);
            }
          }
          for (boolean inPlace : new boolean[] {false, true}) {
            Rows from = inPlace ? arrays.inPlace(t, 7, x) : arrays.input(t, 7, x);
            Rows y = inPlace ? from : arrays.output(t, 7, groups * width);
            long gain = arrays.of(weight);
            if (kind.equals("rms")) {
              launch(
                  t,
                  "rms_norm",
                  7,
                  groups,
                  0,
                  from.address(),
                  from.stride(),
                  width,
                  gain,
                  epsilon,
                  y.address(),
                  y.stride());
            } else {
              long offset = added == null ? 0L : arrays.of(added);
              launch(
                  t,
                  "layer_norm",
                  7,
                  groups,
                  0,
                  from.address(),
                  from.stride(),
                  width,
                  gain,
                  offset,
                  epsilon,
                  y.address(),
                  y.stride());
            }
            assertNear(t.type(), arrays.read(y), expected);
          }
        }
        next();
      }
    }
  }

  /** 1 / √∞ would make zeros of a row. */
  @ParameterizedTest
  @EnumSource(names = {"F32", "BF16"})
  void aMeanSquareThatOverflowsIsNotANumber(Storage t) {
    float[] x = normals(17, t.type());
    x[3] = t.type().round(1e30f);
    Rows from = arrays.input(t, 1, x);
    Rows y = arrays.output(t, 1, 17);
    long gain = arrays.of(normals(17, t.type()));
    launch(t, "rms_norm", 1, 1, 0, from.address(), 32, 17, gain, 1e-5f, y.address(), 32);
    assertThat(arrays.read(y)).containsOnly(Float.NaN);
    launch(t, "layer_norm", 1, 1, 0, from.address(), 32, 17, gain, 0L, 1e-5f, y.address(), 32);
    assertThat(arrays.read(y)).containsOnly(Float.NaN);
  }

  /** Awkward rows, and values where functions end or turn. */
  private float[] turns(int rows, int width, FloatType type) {
    float[] x = awkward(rows, width, type);
    float[] at = {-0f, 100, -100, 9, -9, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, -3};
    for (int i = 0; i < Math.min(width, at.length); i++) {
      x[i] = at[i];
    }
    return x;
  }

  @ParameterizedTest
  @EnumSource
  void activations(Storage t) {
    for (int width : WIDTHS) {
      for (int rows : ROWS) {
        float[] x = turns(rows, width, t.type());
        float[] up = awkward(rows, width, t.type());
        for (Activation f : Activation.values()) {
          float[] expected = x.clone();
          scalar.activate(f, expected, x.length);
          Rows on = arrays.inPlace(t, rows, x);
          int grid = blocks(on.stride());
          launch(t, "activate", rows, grid, 0, f.ordinal(), on.address(), width, on.stride());
          assertNear(t.type(), arrays.read(on), expected);

          float[] gated = x.clone();
          scalar.activateGated(f, gated, up, x.length);
          Rows gate = arrays.inPlace(t, rows, x);
          long factors = arrays.input(t, rows, up).address();
          launch(
              t,
              "activate_gated",
              rows,
              grid,
              0,
              f.ordinal(),
              gate.address(),
              factors,
              width,
              gate.stride());
          assertNear(t.type(), arrays.read(gate), gated);
        }
        next();
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void add(Storage t) {
    for (int width : WIDTHS) {
      for (int rows : ROWS) {
        float[] x = awkward(rows, width, t.type());
        float[] y = turns(rows, width, t.type());
        Rows on = arrays.inPlace(t, rows, x);
        long addends = arrays.input(t, rows, y).address();
        launch(t, "add", rows, blocks(on.stride()), 0, on.address(), addends, width, on.stride());
        scalar.add(x, y, x.length);
        assertThat(arrays.read(on)).isEqualTo(t.type().rounded(x));
        next();
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void scale(Storage t) {
    for (int width : WIDTHS) {
      for (int rows : ROWS) {
        float[] x = awkward(rows, width, t.type());
        Rows on = arrays.inPlace(t, rows, x);
        launch(t, "scale", rows, blocks(on.stride()), 0, on.address(), 0.22f, width, on.stride());
        scalar.scale(x, 0.22f, x.length);
        assertThat(arrays.read(on)).isEqualTo(t.type().rounded(x));
        next();
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void clamp(Storage t) {
    float bound = 0.3f;
    for (int width : WIDTHS) {
      for (int rows : ROWS) {
        float[] x = awkward(rows, width, t.type());
        Rows on = arrays.inPlace(t, rows, x);
        launch(t, "clamp", rows, blocks(on.stride()), 0, on.address(), bound, on.stride());
        float rounded = t.type().round(bound);
        for (int i = 0; i < x.length; i++) {
          x[i] = Math.max(-rounded, Math.min(rounded, x[i]));
        }
        assertThat(arrays.read(on)).isEqualTo(x);
        next();
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void rotate(Storage t) {
    int[] positions = {2, 0, 5};
    for (int headSize : new int[] {2, 5, 40, 64, 128}) {
      for (int heads : new int[] {1, 3, 11}) {
        for (boolean interleaved : new boolean[] {false, true}) {
          int half = Math.max(1, headSize / 4);
          float[] x = normals(3 * heads * headSize, t.type());
          float[] cos = normals(6 * half, FloatType.FLOAT32);
          float[] sin = normals(6 * half, FloatType.FLOAT32);
          Rows on = arrays.inPlace(t, 3, x);
          launch(
              t,
              "rotate",
              3,
              1,
              0,
              on.address(),
              on.stride(),
              heads,
              headSize,
              half,
              arrays.of(positions),
              arrays.of(cos),
              arrays.of(sin),
              interleaved ? 1 : 0);
          scalar.rotate(x, 3, heads, headSize, 2 * half, positions, cos, sin, interleaved);
          assertThat(arrays.read(on)).isEqualTo(t.type().rounded(x));
          next();
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void gather(Storage t) {
    int[] chosen = {4, 0, 4, 2};
    for (int width : WIDTHS) {
      float[] x = awkward(5, width, t.type());
      Rows from = arrays.input(t, 5, x);
      Rows to = arrays.output(t, 4, width);
      int stride = from.stride();
      launch(
          t,
          "gather",
          4,
          blocks(stride),
          0,
          from.address(),
          arrays.of(chosen),
          stride,
          to.address());
      float[] found = arrays.read(to);
      for (int r = 0; r < 4; r++) {
        assertThat(Arrays.copyOfRange(found, r * width, (r + 1) * width))
            .isEqualTo(Arrays.copyOfRange(x, chosen[r] * width, (chosen[r] + 1) * width));
      }
      next();
    }
  }

  /** In the order that is given, products rounded or not; to the bit. */
  @ParameterizedTest
  @EnumSource
  void combine(Storage t) {
    int[] slots = {5, 0, 3, 1, 4, 2};
    FloatType type = t.type();
    for (int width : WIDTHS) {
      for (boolean areRounded : new boolean[] {false, true}) {
        float[] parts = awkward(6, width, type);
        float[] weights = normals(6, FloatType.FLOAT32);
        Rows from = arrays.input(t, 6, parts);
        Rows to = arrays.output(t, 2, width);
        int stride = from.stride();
        launch(
            t,
            "combine",
            2,
            blocks(stride),
            0,
            from.address(),
            arrays.of(slots),
            arrays.of(weights),
            3,
            areRounded ? 1 : 0,
            to.address(),
            width,
            stride);
        float[] expected = new float[2 * width];
        for (int i = 0; i < expected.length; i++) {
          float sum = 0;
          for (int k = 0; k < 3; k++) {
            int part = i / width * 3 + k;
            float product = weights[part] * parts[slots[part] * width + i % width];
            sum += areRounded ? type.round(product) : product;
          }
          expected[i] = type.round(sum);
        }
        assertThat(arrays.read(to)).isEqualTo(expected);
        next();
      }
    }
  }

  /** Codes of (rows, width), after which there are zeros. */
  private byte[] codes(long at, int rows, int width, int stride) {
    byte[] all = arrays.readBytes(at, rows * stride);
    byte[] codes = new byte[rows * width];
    for (int r = 0; r < rows; r++) {
      System.arraycopy(all, r * stride, codes, r * width, width);
      for (int i = width; i < stride; i++) {
        assertThat(all[r * stride + i]).as("padding, row %s, column %s", r, i).isZero();
      }
    }
    return codes;
  }

  @ParameterizedTest
  @EnumSource
  void quantize(Storage t) {
    for (int width : WIDTHS) {
      for (int rows : ROWS) {
        float[] x = awkward(rows, width, t.type());
        byte[] expected = new byte[rows * width];
        float[] scale = new float[rows];
        for (int r = 0; r < rows; r++) {
          scale[r] = Vectorwise.quantize(x, r * width, width, 127, expected, r * width);
        }
        Rows from = arrays.input(t, rows, x);
        // Products may want more padding than rows have.
        int stride = from.stride() + 16;
        long to = arrays.output((long) rows * stride);
        long scales = arrays.output(4L * rows);
        launch(t, "quantize", rows, 1, 0, from.address(), from.stride(), width, to, stride, scales);
        assertThat(codes(to, rows, width, stride)).isEqualTo(expected);
        assertThat(arrays.readFloats(scales, rows)).isEqualTo(scale);
        next();
      }
    }
  }

  /** Sums as products give them: float32 does not hold all, and the padding is anything. */
  private int[] sums(int rows, int stride) {
    int[] sums = new int[rows * stride];
    for (int i = 0; i < sums.length; i++) {
      sums[i] = random.nextInt() >> random.nextInt(31);
    }
    return sums;
  }

  private float[] positive(int n) {
    float[] scales = new float[n];
    for (int i = 0; i < n; i++) {
      scales[i] = 1e-4f * (1 + random.nextInt(1000));
    }
    return scales;
  }

  private static float[] dequantized(
      FloatType type, int[] sums, int stride, float[] rows, float[] weights, float[] bias) {
    int width = weights.length;
    float[] y = new float[rows.length * width];
    for (int r = 0; r < rows.length; r++) {
      for (int i = 0; i < width; i++) {
        float value = sums[r * stride + i] * rows[r] * weights[i];
        y[r * width + i] = type.round(bias == null ? value : value + bias[i]);
      }
    }
    return y;
  }

  /** Sums of y's stride, to y. */
  private void dequantize(
      String kernel, long sums, long rowScales, long weightScales, long bias, Rows y) {
    launch(
        y.storage(),
        kernel,
        y.rows(),
        blocks(y.stride()),
        0,
        sums,
        y.stride(),
        rowScales,
        weightScales,
        bias,
        y.width(),
        y.address(),
        y.stride());
  }

  @ParameterizedTest
  @EnumSource
  void dequantize(Storage t) {
    for (int width : WIDTHS) {
      for (int rows : ROWS) {
        int stride = DeviceRows.roundUp(width, 16);
        int[] sums = sums(rows, stride);
        float[] rowScale = positive(rows);
        rowScale[rows - 1] = Float.NaN;
        float[] weightScale = positive(width);
        float[] bias = rows == 3 ? null : normals(width, FloatType.FLOAT32);
        float[] expected = dequantized(t.type(), sums, stride, rowScale, weightScale, bias);
        float[] residual = awkward(rows, width, t.type());
        Rows y = arrays.output(t, rows, width);
        Rows x = arrays.inPlace(t, rows, residual);
        long from = arrays.of(sums);
        long scales = arrays.of(rowScale);
        long weightScales = arrays.of(weightScale);
        long added = bias == null ? 0L : arrays.of(bias);
        dequantize("dequantize", from, scales, weightScales, added, y);
        assertThat(arrays.read(y)).isEqualTo(expected);
        dequantize("dequantize_add", from, scales, weightScales, added, x);
        for (int i = 0; i < expected.length; i++) {
          expected[i] = t.type().round(residual[i] + expected[i]);
        }
        assertThat(arrays.read(x)).isEqualTo(expected);
        next();
      }
    }
  }

  /** The bits of the kernels one after the other. */
  @ParameterizedTest
  @EnumSource
  void fusedQuantizations(Storage t) {
    for (int width : WIDTHS) {
      for (Activation f : Activation.values()) {
        int rows = 4;
        int stride = DeviceRows.roundUp(width, 16);
        int grid = blocks(stride);
        int[] gateSum = sums(rows, stride);
        Arrays.fill(gateSum, stride, 2 * stride, 0);
        float[] rowScale = positive(rows);
        rowScale[2] = Float.NaN;
        long gateSums = arrays.of(gateSum);
        long upSums = arrays.of(sums(rows, stride));
        long scales = arrays.of(rowScale);
        long gateScales = arrays.of(positive(width));
        long upScales = arrays.of(positive(width));
        long bias = width % 2 == 0 ? 0L : arrays.of(normals(width, FloatType.FLOAT32));
        // Exactly what is said to be needed: a row, its width rounded up to four.
        int shared = DeviceRows.roundUp(width, 4) * t.bytes();

        Rows gate = arrays.output(t, rows, width);
        Rows up = arrays.output(t, rows, width);
        dequantize("dequantize", gateSums, scales, gateScales, bias, gate);
        dequantize("dequantize", upSums, scales, upScales, 0L, up);
        launch(t, "activate", rows, grid, 0, f.ordinal(), gate.address(), width, stride);
        long made = arrays.output((long) rows * stride);
        long madeScales = arrays.output(4L * rows);
        launch(
            t,
            "dequantize_activate_quantize",
            rows,
            1,
            shared,
            f.ordinal(),
            gateSums,
            stride,
            scales,
            gateScales,
            bias,
            width,
            made,
            stride,
            madeScales);
        assertQuantized(gate, made, madeScales);

        dequantize("dequantize", gateSums, scales, gateScales, bias, gate);
        launch(
            t,
            "activate_gated",
            rows,
            grid,
            0,
            f.ordinal(),
            gate.address(),
            up.address(),
            width,
            stride);
        made = arrays.output((long) rows * stride);
        madeScales = arrays.output(4L * rows);
        launch(
            t,
            "dequantize_activate_gated_quantize",
            rows,
            1,
            shared,
            f.ordinal(),
            gateSums,
            upSums,
            stride,
            scales,
            gateScales,
            upScales,
            bias,
            0L,
            width,
            made,
            stride,
            madeScales);
        assertQuantized(gate, made, madeScales);
        next();
      }
    }
  }

  private void assertQuantized(Rows steps, long made, long madeScales) {
    int rows = steps.rows();
    byte[] codes = new byte[rows * steps.width()];
    float[] scales = new float[rows];
    float[] values = arrays.read(steps);
    for (int r = 0; r < rows; r++) {
      int at = r * steps.width();
      scales[r] = Vectorwise.quantize(values, at, steps.width(), 127, codes, at);
    }
    assertThat(codes(made, rows, steps.width(), steps.stride())).isEqualTo(codes);
    assertThat(arrays.readFloats(madeScales, rows)).isEqualTo(scales);
  }

  @Test
  void unpackCodes() {
    for (int bits : new int[] {8, 4}) {
      for (int columns : WIDTHS) {
        int codesStride = bits == 8 ? columns : (columns + 1) / 2;
        byte[] codes = new byte[3 * codesStride];
        random.nextBytes(codes);
        float[] scales = positive(3);
        float[] expected = new float[3 * columns];
        for (int i = 0; i < expected.length; i++) {
          int c = i % columns;
          int row = i / columns * codesStride;
          // The sign of four bits is that of a byte whose upper half they are.
          int code =
              bits == 8
                  ? codes[row + c]
                  : (byte) (c % 2 == 0 ? codes[row + c / 2] << 4 : codes[row + c / 2] & 0xf0) >> 4;
          expected[i] = code * scales[i / columns];
        }
        Rows w = arrays.output(Storage.F32, 3, columns);
        arrays.stream()
            .launch(
                "unpack_codes",
                3,
                1,
                THREADS,
                0,
                arrays.of(codes),
                codesStride,
                bits,
                arrays.of(scales),
                columns,
                w.address(),
                w.stride());
        assertThat(arrays.read(w)).isEqualTo(expected);
        next();
      }
    }
  }

  /**
   * A batch of sequences that share prefixes, longer and shorter than a tile and a block of keys.
   */
  private static final TokenRuns FOREST =
      new TokenRuns(
          new int[] {0, 37, 42, 43, 61}, new int[] {-1, 0, 0, 1}, new int[] {0, 37, 37, 42});

  private static final float[] SLOPES = {0.5f, 0.25f, 0.125f, 0.0625f};

  private static List<AttentionShape> shapes() {
    return List.of(
        new AttentionShape(1, 1, 1, 1, 0, null, 0),
        new AttentionShape(3, 3, 5, 0.4f, 1, null, 0),
        new AttentionShape(4, 4, 40, 0.2f, 33, SLOPES, 30),
        new AttentionShape(4, 2, 64, 0.125f, 0, null, 0),
        new AttentionShape(4, 1, 65, 0.125f, 32, SLOPES, 0),
        new AttentionShape(2, 1, 128, 0.09f, 5, null, 0),
        new AttentionShape(1, 1, 131, 0.09f, 0, null, 20),
        new AttentionShape(1, 1, 256, 0.06f, 0, null, 0));
  }

  private float[] attend(
      Storage t,
      AttentionShape shape,
      int[] tiles,
      int[] keyRows,
      float[] q,
      float[] k,
      float[] v) {
    int rows = FOREST.rows();
    int size = shape.headSize();
    Rows query = arrays.input(t, rows, q);
    Rows key = arrays.input(t, rows, k);
    Rows value = arrays.input(t, rows, v);
    Rows y = arrays.output(t, rows, shape.heads() * size);
    int parts = size <= 64 ? 1 : size <= 128 ? 2 : 4;
    arrays.stream()
        .launch(
            "attention_" + parts + "_" + t.suffix(),
            tiles.length / 4,
            shape.heads(),
            128,
            // A tile of queries and blocks of 32 keys and values, as attention.cu says.
            (AttentionTiles.ROWS + 2 * 32) * (DeviceRows.roundUp(size, 4) + 4) * Float.BYTES,
            query.address(),
            query.stride(),
            key.address(),
            key.stride(),
            value.address(),
            value.stride(),
            arrays.of(tiles),
            arrays.of(keyRows),
            shape.heads(),
            shape.keyHeads(),
            size,
            shape.scale(),
            shape.window(),
            shape.alibi() == null ? 0L : arrays.of(shape.alibi()),
            shape.softCap(),
            y.address(),
            y.stride());
    return arrays.read(y);
  }

  @ParameterizedTest
  @EnumSource
  void attention(Storage t) {
    int rows = FOREST.rows();
    AttentionTiles tiles = AttentionTiles.of(FOREST);
    for (AttentionShape shape : shapes()) {
      float[] q = normals(rows * shape.heads() * shape.headSize(), t.type());
      float[] k = normals(rows * shape.keyHeads() * shape.headSize(), t.type());
      float[] v = normals(rows * shape.keyHeads() * shape.headSize(), t.type());
      float[] expected = new float[q.length];
      scalar.attention(q, k, v, FOREST, shape, expected);
      float[] found = attend(t, shape, tiles.tiles(), tiles.keyRows(), q, k, v);
      assertNear(t.type(), found, expected);
      // What else is in a row's tile changes none of its bits.
      int[] single = new int[4 * rows];
      int made = 0;
      for (int tile = 0; tile < tiles.count(); tile++) {
        for (int r = 0; r < tiles.tiles()[4 * tile + 1]; r++) {
          single[made++] = tiles.tiles()[4 * tile] + r;
          single[made++] = 1;
          single[made++] = tiles.tiles()[4 * tile + 2] + r;
          single[made++] = tiles.tiles()[4 * tile + 3];
        }
      }
      assertThat(attend(t, shape, single, tiles.keyRows(), q, k, v)).isEqualTo(found);
      next();
    }
  }

  /** Rows that see a key whose score is not finite are NaN; all others keep their bits. */
  @ParameterizedTest
  @EnumSource
  void attentionToWhatIsNotFinite(Storage t) {
    int rows = FOREST.rows();
    AttentionTiles tiles = AttentionTiles.of(FOREST);
    for (AttentionShape shape : shapes()) {
      int width = shape.keyHeads() * shape.headSize();
      float[] q = normals(rows * shape.heads() * shape.headSize(), t.type());
      float[] k = normals(rows * width, t.type());
      float[] v = normals(rows * width, t.type());
      float[] clean = attend(t, shape, tiles.tiles(), tiles.keyRows(), q, k, v);
      for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
        float[] damaged = k.clone();
        // The last run's parent's row at position 40; the first head's key.
        damaged[40 * width] = bad;
        float[] found = attend(t, shape, tiles.tiles(), tiles.keyRows(), q, damaged, v);
        float[] expected = new float[q.length];
        scalar.attention(q, damaged, v, FOREST, shape, expected);
        for (int i = 0; i < expected.length; i++) {
          float wanted = Float.isNaN(expected[i]) ? Float.NaN : clean[i];
          assertThat(Float.valueOf(found[i]))
              .as("%s, %s, value %s", shape, bad, i)
              .isEqualTo(Float.valueOf(wanted));
        }
      }
      next();
    }
  }

  /** A vocabulary of awkward size in blocks, with ties between and within blocks. */
  @ParameterizedTest
  @EnumSource
  void logSumExp(Storage t) {
    for (int[] sizes : new int[][] {{1}, {255}, {256, 1}, {1000, 1000, 37}}) {
      for (boolean biased : new boolean[] {false, true}) {
        int rows = 6;
        LogitTransform transform = biased ? new LogitTransform(0.3f, 0) : LogitTransform.NONE;
        int vocabulary = Arrays.stream(sizes).sum();
        float[] bias = biased ? normals(vocabulary, FloatType.FLOAT32) : null;
        float[] products = normals(rows * vocabulary, FloatType.FLOAT32);
        if (!biased) {
          // The largest of row 1 thrice; row 2 all alike; row 3 far from zero.
          for (int token : new int[] {vocabulary - 1, vocabulary / 2, vocabulary / 3}) {
            products[vocabulary + token] = 9;
          }
          Arrays.fill(products, 2 * vocabulary, 3 * vocabulary, -2);
          for (int i = 3 * vocabulary; i < 4 * vocabulary; i++) {
            products[i] -= 1000;
          }
        }
        products[4 * vocabulary + vocabulary / 2] = Float.NaN;
        products[5 * vocabulary] = Float.NEGATIVE_INFINITY;
        int[] firstTarget = {0, 2, 2, 3, 4, 5, 6};
        int[] targets = {vocabulary - 1, 0, vocabulary / 2, 0, 0, vocabulary - 1};
        long max = arrays.output(4L * rows);
        long sum = arrays.output(8L * rows);
        long best = arrays.output(4L * rows);
        long targetLogits = arrays.output(4L * targets.length);
        long logits = arrays.output(4L * rows * vocabulary);
        long added = bias == null ? 0L : arrays.of(bias);
        int first = 0;
        for (int tokens : sizes) {
          Rows block = arrays.input(Storage.F32, rows, block(products, vocabulary, first, tokens));
          arrays.stream()
              .launch(
                  "log_sum_exp",
                  rows,
                  1,
                  THREADS,
                  0,
                  block.address(),
                  block.stride(),
                  tokens,
                  first,
                  added,
                  t.ordinal(),
                  transform.factor(),
                  transform.softCap(),
                  arrays.of(firstTarget),
                  arrays.of(targets),
                  max,
                  sum,
                  best,
                  targetLogits);
          arrays.stream()
              .launch(
                  "finish_logits",
                  rows,
                  blocks(tokens),
                  THREADS,
                  0,
                  block.address(),
                  block.stride(),
                  tokens,
                  first,
                  added,
                  t.ordinal(),
                  transform.factor(),
                  transform.softCap(),
                  logits,
                  vocabulary);
          first += tokens;
        }
        float[] expected = new float[products.length];
        for (int i = 0; i < products.length; i++) {
          float product = products[i];
          float logit = t.type().round(bias == null ? product : product + bias[i % vocabulary]);
          expected[i] = transform.apply(logit, t.type());
        }
        assertThat(arrays.readFloats(logits, rows * vocabulary)).isEqualTo(expected);
        float[] foundTargets = arrays.readFloats(targetLogits, targets.length);
        for (int r = 0; r < rows; r++) {
          for (int i = firstTarget[r]; i < firstTarget[r + 1]; i++) {
            assertThat(Float.valueOf(foundTargets[i]))
                .isEqualTo(Float.valueOf(expected[r * vocabulary + targets[i]]));
          }
          assertSum(
              Arrays.copyOfRange(expected, r * vocabulary, (r + 1) * vocabulary),
              arrays.readFloats(max, rows)[r],
              arrays.readDoubles(sum, rows)[r],
              arrays.readInts(best, rows)[r]);
        }
        next();
      }
    }
  }

  private static float[] block(float[] products, int vocabulary, int first, int tokens) {
    int rows = products.length / vocabulary;
    float[] block = new float[rows * tokens];
    for (int r = 0; r < rows; r++) {
      System.arraycopy(products, r * vocabulary + first, block, r * tokens, tokens);
    }
    return block;
  }

  private static void assertSum(float[] logits, float max, double sum, int best) {
    if (!isFinite(logits, 0, logits.length)) {
      assertThat(sum).isNaN();
      return;
    }
    int expected = 0;
    for (int i = 1; i < logits.length; i++) {
      expected = logits[i] > logits[expected] ? i : expected;
    }
    double exponentials = 0;
    for (float logit : logits) {
      exponentials += Math.exp((double) logit - logits[expected]);
    }
    assertThat(best).isEqualTo(expected);
    assertThat(max).isEqualTo(logits[expected]);
    assertThat(sum).isCloseTo(exponentials, Offset.offset(EXPONENTIALS * exponentials));
  }
}
