package org.cliffwatch.jobs.run;

/**
 * An item scored twice, in two layouts, gave two results: the machine or the kernel is at fault.
 */
final class SelfCheckException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  SelfCheckException(String message) {
    super(message);
  }
}
