package org.cliffwatch.tasks.format;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.arrow.flatbuf.Message;
import org.cliffwatch.tasks.format.Format.FormatException;

/**
 * The messages that an Arrow file is made of, one after another, by their lengths alone: the
 * library allocates what a length says before it reads. Apache Arrow Columnar Format, "Encapsulated
 * message format" and "IPC File Format".
 */
final class ArrowFraming {
  private static final byte[] MAGIC = "ARROW1".getBytes(StandardCharsets.US_ASCII);

  /** The magic and two bytes of padding. */
  private static final int HEADER = 8;

  /** Before Arrow 0.15 a message began with its length at once. */
  private static final int CONTINUATION = -1;

  private static final int ALIGNMENT = 8;

  private ArrowFraming() {}

  /** Whether these bytes are a file, with a footer, rather than a stream. */
  static boolean isFile(byte[] file) {
    return file.length >= HEADER && Arrays.equals(file, 0, MAGIC.length, MAGIC, 0, MAGIC.length);
  }

  /**
   * Checks that every message is whole, and that the last is the end.
   *
   * @throws FormatException naming the byte at which the file is cut off or damaged
   */
  static void check(byte[] file) throws FormatException {
    ByteBuffer bytes = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
    int end = file.length;
    int at = 0;
    if (isFile(file)) {
      at = HEADER;
      end = footer(bytes);
    }
    int messages = 0;
    while (true) {
      int length = length(bytes, at, end);
      at += bytes.getInt(at) == CONTINUATION ? 2 * Integer.BYTES : Integer.BYTES;
      if (length == 0) {
        break;
      }
      if (length < 0 || length > end - at) {
        throw cutOff(at, length, end);
      }
      long body = bodyLength(bytes, at, length);
      at += length;
      if (body < 0 || body > end - at) {
        throw cutOff(at, body, end);
      }
      at += (int) body;
      at = Math.min(end, (at + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
      messages++;
    }
    if (messages == 0) {
      throw new FormatException("cannot be read as Arrow: found no schema");
    }
  }

  private static int length(ByteBuffer bytes, int at, int end) throws FormatException {
    if (end - at < Integer.BYTES) {
      throw cutOff(at, Integer.BYTES, end);
    }
    int length = bytes.getInt(at);
    if (length != CONTINUATION) {
      return length;
    }
    if (end - at < 2 * Integer.BYTES) {
      throw cutOff(at, 2 * Integer.BYTES, end);
    }
    return bytes.getInt(at + Integer.BYTES);
  }

  private static long bodyLength(ByteBuffer bytes, int at, int length) throws FormatException {
    try {
      ByteBuffer metadata = bytes.slice(at, length).order(ByteOrder.LITTLE_ENDIAN);
      return Message.getRootAsMessage(metadata).bodyLength();
    } catch (IndexOutOfBoundsException | IllegalArgumentException e) {
      throw new FormatException("cannot be read as Arrow: byte " + at + ": found no message", e);
    }
  }

  /** Where the messages of a file end: its footer, its length and the magic stand last. */
  private static int footer(ByteBuffer bytes) throws FormatException {
    byte[] file = bytes.array();
    int lengthAt = file.length - MAGIC.length - Integer.BYTES;
    if (lengthAt < HEADER
        || !Arrays.equals(file, file.length - MAGIC.length, file.length, MAGIC, 0, MAGIC.length)) {
      throw new FormatException(
          "cannot be read as Arrow: found " + file.length + " bytes without the end of a file");
    }
    int length = bytes.getInt(lengthAt);
    if (length < 0 || length > lengthAt - HEADER) {
      throw cutOff(lengthAt, length, file.length);
    }
    return lengthAt - length;
  }

  private static FormatException cutOff(int at, long length, int end) {
    return new FormatException(
        "cannot be read as Arrow: byte "
            + at
            + ": found a length of "
            + length
            + " bytes with "
            + (end - at)
            + " left, expected a file that is not cut off");
  }
}
