package org.cliffwatch.quantizer.scheme;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.List;
import org.assertj.core.data.Offset;
import org.cliffwatch.quantizer.Shared;
import org.cliffwatch.quantizer.kernel.MatrixRows;
import org.cliffwatch.quantizer.kernel.Tensors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What IST-DASLab/gptq, GPTQModel and llm-compressor make of one weight, in float32. */
@Tag("shared")
class GptqGoldenTest {
  private static final int ROWS = 16;
  private static final int COLUMNS = 256;
  private static final int SEQUENCES = 2;
  private static final int TOKENS = 320;

  /** Of √(h_ii h_jj): float32 sums of 320 products. */
  private static final double HESSIAN = 2e-6;

  /** Of the largest element of U: float32 makes errors of 1.5e-6 there. */
  private static final double FACTOR = 3e-6;

  /** Of a scale that is fitted on updated weights: all is float32 there. */
  private static final float UPDATED = 5e-5f;

  /** Of a dequantized weight whose scale is the same: one product in float32. */
  private static final float DEQUANTIZED = 1e-6f;

  /** Of the loss: its terms are squares of such differences. */
  private static final double LOSS = 1e-4;

  /** llm-compressor's scale of a group of zeros, whose zero point is another too. */
  private static final float EPSILON = 0x1p-23f;

  private static Tensors golden;
  private static MatrixRows weight;
  private static GramMatrix gram;

  @BeforeAll
  static void read() throws IOException {
    golden = new Tensors(Shared.path("golden/schemes/gptq.safetensors"));
    weight = new MatrixRows("w", ROWS, COLUMNS, golden.numbers("w"));
    gram = new GramMatrix(COLUMNS);
    gram.add(golden.numbers("x"), TOKENS);
  }

  @Test
  void hessian() {
    float[] expected = golden.floats("hessian");
    for (int i = 0; i < COLUMNS; i++) {
      for (int j = 0; j < COLUMNS; j++) {
        double size = Math.sqrt(gram.squares(i) * gram.squares(j)) * 2 / SEQUENCES;
        assertThat(gram.get(i, j) * 2 / SEQUENCES)
            .as("%s, %s", i, j)
            .isCloseTo(expected[i * COLUMNS + j], Offset.offset(HESSIAN * size));
      }
    }
  }

  @Test
  void inverseFactor() {
    float[] expected = golden.floats("hinv_upper");
    Panels u = Panels.triangle(COLUMNS);
    double trace = 0;
    for (int j = 0; j < COLUMNS; j++) {
      for (int i = 0; i <= j; i++) {
        u.set(i, j, gram.get(i, j) * 2 / SEQUENCES);
      }
      if (u.get(j, j) == 0) {
        u.set(j, j, 1);
      }
      trace += u.get(j, j);
    }
    for (int j = 0; j < COLUMNS; j++) {
      u.set(j, j, u.get(j, j) + 0.01 * trace / COLUMNS);
    }
    assertThat(InverseFactor.replace(u, COLUMNS)).isTrue();
    double largest = 0;
    for (float element : expected) {
      largest = Math.max(largest, Math.abs(element));
    }
    for (int i = 0; i < COLUMNS; i++) {
      for (int j = i; j < COLUMNS; j++) {
        assertThat(u.get(i, j))
            .as("%s, %s", i, j)
            .isCloseTo(expected[i * COLUMNS + j], Offset.offset(FACTOR * largest));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "b3.g-1.asym",
    "b4.g-1.asym",
    "b4.g-1.sym",
    "b8.g-1.asym",
    "b4.g-1.asym.actorder",
    "b3.g128.asym",
    "b4.g128.asym",
    "b4.g128.sym",
    "b4.g32.asym",
    "b4.g32.asym.static",
    "b4.g128.asym.actorder",
    "b4.g128.asym.actorder.static"
  })
  void reference(String name) {
    GptqRounding.Recipe recipe = recipe(name);
    GptqRounding.Quantized found = GptqRounding.quantize(weight, gram, recipe);
    String prefix = "ist." + name + ".";
    requireSame(found.weight(), prefix, recipe);
    assertThat(found.damp()).isEqualTo(0.01);
    // Theirs is by sequence.
    double expected = golden.floats(prefix + "error")[0] * SEQUENCES / TOKENS;
    assertThat(found.loss()).isCloseTo(expected, Offset.offset(LOSS * expected));
  }

  @ParameterizedTest
  @CsvSource({
    "b4.g128.asym",
    "b4.g128.sym",
    "b4.g128.sym.desc_act",
    "b8.g-1.sym",
    "b4.g128.sym.default"
  })
  void gptqModel(String name) {
    GptqRounding.Recipe recipe = recipe(name);
    CodedWeight found = GptqRounding.quantize(weight, gram, recipe).weight();
    String prefix = "gptqmodel." + name + ".";
    requireSame(found, prefix, recipe);
    int[] group = golden.ints(prefix + "g_idx");
    for (int c = 0; c < COLUMNS; c++) {
      assertThat(found.blocks().index(0, c)).as("group of column %s", c).isEqualTo(group[c]);
    }
  }

  /**
   * Scales are fitted beforehand, as static groups' are, but on rows other than these: 4 has a
   * group of zeros, whose scale is another; 6 nothing negative, and is mirrored all the same; 14
   * its least weight at the input that is always 0, which they do not leave out.
   */
  @ParameterizedTest
  @CsvSource({
    "b4.channel.sym, b4.g-1.sym, 6",
    "b4.g128.sym, b4.g128.sym.static, 4 6",
    "b4.g128.sym.actorder_weight, b4.g128.sym.actorder.static, 4 6",
    "b4.g128.asym, b4.g128.asym.static, 4 14"
  })
  void llmCompressor(String name, String same, String others) {
    CodedWeight found = GptqRounding.quantize(weight, gram, recipe(same)).weight();
    float[] expected = golden.floats("llmc." + name + ".q");
    float[] scales = golden.floats("llmc." + name + ".scale");
    float[] zeros = golden.numbers("llmc." + name + ".zero");
    List<String> left = List.of(others.split(" "));
    float[] row = new float[COLUMNS];
    for (int r = 0; r < ROWS; r++) {
      found.row(r, row);
      for (int c = 0; c < COLUMNS && !left.contains(Integer.toString(r)); c++) {
        int block = found.blocks().index(r, c);
        assertThat(found.scale(block)).as("scale %s", block).isEqualTo(zeroScale(scales[block]));
        if (scales[block] != EPSILON) {
          // Their codes have a sign.
          float zero = name.contains("asym") ? zeros[block] + 8 : zeros[block];
          assertThat(found.zero(block)).as("zero point %s", block).isEqualTo(zero);
        }
        assertThat(row[c]).as("row %s, column %s", r, c).isEqualTo(expected[r * COLUMNS + c]);
      }
    }
  }

  private static float zeroScale(float scale) {
    return scale == EPSILON ? 2f / 15 : scale;
  }

  private static GptqRounding.Recipe recipe(String name) {
    String[] parts = name.split("\\.", -1);
    return new GptqRounding.Recipe(
        Integer.parseInt(parts[0].substring(1)),
        Math.max(0, Integer.parseInt(parts[1].substring(1))),
        parts[2].equals("sym"),
        order(name),
        name.endsWith("static"),
        name.endsWith("default") ? 0.05 : 0.01);
  }

  private static GptqRounding.Order order(String name) {
    if (name.endsWith("default")) {
      return GptqRounding.Order.ACT_GROUP_AWARE;
    }
    return name.contains("actorder") || name.contains("desc_act")
        ? GptqRounding.Order.DESC_ACT
        : GptqRounding.Order.NATURAL;
  }

  /** Every code, by its value; scales to the bit where no weight was updated before. */
  private static void requireSame(CodedWeight found, String prefix, GptqRounding.Recipe recipe) {
    float[] scales = golden.floats(prefix + "scale");
    float[] zeros = golden.numbers(prefix + "zero");
    float middle = recipe.symmetric() ? 1 << (recipe.bits() - 1) : 0;
    for (int b = 0; b < scales.length; b++) {
      boolean isUpdated =
          recipe.group() != 0
              && !recipe.staticGroups()
              && (recipe.order() == GptqRounding.Order.ACT_GROUP_AWARE
                  || b % (COLUMNS / recipe.group()) > 0);
      assertThat(found.scale(b))
          .as("scale %s", b)
          .isCloseTo(scales[b], Offset.offset(isUpdated ? UPDATED * scales[b] : 0));
      assertThat(found.zero(b) + middle).as("zero point %s", b).isEqualTo(zeros[b]);
    }
    float[] q = golden.floats(prefix + "q");
    float[] values = new float[COLUMNS];
    float[] row = new float[COLUMNS];
    for (int r = 0; r < ROWS; r++) {
      found.values(r, values);
      found.row(r, row);
      for (int c = 0; c < COLUMNS; c++) {
        int block = found.blocks().index(r, c);
        assertThat(values[c] + middle)
            .as("row %s, column %s", r, c)
            .isEqualTo((float) Math.rint(q[r * COLUMNS + c] / scales[block]) + zeros[block]);
        float expected = q[r * COLUMNS + c];
        float tolerance = found.scale(block) == scales[block] ? DEQUANTIZED : UPDATED;
        assertThat(row[c])
            .as("row %s, column %s", r, c)
            .isCloseTo(expected, Offset.offset(tolerance * Math.abs(expected)));
      }
    }
  }
}
