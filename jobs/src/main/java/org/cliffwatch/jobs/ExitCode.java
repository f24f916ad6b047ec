package org.cliffwatch.jobs;

/** What every command's exit status means. */
public final class ExitCode {
  public static final int DONE = 0;
  public static final int GATE_FAILED = 1;
  public static final int GATE_INCONCLUSIVE = 2;
  public static final int BAD_INPUT = 3;
  public static final int CELLS_FAILED = 4;
  public static final int INTERNAL_ERROR = 5;

  private ExitCode() {}
}
