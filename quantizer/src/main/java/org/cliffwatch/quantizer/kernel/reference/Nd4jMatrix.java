package org.cliffwatch.quantizer.kernel.reference;

import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * A matrix W (outputs, inputs) in ND4J's memory, multiplied in tiles of one fixed number of rows:
 * BLAS may add in another order for another shape.
 */
final class Nd4jMatrix implements AutoCloseable {
  /**
   * Of products that round: OpenBLAS was seen to add the first and the last rows of a tile in
   * different orders.
   */
  static final int ROUNDED_TILE = 1;

  /** Of products that are exact in any order. */
  static final int EXACT_TILE = 16;

  private final INDArray weight;
  private final int outputs;
  private final int inputs;
  private final int tileRows;

  /**
   * @param w (outputs, inputs), row-major
   * @param tileRows {@link #ROUNDED_TILE} or {@link #EXACT_TILE}
   */
  Nd4jMatrix(float[] w, int outputs, int inputs, int tileRows) {
    this.weight = Nd4j.create(w, new long[] {outputs, inputs}, 'c');
    this.outputs = outputs;
    this.inputs = inputs;
    this.tileRows = tileRows;
  }

  int outputs() {
    return outputs;
  }

  /** Receives x Wᵀ a tile at a time. */
  interface TileConsumer {
    /**
     * @param row the tile's first row
     * @param rows how many of its rows are real
     * @param product (tile rows, outputs)
     */
    void accept(int row, int rows, float[] product);
  }

  /**
   * @param x (rows, stride), of which the columns {@code [from, from + inputs)} are multiplied
   */
  void multiply(float[] x, int rows, int stride, int from, TileConsumer consumer) {
    float[] tile = new float[tileRows * inputs];
    for (int row = 0; row < rows; row += tileRows) {
      int real = Math.min(tileRows, rows - row);
      for (int t = 0; t < real; t++) {
        System.arraycopy(x, (row + t) * stride + from, tile, t * inputs, inputs);
      }
      try (INDArray left = Nd4j.create(tile, new long[] {tileRows, inputs}, 'c');
          INDArray product = Nd4j.gemm(left, weight, false, true)) {
        consumer.accept(row, real, product.data().asFloat());
      }
    }
  }

  long bytes() {
    return (long) outputs * inputs * Float.BYTES;
  }

  /** Once; a second time does nothing. */
  @Override
  public void close() {
    if (!weight.wasClosed()) {
      weight.close();
    }
  }
}
