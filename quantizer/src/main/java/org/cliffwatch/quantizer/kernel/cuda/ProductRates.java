package org.cliffwatch.quantizer.kernel.cuda;

import java.util.List;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.Projection;
import org.cliffwatch.quantizer.kernel.RandomRows;
import org.cliffwatch.quantizer.kernel.Rows;
import org.cliffwatch.quantizer.scheme.Precision;

/** A device's linear layers beside the library's bare product of the same rows in one call. */
public final class ProductRates {
  private static final int REPETITIONS = 20;
  private static final int ROUNDS = 5;

  /**
   * Rates in operations a second, each of the fastest of several rounds.
   *
   * @param layer inputs quantized, products, sums dequantized, biased and rounded
   * @param bare the product alone
   */
  public record Rate(double layer, double bare) {}

  private ProductRates() {}

  /**
   * Measures one layer of random weights.
   *
   * @param backend on a device
   * @param rows multiplied at once
   */
  public static Rate measure(
      Backend backend, Precision precision, int outputs, int inputs, int rows) {
    DeviceBackend on = (DeviceBackend) backend;
    Projection projection = new Projection(new RandomRows(outputs, inputs), new float[outputs]);
    float[] row = new float[inputs];
    float[] values = new float[rows * inputs];
    for (int r = 0; r < rows; r++) {
      new RandomRows(rows, inputs).row(r, row);
      System.arraycopy(row, 0, values, r * inputs, inputs);
    }
    try (DeviceLinear layer = on.linear(List.of(projection), precision);
        DeviceSession session = on.session(precision.compute());
        DeviceRows x = session.rows(rows, inputs);
        DeviceRows y = session.rows(rows, outputs)) {
      session.upload(values, rows, x);
      Rows[] results = {y};
      double ours = Double.MAX_VALUE;
      double bare = Double.MAX_VALUE;
      Runnable product = layer.bareProduct(session, x, rows);
      for (int round = 0; round < ROUNDS; round++) {
        ours = Math.min(ours, seconds(session, () -> layer.multiply(session, x, rows, results)));
        bare = Math.min(bare, seconds(session, product));
      }
      double operations = 2.0 * rows * outputs * inputs;
      return new Rate(operations / ours, operations / bare);
    }
  }

  private static double seconds(DeviceSession session, Runnable work) {
    work.run();
    session.stream().synchronize();
    long start = System.nanoTime();
    for (int i = 0; i < REPETITIONS; i++) {
      work.run();
    }
    session.stream().synchronize();
    return (System.nanoTime() - start) / 1e9 / REPETITIONS;
  }
}
