package org.cliffwatch.jobs.run;

import java.io.PrintStream;
import java.util.Locale;
import org.cliffwatch.jobs.plan.Estimate;

/**
 * One line on stderr that is rewritten in place: first the share of the calibration, then cells,
 * scored tokens a second, and when all will be done by the share of the work that is, last the
 * share of the comparison. Where stderr is no terminal, a line now and then, and of cells the last.
 */
final class Progress {
  private static final long QUIET_NANOS = 10_000_000_000L;
  private static final String CLEAR = "\r\033[K";

  private final PrintStream out;
  private final boolean terminal;
  private long started;
  private long lastPrinted;
  private int cells;
  private int done;
  private long tokens;
  private double work;
  private double workDone;
  private double expectedSeconds;
  private String sharePast;
  private String shown = "";

  /** The last line, where it is no terminal. */
  private String printed = "";

  Progress(PrintStream out) {
    this(out, System.console() != null);
  }

  Progress(PrintStream out, boolean terminal) {
    this.out = out;
    this.terminal = terminal;
  }

  /**
   * Something begins of which the share that is done is shown.
   *
   * @param past what is said of it
   * @param workToDo all of it, in any measure
   */
  synchronized void startShare(String past, double workToDo) {
    sharePast = past;
    start(0, workToDo, 0);
  }

  /**
   * @param workToDo all that is to be done, in any measure
   * @param expected seconds it should take
   */
  synchronized void start(int cellsToScore, double workToDo, double expected) {
    started = System.nanoTime();
    lastPrinted = started;
    printed = "";
    done = 0;
    tokens = 0;
    workDone = 0;
    cells = cellsToScore;
    work = workToDo;
    expectedSeconds = expected;
    show();
  }

  /** All that is done since the start. */
  synchronized void done(int cellsDone, long tokensScored, double of) {
    done = cellsDone;
    tokens = tokensScored;
    workDone = of;
    show();
  }

  private void show() {
    double seconds = (System.nanoTime() - started) / 1e9;
    double share = Math.min(1, workDone / work);
    // Parts of the work add up to all of it but for rounding.
    boolean whole = cells == 0 ? share == 1 && !printed.isEmpty() : done == cells;
    double left =
        share > 0 ? seconds * (1 - share) / share : Math.max(0, expectedSeconds - seconds);
    shown =
        cells == 0
            ? String.format(Locale.ROOT, "%.0f %% %s", 100 * share, sharePast)
            : String.format(
                Locale.ROOT,
                "%d of %d cells, %.0f scored tokens/s, ETA %s",
                Math.min(cells, done),
                cells,
                seconds > 0 ? tokens / seconds : 0,
                Estimate.clock(left));
    if (terminal) {
      out.print(CLEAR + shown);
      out.flush();
    } else if (System.nanoTime() - lastPrinted > QUIET_NANOS || (whole && !shown.equals(printed))) {
      lastPrinted = System.nanoTime();
      printed = shown;
      out.print(shown + "\n");
      out.flush();
    }
  }

  /** Prints a line above the progress. */
  synchronized void line(String text) {
    out.print((terminal ? CLEAR : "") + text + "\n" + (terminal ? shown : ""));
    out.flush();
  }

  /** Takes the line away. */
  synchronized void end() {
    if (terminal && !shown.isEmpty()) {
      out.print(CLEAR);
      out.flush();
    }
    shown = "";
  }
}
