package org.cliffwatch.quantizer.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.scheme.Findings;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Schemes;

/** Calibration with random tokens, always the same. */
public final class RandomCalibration {
  private static final int SAMPLES = 4;
  private static final int LENGTH = 16;

  private RandomCalibration() {}

  /** What a precision finds in them; null where it looks at no text. */
  public static Findings of(
      Checkpoint checkpoint, int vocabulary, Precision precision, Backend backend) {
    if (!Schemes.isCalibrated(precision)) {
      return null;
    }
    Random random = new Random(3);
    List<int[]> samples = new ArrayList<>();
    for (int s = 0; s < SAMPLES; s++) {
      samples.add(random.ints(LENGTH, 0, vocabulary).toArray());
    }
    try (Calibrator calibrator =
        new Calibrator(Inventory.of(checkpoint), backend, samples, 2, share -> {})) {
      return calibrator.find(List.of(precision)).get(precision);
    }
  }
}
