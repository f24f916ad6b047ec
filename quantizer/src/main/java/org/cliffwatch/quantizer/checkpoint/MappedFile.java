package org.cliffwatch.quantizer.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.cliffwatch.quantizer.InvalidInputException;

/**
 * A file mapped into memory, read-only, however long. Nothing of it is read, and no heap used,
 * before somebody asks; the mapping goes when the last slice of it is garbage.
 */
final class MappedFile {
  /** The longest range that {@link #slice} gives. */
  static final int MAX_SLICE = 1 << 30;

  /** Bytes read ahead by {@link #stream}. */
  private static final int STREAMED_BYTES = 1 << 20;

  private final Path path;
  private final OpenedFiles opened;
  private final long size;
  // Window k starts at k · MAX_SLICE and is up to twice as long, so that any range of up to
  // MAX_SLICE bytes lies whole in the window it starts in.
  private final ByteBuffer[] windows;

  /** What was streamed last. */
  private volatile Block streamed = new Block(0, new byte[0]);

  /** A part of the file, copied. */
  private record Block(long start, byte[] bytes) {
    boolean holds(long from, int count) {
      return from >= start && from + count <= start + bytes.length;
    }
  }

  private MappedFile(Path path, OpenedFiles opened, long size, ByteBuffer[] windows) {
    this.path = path;
    this.opened = opened;
    this.size = size;
    this.windows = windows;
  }

  static MappedFile open(Path path) {
    OpenedFiles opened = new OpenedFiles();
    opened.add(path);
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      long size = channel.size();
      ByteBuffer[] windows = new ByteBuffer[Math.toIntExact((size + MAX_SLICE - 1) / MAX_SLICE)];
      for (int k = 0; k < windows.length; k++) {
        long start = (long) k * MAX_SLICE;
        long length = Math.min(2L * MAX_SLICE - 1, size - start);
        windows[k] = channel.map(FileChannel.MapMode.READ_ONLY, start, length);
      }
      return new MappedFile(path, opened, size, windows);
    } catch (IOException e) {
      throw new InvalidInputException(path + ": cannot be read: " + e, e);
    }
  }

  Path path() {
    return path;
  }

  long size() {
    return size;
  }

  /** Bytes {@code [from, from + count)}, little-endian, at positions 0 to {@code count}. */
  ByteBuffer slice(long from, int count) {
    if (from < 0 || count < 0 || count > MAX_SLICE || from > size - count) {
      throw new IndexOutOfBoundsException(
          "bytes " + from + " to " + (from + count) + " of " + size);
    }
    if (count == 0) {
      return ByteBuffer.allocate(0).order(ByteOrder.LITTLE_ENDIAN);
    }
    int window = (int) (from / MAX_SLICE);
    return windows[window].slice((int) (from % MAX_SLICE), count).order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * As {@link #slice}, copied from the file and not through the mapping, some way ahead.
   *
   * @throws InvalidInputException if the file cannot be read any more, or is not as it was when it
   *     was opened
   */
  ByteBuffer stream(long from, int count) {
    if (from < 0 || count < 0 || count > MAX_SLICE || from > size - count) {
      throw new IndexOutOfBoundsException(
          "bytes " + from + " to " + (from + count) + " of " + size);
    }
    Block block = streamed;
    if (!block.holds(from, count)) {
      int length = (int) Math.min(size - from, Math.max(count, STREAMED_BYTES));
      block = opened.consistently(() -> read(from, length));
      streamed = block;
    }
    return ByteBuffer.wrap(block.bytes(), (int) (from - block.start()), count)
        .slice()
        .order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Opens the file anew: a channel kept open is closed for all when one thread is interrupted. */
  private Block read(long from, int count) {
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      ByteBuffer to = ByteBuffer.allocate(count);
      while (to.hasRemaining()) {
        if (channel.read(to, from + to.position()) < 0) {
          throw new InvalidInputException(
              path + ": " + channel.size() + " bytes long, was " + size + " when it was opened");
        }
      }
      return new Block(from, to.array());
    } catch (IOException e) {
      throw new InvalidInputException(path + ": cannot be read: " + e, e);
    }
  }

  /** A copy of {@code count} bytes, for headers. */
  byte[] copy(long from, int count) {
    byte[] bytes = new byte[count];
    slice(from, count).get(0, bytes);
    return bytes;
  }
}
