package org.cliffwatch.quantizer.kernel.vector;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import org.cliffwatch.quantizer.scheme.Blocks;
import org.cliffwatch.quantizer.scheme.CodedWeight;
import org.cliffwatch.quantizer.scheme.StoredWeight;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Against {@link CodedWeight#row}. */
class CodeUnpackerTest {
  private static final int ROWS = 5;
  private static final float[] AWKWARD = {
    1, -0.0f, 0, 1e-45f, Float.MAX_VALUE, Float.NaN, Float.POSITIVE_INFINITY, -3e-39f
  };

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 15, 16, 17, 31, 63, 64, 65, 127, 128, 129, 500, 640})
  void integers(int columns) {
    for (int bits : new int[] {1, 2, 3, 4, 5, 8}) {
      float[] values = CodedWeight.integers(bits, -(1 << (bits - 1)));
      require(columns, values, new Blocks.Grid(ROWS, columns, 1, columns));
      require(columns, values, new Blocks.Grid(ROWS, columns, 2, 16));
      require(columns, values, new Blocks.Grid(ROWS, columns, 1, 3));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 17, 64, 130})
  void codesOfAnythingElse(int columns) {
    for (int codes : new int[] {16, 256}) {
      float[] values = new float[codes];
      for (int code = 0; code < codes; code++) {
        values[code] = AWKWARD[code % AWKWARD.length] * (code + 1);
      }
      require(columns, values, new Blocks.Grid(ROWS, columns, 1, 32));
      require(columns, values, new Blocks.Flat(ROWS, columns, 64));
    }
  }

  @ParameterizedTest
  @CsvSource({"40, 4", "128, 8"})
  void groupsOutOfOrder(int columns, int bits) {
    int[] group = new Random(1).ints(columns, 0, 3).toArray();
    require(columns, CodedWeight.integers(bits, 0), new Blocks.Permuted(ROWS, 3, group));
  }

  private static void require(int columns, float[] values, Blocks blocks) {
    Random random = new Random(columns);
    byte[] codes = new byte[ROWS * columns];
    for (int i = 0; i < codes.length; i++) {
      codes[i] = (byte) random.nextInt(values.length);
    }
    float[] scales = new float[blocks.count()];
    float[] zeros = new float[scales.length];
    for (int b = 0; b < scales.length; b++) {
      scales[b] = b % 3 == 0 ? AWKWARD[b / 3 % AWKWARD.length] : random.nextFloat();
      zeros[b] = random.nextInt(values.length);
    }
    for (float[] zero : new float[][] {null, zeros}) {
      CodedWeight weight =
          StoredWeight.of(
                  "w",
                  ROWS,
                  columns,
                  values,
                  (first, count, out) ->
                      System.arraycopy(codes, first * columns, out, 0, count * columns),
                  () -> new CodedWeight.Scales(blocks, scales, zero),
                  null,
                  0)
              .coded();
      requireSame(weight);
      requireSame(weight.select(IntStream.of(4, 0, 4, 3).toArray()));
    }
  }

  private static void requireSame(CodedWeight weight) {
    float[] expected = new float[weight.columns()];
    float[] row = new float[CodeUnpacker.width(weight.columns())];
    for (int r = 0; r < weight.rows(); r++) {
      weight.row(r, expected);
      CodeUnpacker.row(weight, r, row);
      assertThat(bits(row, weight.columns())).isEqualTo(bits(expected, weight.columns()));
    }
  }

  /** With one NaN: which of two an operation keeps is not specified. */
  private static int[] bits(float[] row, int columns) {
    float[] some = Arrays.copyOf(row, columns);
    return IntStream.range(0, columns).map(c -> Float.floatToIntBits(some[c])).toArray();
  }
}
