package org.cliffwatch.quantizer.kernel.reference;

import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.Linear;
import org.cliffwatch.quantizer.kernel.Projection;
import org.cliffwatch.quantizer.kernel.Stage;
import org.cliffwatch.quantizer.kernel.Stopwatch;

/** A product, then biases, then rounding: {@code y = round(x Wᵀ + b)}. */
final class ReferenceLinear implements Linear {
  private final Projection projection;
  private final ReferenceProduct product;
  private final FloatType compute;
  private volatile boolean closed;

  ReferenceLinear(Projection projection, ReferenceProduct product, FloatType compute) {
    this.projection = projection;
    this.product = product;
    this.compute = compute;
  }

  @Override
  public int inputs() {
    return projection.weight().columns();
  }

  @Override
  public int[] outputs() {
    return new int[] {projection.weight().rows()};
  }

  @Override
  public void apply(float[] x, int rows, Stopwatch watch, float[]... y) {
    if (closed) {
      throw new IllegalStateException("linear layer used after it was closed");
    }
    product.multiply(x, rows, y[0]);
    watch.lap(Stage.PRODUCTS);
    finish(y[0], rows, projection.weight().rows(), projection.bias());
    watch.lap(Stage.QUANTIZATION);
  }

  private void finish(float[] y, int rows, int outputs, float[] bias) {
    for (int i = 0; i < rows * outputs; i++) {
      y[i] = compute.round(bias == null ? y[i] : y[i] + bias[i % outputs]);
    }
  }

  @Override
  public long bytes() {
    return product.bytes();
  }

  @Override
  public void close() {
    closed = true;
    product.close();
  }
}
