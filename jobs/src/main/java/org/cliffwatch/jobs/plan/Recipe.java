package org.cliffwatch.jobs.plan;

import java.util.TreeMap;
import org.cliffwatch.quantizer.calibration.CheckpointCalibration;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Schemes;

/** What a precision does, not what it is called. */
public final class Recipe {
  private Recipe() {}

  /**
   * Equal exactly where two precisions do the same.
   *
   * @param precision calibrated with a text by its content, if with any
   */
  public static String of(Precision precision) {
    String recipe =
        String.join(
            " ",
            precision.scheme(),
            Integer.toString(precision.weightBits()),
            Integer.toString(precision.activationBits()),
            precision.compute().toString(),
            new TreeMap<>(precision.options()).toString());
    return Schemes.isCalibrated(precision)
        ? recipe + " calibration " + CheckpointCalibration.VERSION
        : recipe;
  }

  /**
   * What is known by the content of everything that a precision's calibration depends on.
   *
   * @param checkpoint content hash
   */
  public static String calibrationKey(String checkpoint, Precision precision, String kernel) {
    return Sha256.of("checkpoint", checkpoint, "precision", of(precision), "kernel", kernel);
  }
}
