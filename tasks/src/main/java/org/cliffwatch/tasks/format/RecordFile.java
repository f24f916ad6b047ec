package org.cliffwatch.tasks.format;

import java.io.IOException;
import java.util.List;
import org.cliffwatch.tasks.InvalidInputException;
import org.cliffwatch.tasks.Sha256;

/** A file of records in any format this project reads, compressed or not. */
public final class RecordFile {
  private final String name;
  private final byte[] bytes;
  private final FileForm form;

  /**
   * A file that was read.
   *
   * @param name its name, with its folder, as messages call it
   * @param bytes its content as it lies there
   * @param form how it is read
   */
  public RecordFile(String name, byte[] bytes, FileForm form) {
    this.name = name;
    this.bytes = bytes;
    this.form = form;
  }

  /** A file that was read, and whose name tells how. */
  public RecordFile(String name, byte[] bytes) {
    this(name, bytes, FileForm.BY_NAME);
  }

  /** Sha256 of its content as it lies there, compressed or not. */
  public String sha256() {
    return Sha256.of(bytes);
  }

  /**
   * Its records in their order; a malformed one is a record that says so.
   *
   * @throws InvalidInputException where the file as a whole cannot be read
   */
  public List<SourceRecord> records() {
    Format format = form.format(Compression.strip(name));
    try {
      return format.read(expanded());
    } catch (Format.FormatException e) {
      throw new InvalidInputException(name + ": " + e.getMessage(), e);
    }
  }

  /**
   * Its lines as bytes, without line feeds and the blank lines that end it.
   *
   * @throws InvalidInputException where it cannot be decompressed
   */
  public List<byte[]> lines() {
    return Lines.split(expanded());
  }

  /** The text of a line, or null where its bytes are not UTF-8. */
  public static String text(byte[] line) {
    return Lines.decode(line);
  }

  /** A file's name without the ending of a compression. */
  public static String withoutCompression(String name) {
    return Compression.strip(name);
  }

  private byte[] expanded() {
    try {
      return Compression.expand(name, bytes);
    } catch (IOException e) {
      throw new InvalidInputException(name + ": cannot be decompressed: " + e.getMessage(), e);
    }
  }
}
