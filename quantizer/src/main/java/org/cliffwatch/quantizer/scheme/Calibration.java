package org.cliffwatch.quantizer.scheme;

/**
 * Which text a precision is calibrated with: options of every scheme that looks at some.
 *
 * @param samples sequences of the text, the first so many; null: as many as there are, {@value
 *     #MOST} at most
 * @param length tokens of each, or the model's window where that is shorter
 * @param seed of the order of its documents; null: the file's
 * @param endsDocuments whether the tokenizer's end-of-text token follows each, as in the text that
 *     models are trained on
 */
public record Calibration(Integer samples, int length, Long seed, boolean endsDocuments) {
  /** The key of the text: a file, or what it is known by. */
  public static final String TEXT = "calibration";

  /** llm-awq's and GPTQ's number of samples. */
  public static final int MOST = 128;

  /** SmoothQuant's and llm-awq's. */
  private static final int LENGTH = 512;

  /** As many samples as there are, in the file's order, as it is. */
  public static Calibration ofLength(int length) {
    return new Calibration(null, length, null, false);
  }

  static Calibration of(Options options) {
    options.text(TEXT);
    return new Calibration(
        options.optionalInteger("calibration_samples", n -> n > 0, "above 0"),
        options.integer("calibration_length", LENGTH, n -> n > 0, "above 0"),
        options.longInteger("calibration_seed"),
        options.flag("calibration_eos", false));
  }

  /** Of a precision that {@linkplain Schemes#isCalibrated is calibrated}. */
  public static Calibration of(Precision precision) {
    return of(new Options(precision));
  }
}
