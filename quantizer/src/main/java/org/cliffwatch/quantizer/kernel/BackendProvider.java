package org.cliffwatch.quantizer.kernel;

/**
 * What a backend registers in {@code
 * META-INF/services/org.cliffwatch.quantizer.kernel.BackendProvider}. Creating one loads nothing:
 * the native library is touched when {@link #kernel} is first asked.
 */
public interface BackendProvider {
  /** {@code reference}, {@code onednn} or {@code cuda}. */
  String name();

  /**
   * The kernel identity this machine would give, or why it gives none; without a digest before it
   * was opened.
   *
   * @throws BackendUnavailableException when the library is missing, the machine lacks an
   *     instruction set, or integer products are not exact here; the message says which
   */
  String kernel();

  /**
   * Opens the backend.
   *
   * @param kernel an identity whose instruction set this machine has, perhaps less than all it
   *     could, with a digest or without; or null for the machine's own
   * @throws BackendUnavailableException when that cannot be had here: also when products are not
   *     exact, or others than the digest says
   */
  Backend open(String kernel);
}
