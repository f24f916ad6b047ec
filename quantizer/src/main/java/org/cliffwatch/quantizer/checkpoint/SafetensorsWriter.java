package org.cliffwatch.quantizer.checkpoint;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/**
 * Writes a safetensors file front to back, so that no tensor need be in memory whole. The same
 * tensors give the same bytes.
 */
public final class SafetensorsWriter implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int BUFFER_BYTES = 1 << 16;

  /** What the header says of a tensor. */
  public record Entry(String name, StorageType type, long... shape) {
    private long bytes() {
      long bytes = type.blockBytes();
      for (long length : shape) {
        bytes = Math.multiplyExact(bytes, length);
      }
      return bytes;
    }
  }

  private final Path file;
  private final OutputStream out;
  private final Iterator<Entry> entries;
  private Entry current;

  /** Bytes of {@link #current} that were not written yet. */
  private long left;

  /**
   * Writes the header.
   *
   * @param metadata of the file, {@code __metadata__}; transformers wants {@code format}
   * @param tensors in the order in which they are stored
   */
  public SafetensorsWriter(Path file, Map<String, String> metadata, List<Entry> tensors)
      throws IOException {
    this.file = file;
    this.entries = tensors.iterator();
    this.out = Files.newOutputStream(file);
    try {
      out.write(header(metadata, tensors));
    } catch (IOException | RuntimeException | Error e) {
      out.close();
      throw e;
    }
    next();
  }

  private static byte[] header(Map<String, String> metadata, List<Entry> tensors)
      throws IOException {
    ObjectNode header = JSON.createObjectNode();
    metadata.forEach(header.putObject("__metadata__")::put);
    long at = 0;
    for (Entry tensor : tensors) {
      ObjectNode entry = header.putObject(tensor.name());
      entry.put("dtype", tensor.type().name());
      ArrayNode shape = entry.putArray("shape");
      for (long length : tensor.shape()) {
        shape.add(length);
      }
      long end = at + tensor.bytes();
      entry.putArray("data_offsets").add(at).add(end);
      at = end;
    }
    byte[] text = JSON.writeValueAsString(header).getBytes(StandardCharsets.UTF_8);
    // The data begin at a multiple of 8 bytes: the format allows spaces after the header.
    int padded = (text.length + 7) / 8 * 8;
    ByteBuffer start = ByteBuffer.allocate(8 + padded).order(ByteOrder.LITTLE_ENDIAN);
    start.putLong(padded).put(text);
    while (start.hasRemaining()) {
      start.put((byte) ' ');
    }
    return start.array();
  }

  private void next() {
    while (left == 0 && entries.hasNext()) {
      current = entries.next();
      left = current.bytes();
    }
  }

  /** Writes the next bytes of the tensor whose turn it is, as they are. */
  public void write(byte[] bytes, int count) throws IOException {
    if (count > left) {
      throw new IllegalArgumentException(
          file + ": tensor " + current.name() + ": " + count + " bytes, expected " + left);
    }
    out.write(bytes, 0, count);
    left -= count;
    next();
  }

  /**
   * Writes the next elements of the tensor whose turn it is.
   *
   * @param values that its type {@link StorageType#holds holds}
   */
  public void write(float[] values, int count) throws IOException {
    StorageType type = current.type();
    ByteBuffer bytes = ByteBuffer.allocate(BUFFER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    int most = BUFFER_BYTES / type.blockBytes();
    for (int done = 0; done < count; ) {
      int step = Math.min(most, count - done);
      bytes.clear();
      for (int i = done; i < done + step; i++) {
        type.narrow(values[i], bytes);
      }
      write(bytes.array(), bytes.position());
      done += step;
    }
  }

  /** Ends the file, which is not whole where tensors are missing: then whoever writes it failed. */
  @Override
  public void close() throws IOException {
    out.close();
  }
}
