package org.cliffwatch.quantizer.scheme;

/**
 * Which text a precision is calibrated with: options of every scheme that looks at some.
 *
 * @param samples sequences of the text, the first so many
 * @param length tokens of each, or the model's window where that is shorter
 * @param seed of the order of its documents; null: the file's
 */
public record Calibration(int samples, int length, Long seed) {
  /** The key of the text: a file, or what it is known by. */
  public static final String TEXT = "calibration";

  /** As SmoothQuant and llm-awq have them, and GPTQ but for its longer sequences. */
  private static final int SAMPLES = 128;

  private static final int LENGTH = 512;

  static Calibration of(Options options) {
    options.text(TEXT);
    return new Calibration(
        options.integer("calibration_samples", SAMPLES, n -> n > 0, "above 0"),
        options.integer("calibration_length", LENGTH, n -> n > 0, "above 0"),
        options.longInteger("calibration_seed"));
  }

  /** Of a precision that {@linkplain Schemes#isCalibrated is calibrated}. */
  public static Calibration of(Precision precision) {
    return of(new Options(precision));
  }
}
