package org.cliffwatch.quantizer.kernel;

/**
 * Splits one thread's time over stages: every call of {@link #lap} gives the time since the last
 * one to a stage. Two readings of the clock an operation; always on.
 */
public final class Stopwatch {
  private final long[] nanos = new long[Stage.values().length];
  private long last;

  /** Starts, or starts again without giving the time in between to anything. */
  public void start() {
    last = System.nanoTime();
  }

  /** The time since the last call was this stage's. */
  public void lap(Stage stage) {
    long now = System.nanoTime();
    nanos[stage.ordinal()] += now - last;
    last = now;
  }

  /** Nanoseconds of a stage so far. */
  public long nanos(Stage stage) {
    return nanos[stage.ordinal()];
  }
}
