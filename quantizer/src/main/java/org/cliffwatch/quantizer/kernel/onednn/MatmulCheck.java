package org.cliffwatch.quantizer.kernel.onednn;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.cliffwatch.quantizer.kernel.BackendUnavailableException;

/**
 * Multiplies integers, which every type holds, and whose sums are exact, and compares each result
 * with a sum of ints: a routine of the library that is wrong for a shape on this processor is
 * refused when the shape is first met, and never used.
 *
 * <p>Products of codes are tried over their full range, where sums that are made in too few bits
 * saturate. A few different rows repeat over the whole height and width, so that every place is
 * looked at and only few sums are made for it.
 */
final class MatmulCheck {
  /** Different rows of inputs: no divisor of a tile's height, so that neighbours differ. */
  private static final int INPUT_ROWS = 5;

  /** Different rows of weights: likewise of a vector's width. */
  private static final int WEIGHT_ROWS = 7;

  /** Floats larger than this show nothing that these do not. */
  private static final int SMALL = 3;

  /** Integers that float32 adds exactly, in whatever order. */
  private static final int EXACT = 1 << 24;

  private final Matmul matmul;
  private final int[][] inputs;
  private final int[][] weights;
  private final long[][] sums = new long[INPUT_ROWS][WEIGHT_ROWS];

  private MatmulCheck(Matmul matmul) {
    this.matmul = matmul;
    SplittableRandom random = new SplittableRandom(1);
    Product product = matmul.product();
    int width = matmul.inputs();
    int largestWeight = largest(product);
    int largestExact = Math.max(1, Math.min(SMALL, EXACT / (largestWeight + 1) / width));
    int largest = product.integer() ? 127 : largestExact;
    inputs = rows(random, INPUT_ROWS, width, largest, product.integer() ? -128 : -largest);
    int smallest = product.weight() == ElementType.INT8 ? -128 : -largestWeight;
    weights = rows(random, WEIGHT_ROWS, width, largestWeight, smallest);
    for (int t = 0; t < INPUT_ROWS; t++) {
      for (int o = 0; o < WEIGHT_ROWS; o++) {
        for (int i = 0; i < width; i++) {
          sums[t][o] += (long) inputs[t][i] * weights[o][i];
        }
      }
    }
  }

  private static int largest(Product product) {
    return switch (product.weight()) {
      case INT8 -> 127;
      case INT4 -> 7;
      case BFLOAT16, FLOAT16, FLOAT32 -> SMALL;
    };
  }

  /** The first two rows are all of the largest value and all of the smallest. */
  private static int[][] rows(
      SplittableRandom random, int count, int width, int largest, int smallest) {
    int[][] rows = new int[count][width];
    for (int r = 0; r < count; r++) {
      for (int i = 0; i < width; i++) {
        rows[r][i] =
            switch (r) {
              case 0 -> largest;
              case 1 -> smallest;
              default -> random.nextInt(smallest, largest + 1);
            };
      }
    }
    return rows;
  }

  /** What is checked: the products of packed inputs and weights. */
  interface Multiplier {
    /**
     * @param workspace whose source holds (rows, inputs), packed as the product's input
     * @return (rows, slices, outputs) float32
     */
    ByteBuffer multiply(Workspace workspace, PackedWeight weight);
  }

  /**
   * Requires that a matmul multiplies rightly.
   *
   * @throws BackendUnavailableException naming the routine, the shape and the first wrong value
   */
  static void require(OneDnn library, Matmul matmul) {
    require(library, matmul, (workspace, weight) -> workspace.multiply(matmul, weight, 0));
  }

  static void require(OneDnn library, Matmul matmul, Multiplier multiplier) {
    MatmulCheck check = new MatmulCheck(matmul);
    float[] ones = new float[matmul.outputs()];
    Arrays.fill(ones, 1);
    try (Workspace workspace = new Workspace(library);
        PackedWeight weight =
            new PackedWeight(
                library,
                matmul,
                matmul.product().scaled() ? ones : null,
                matmul.outputs(),
                check::weight)) {
      check.fillSource(workspace);
      check.compare(multiplier.multiply(workspace, weight));
    }
  }

  private void weight(int output, float[] row) {
    int[] values = weights[output % WEIGHT_ROWS];
    for (int i = 0; i < row.length; i++) {
      row[i] = values[i];
    }
  }

  private void fillSource(Workspace workspace) {
    ElementType type = matmul.product().input();
    int width = matmul.inputs();
    ByteBuffer source = workspace.source(matmul.rows() * width * type.bits() / Byte.SIZE);
    for (int t = 0; t < matmul.rows(); t++) {
      for (int i = 0; i < width; i++) {
        type.put(source, t * width + i, inputs[t % INPUT_ROWS][i]);
      }
    }
  }

  private void compare(ByteBuffer found) {
    int slices = matmul.slices();
    int outputs = matmul.outputs();
    for (int t = 0; t < matmul.rows(); t++) {
      for (int o = 0; o < outputs; o++) {
        double value = 0;
        for (int slice = 0; slice < slices; slice++) {
          value += found.getFloat(((t * slices + slice) * outputs + o) * Float.BYTES);
        }
        // A sum in one piece is rounded to float32 as it leaves the product.
        long sum = sums[t % INPUT_ROWS][o % WEIGHT_ROWS];
        if (value != (slices == 1 ? (double) (float) sum : (double) sum)) {
          throw new BackendUnavailableException(
              ("oneDNN's %s multiplies %s of (%s, %s) by (%s, %s) wrongly here: row %s, output %s:"
                      + " found %s, expected %s")
                  .formatted(
                      matmul.implementation(),
                      matmul.product(),
                      matmul.rows(),
                      matmul.inputs(),
                      matmul.inputs(),
                      outputs,
                      t,
                      o,
                      value,
                      sum));
        }
      }
    }
  }
}
