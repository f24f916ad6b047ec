package org.cliffwatch.quantizer.kernel.onednn;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import org.cliffwatch.quantizer.kernel.BackendUnavailableException;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.kernel.InstructionSet;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every product passes as the library makes it, and none with a single planted fault. */
class MatmulCheckTest {
  private static final int INPUTS = 2082;
  private static final int OUTPUTS = 70;

  private static OneDnn library;

  @BeforeAll
  static void open() {
    Backends.open("onednn");
    library = OneDnn.open(null);
  }

  private static boolean exists(Product product) {
    return switch (product) {
      case INT8 -> library.instructionSet().hasVnni();
      case BFLOAT16 -> library.instructionSet().includes(InstructionSet.AVX512_BF16);
      default -> true;
    };
  }

  private interface Fault {
    void plant(Matmul matmul, ByteBuffer products);
  }

  private static void withEveryTile(Product product, Fault fault) {
    if (!exists(product)) {
      return;
    }
    for (int rows : product.heights()) {
      try (Matmul matmul =
          new Matmul(
              library,
              product,
              rows,
              product.packedInputs(INPUTS),
              product.packedOutputs(OUTPUTS),
              null)) {
        assertThatCode(() -> MatmulCheck.require(library, matmul)).doesNotThrowAnyException();
        assertThatThrownBy(
                () ->
                    MatmulCheck.require(
                        library,
                        matmul,
                        (workspace, weight) -> {
                          ByteBuffer products = workspace.multiply(matmul, weight, 0);
                          fault.plant(matmul, products);
                          return products;
                        }))
            .as("%s, tile of %s", product, rows)
            .isInstanceOf(BackendUnavailableException.class)
            .hasMessageContaining("multiplies " + product)
            .hasMessageContaining("wrongly here: row ")
            .hasMessageContaining(", expected ");
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Product.class)
  void oneWrongValueIsSeenWhereverItIs(Product product) {
    for (int place : new int[] {0, 17, -1}) {
      withEveryTile(
          product,
          (matmul, products) -> {
            int values = matmul.rows() * matmul.slices() * matmul.outputs();
            int at = Float.BYTES * (place < 0 ? values + place : place);
            products.putFloat(at, products.getFloat(at) + 1000);
          });
    }
  }

  /** Rows of a product exchanged: right values in the wrong places. */
  @ParameterizedTest
  @EnumSource(Product.class)
  void exchangedRowsAreSeen(Product product) {
    withEveryTile(
        product,
        (matmul, products) -> {
          int row = Float.BYTES * matmul.slices() * matmul.outputs();
          byte[] last = new byte[row];
          byte[] before = new byte[row];
          products.get((matmul.rows() - 1) * row, last).get((matmul.rows() - 2) * row, before);
          products.put((matmul.rows() - 1) * row, before).put((matmul.rows() - 2) * row, last);
        });
  }

  /**
   * Only sums of extreme codes are wrong, as where pairs of products are added in 16 bits: 127
   * times the code 127, shifted to 255, twice, is 64 770, of which 32 767 are left.
   */
  @ParameterizedTest
  @EnumSource(names = {"INT8", "INT8_IN_FLOAT32"})
  void saturationIsSeen(Product product) {
    withEveryTile(
        product,
        (matmul, products) -> {
          float extreme = 0.9f * 127 * 127 * INPUTS / matmul.slices();
          for (int i = 0; i < matmul.rows() * matmul.slices() * matmul.outputs(); i++) {
            float value = products.getFloat(Float.BYTES * i);
            if (Math.abs(value) > extreme) {
              products.putFloat(Float.BYTES * i, value * 32767 / 64770);
            }
          }
        });
  }
}
