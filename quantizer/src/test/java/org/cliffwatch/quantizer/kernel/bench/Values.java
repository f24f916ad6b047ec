package org.cliffwatch.quantizer.kernel.bench;

import java.util.SplittableRandom;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.MatrixRows;
import org.cliffwatch.quantizer.kernel.WeightRows;

/** Seeded inputs, and the complaint of a bench whose answer is wrong. */
final class Values {
  private Values() {}

  static float[] normals(int seed, int n, FloatType type) {
    SplittableRandom random = new SplittableRandom(seed);
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = type.round((float) random.nextGaussian());
    }
    return values;
  }

  static WeightRows weight(int rows, int columns, float[] values) {
    return new MatrixRows("bench", rows, columns, values);
  }

  static void require(double found, double expected, double tolerance) {
    if (!(Math.abs(found - expected) <= tolerance)) {
      throw new IllegalStateException("found " + found + ", expected " + expected);
    }
  }
}
