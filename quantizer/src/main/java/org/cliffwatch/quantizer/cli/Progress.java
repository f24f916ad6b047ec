package org.cliffwatch.quantizer.cli;

import java.io.PrintStream;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.cliffwatch.quantizer.kernel.Stage;
import org.cliffwatch.quantizer.score.Scorer;

/** Says on a stream, every few seconds, how far scoring has come. */
final class Progress {
  private static final long PERIOD_NANOS = TimeUnit.SECONDS.toNanos(5);

  private final PrintStream out;
  private final long started = System.nanoTime();
  private long said = started;
  private long lines;
  private long tokens;
  private double calibrated;

  Progress(PrintStream out) {
    this.out = out;
  }

  /** One line more, of so many scored tokens. */
  void add(int scored) {
    lines++;
    tokens += scored;
    if (System.nanoTime() - said > PERIOD_NANOS) {
      said = System.nanoTime();
      out.println(rates());
    }
  }

  /** A share of the calibration, of which all is 1. */
  void calibrated(double share) {
    calibrated += share;
    if (System.nanoTime() - said > PERIOD_NANOS) {
      said = System.nanoTime();
      out.println(calibration());
    }
  }

  /** All is calibrated. */
  void endCalibration() {
    out.println(calibration());
  }

  private String calibration() {
    return String.format(
        Locale.ROOT,
        "calibrated %.0f %%, %.1f s",
        100 * calibrated,
        (System.nanoTime() - started) / 1e9);
  }

  void end(int errors, Scorer scorer) {
    var nanos = scorer.nanos();
    double all = Math.max(1, nanos.values().stream().mapToLong(Long::longValue).sum());
    out.println(rates() + ", " + errors + " errors");
    out.println(
        nanos.entrySet().stream()
            .map(e -> share(e.getKey(), e.getValue() / all))
            .collect(Collectors.joining(", ", "time: ", "")));
  }

  private static String share(Stage stage, double share) {
    return String.format(Locale.ROOT, "%s %.0f %%", stage.spelled(), 100 * share);
  }

  private String rates() {
    double seconds = (System.nanoTime() - started) / 1e9;
    return String.format(
        Locale.ROOT,
        "%d requests, %d scored tokens, %.1f s, %.1f requests/s",
        lines,
        tokens,
        seconds,
        lines / seconds);
  }
}
