package org.cliffwatch.jobs.table;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;

/**
 * A file system would not do what was asked of it. The message says what that was, of which file,
 * and why not: it is the user's to mend, not a fault of ours.
 */
public final class StorageException extends UncheckedIOException {
  private static final long serialVersionUID = 1L;

  /**
   * @param what could not be done, with the file
   */
  public StorageException(String what, IOException cause) {
    super(what + ": " + reason(cause), cause);
  }

  /** Some exceptions of java.nio have the file as their only text. */
  private static String reason(IOException e) {
    if (e instanceof NoSuchFileException) {
      return e.getMessage() + ": no such file or folder";
    }
    if (e instanceof FileAlreadyExistsException) {
      return e.getMessage() + ": a file is in the way";
    }
    if (e instanceof AccessDeniedException) {
      return e.getMessage() + ": permission denied";
    }
    return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
  }
}
