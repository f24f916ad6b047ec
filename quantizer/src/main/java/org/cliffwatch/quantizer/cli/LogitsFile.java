package org.cliffwatch.quantizer.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/**
 * A safetensors file of {@code logits.I}, (tokens, vocabulary) float32, of lines I. Its header says
 * how many there are, so that values are kept beside it until {@link #finish}; without that, there
 * is no file.
 */
final class LogitsFile implements AutoCloseable {
  private static final int BUFFER_FLOATS = 1 << 16;

  private final Path file;
  private final Path data;
  private final FileChannel values;
  private final ObjectNode header = new ObjectMapper().createObjectNode();
  private final ByteBuffer buffer =
      ByteBuffer.allocate(Float.BYTES * BUFFER_FLOATS).order(ByteOrder.LITTLE_ENDIAN);
  private long end;

  LogitsFile(Path file) throws IOException {
    this.file = file;
    this.data = beside(".data");
    this.values =
        FileChannel.open(
            data,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE);
  }

  private Path beside(String ending) {
    return file.resolveSibling(file.getFileName() + ending);
  }

  /** Adds {@code logits.line}, (tokens, logits / tokens). */
  void add(int line, int tokens, float[] logits) throws IOException {
    long begin = end;
    end += (long) Float.BYTES * logits.length;
    ObjectNode tensor = header.putObject("logits." + line);
    tensor.put("dtype", "F32");
    tensor.putArray("shape").add(tokens).add(logits.length / tokens);
    tensor.putArray("data_offsets").add(begin).add(end);
    int count;
    for (int done = 0; done < logits.length; done += count) {
      count = Math.min(BUFFER_FLOATS, logits.length - done);
      buffer.clear();
      buffer.asFloatBuffer().put(logits, done, count);
      drain(buffer.limit(Float.BYTES * count), values);
    }
  }

  /** Writes the file. */
  void finish() throws IOException {
    // The data begin at a multiple of 8 bytes: the format allows spaces after the header.
    StringBuilder text = new StringBuilder(header.toString());
    while (text.length() % 8 != 0) {
      text.append(' ');
    }
    byte[] bytes = text.toString().getBytes(StandardCharsets.US_ASCII);
    Path unfinished = beside(".part");
    try (FileChannel out =
        FileChannel.open(
            unfinished,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      ByteBuffer length = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
      drain(length.putLong(bytes.length).flip(), out);
      drain(ByteBuffer.wrap(bytes), out);
      for (long done = 0; done < end; ) {
        done += values.transferTo(done, end - done, out);
      }
    }
    Files.move(unfinished, file, StandardCopyOption.REPLACE_EXISTING);
  }

  private static void drain(ByteBuffer buffer, FileChannel out) throws IOException {
    while (buffer.hasRemaining()) {
      out.write(buffer);
    }
  }

  /** Removes what was kept beside the file. */
  @Override
  public void close() throws IOException {
    values.close();
    Files.deleteIfExists(data);
  }
}
