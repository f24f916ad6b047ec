package org.cliffwatch.quantizer.kernel;

import java.util.SplittableRandom;

/** Normal weights, the same every time: what speed is measured with. */
public record RandomRows(int rows, int columns) implements WeightRows {
  @Override
  public String name() {
    return "random";
  }

  @Override
  public void row(int r, float[] out) {
    SplittableRandom random = new SplittableRandom(r);
    for (int c = 0; c < columns; c++) {
      out[c] = (float) random.nextGaussian();
    }
  }
}
