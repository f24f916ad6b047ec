package org.cliffwatch.quantizer.kernel.onednn;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.cliffwatch.quantizer.kernel.BackendUnavailableException;

/**
 * Multiplies small integers, which every type holds and whose sums float32 holds, and compares with
 * sums of ints: a routine of the library that is wrong for a shape on this processor is refused
 * when the shape is first met, and never used.
 */
final class MatmulCheck {
  private MatmulCheck() {}

  static void require(OneDnn library, Matmul matmul) {
    Product product = matmul.product();
    int inputs = matmul.inputs();
    int outputs = matmul.outputs();
    float[] ones = new float[outputs];
    Arrays.fill(ones, 1);
    try (PackedWeight weight =
        new PackedWeight(
            library,
            matmul,
            product.scaled() ? ones : null,
            outputs,
            (o, row) -> {
              for (int i = 0; i < inputs; i++) {
                row[i] = weight(o, i);
              }
            })) {
      Workspace workspace = new Workspace(library);
      ElementType type = product.input();
      ByteBuffer source = workspace.source(matmul.rows() * inputs * type.bits() / Byte.SIZE);
      for (int t = 0; t < matmul.rows(); t++) {
        for (int i = 0; i < inputs; i++) {
          type.put(source, t * inputs + i, input(t, i));
        }
      }
      ByteBuffer found = workspace.multiply(matmul, weight, 0);
      for (int t : new int[] {0, matmul.rows() - 1}) {
        for (int o = 0; o < outputs; o++) {
          int expected = 0;
          for (int i = 0; i < inputs; i++) {
            expected += input(t, i) * weight(o, i);
          }
          float value = 0;
          for (int slice = 0; slice < matmul.slices(); slice++) {
            int row = t * matmul.slices() + slice;
            value += found.getFloat((row * outputs + o) * Float.BYTES);
          }
          if (value != expected) {
            throw new BackendUnavailableException(
                "oneDNN's %s multiplies %s of (%s, %s) by (%s, %s) wrongly here: found %s, expected %s"
                    .formatted(
                        matmul.implementation(),
                        product,
                        matmul.rows(),
                        inputs,
                        inputs,
                        outputs,
                        value,
                        expected));
          }
        }
      }
    }
  }

  private static int input(int row, int column) {
    return (row * 31 + column * 7) % 5 - 2;
  }

  private static int weight(int row, int column) {
    return (row * 13 + column * 11) % 7 - 3;
  }
}
