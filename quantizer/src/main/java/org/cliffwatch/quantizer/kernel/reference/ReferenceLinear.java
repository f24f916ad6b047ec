package org.cliffwatch.quantizer.kernel.reference;

import java.util.List;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.Linear;
import org.cliffwatch.quantizer.kernel.Projection;
import org.cliffwatch.quantizer.kernel.Stage;
import org.cliffwatch.quantizer.kernel.Stopwatch;

/** Products, then biases, then rounding: {@code y = round(x Wᵀ + b)}. */
final class ReferenceLinear implements Linear {
  private final List<Projection> projections;
  private final List<ReferenceProduct> products;
  private final FloatType compute;
  private volatile boolean closed;

  ReferenceLinear(
      List<Projection> projections, List<ReferenceProduct> products, FloatType compute) {
    this.projections = projections;
    this.products = products;
    this.compute = compute;
  }

  @Override
  public int inputs() {
    return projections.get(0).weight().columns();
  }

  @Override
  public int[] outputs() {
    return projections.stream().mapToInt(p -> p.weight().rows()).toArray();
  }

  @Override
  public void apply(float[] x, int rows, Stopwatch watch, float[]... y) {
    if (closed) {
      throw new IllegalStateException("linear layer used after it was closed");
    }
    for (int p = 0; p < products.size(); p++) {
      products.get(p).multiply(x, rows, y[p]);
      watch.lap(Stage.PRODUCTS);
      finish(y[p], rows, projections.get(p).weight().rows(), projections.get(p).bias());
      watch.lap(Stage.QUANTIZATION);
    }
  }

  private void finish(float[] y, int rows, int outputs, float[] bias) {
    for (int i = 0; i < rows * outputs; i++) {
      y[i] = compute.round(bias == null ? y[i] : y[i] + bias[i % outputs]);
    }
  }

  @Override
  public long bytes() {
    return products.stream().mapToLong(ReferenceProduct::bytes).sum();
  }

  @Override
  public void close() {
    closed = true;
    products.forEach(ReferenceProduct::close);
  }
}
