package org.cliffwatch.quantizer.kernel;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;

/** The tensors of a small safetensors file of test data. */
public final class Tensors {
  private final JsonNode header;
  private final ByteBuffer data;

  public Tensors(Path file) throws IOException {
    ByteBuffer all = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    int length = (int) all.getLong();
    header = new ObjectMapper().readTree(all.array(), 8, length);
    data = all.slice(8 + length, all.capacity() - 8 - length).order(ByteOrder.LITTLE_ENDIAN);
  }

  public int[] shape(String name) {
    JsonNode shape = tensor(name).get("shape");
    int[] sizes = new int[shape.size()];
    for (int i = 0; i < sizes.length; i++) {
      sizes[i] = shape.get(i).asInt();
    }
    return sizes;
  }

  public boolean has(String name) {
    return header.has(name);
  }

  public float[] floats(String name) {
    ByteBuffer bytes = bytes(name);
    float[] values = new float[bytes.remaining() / Float.BYTES];
    bytes.asFloatBuffer().get(values);
    return values;
  }

  public int[] ints(String name) {
    ByteBuffer bytes = bytes(name);
    int[] values = new int[bytes.remaining() / Integer.BYTES];
    bytes.asIntBuffer().get(values);
    return values;
  }

  public long[] longs(String name) {
    ByteBuffer bytes = bytes(name);
    long[] values = new long[bytes.remaining() / Long.BYTES];
    bytes.asLongBuffer().get(values);
    return values;
  }

  /** Numbers of any type, widened; bytes are signed. */
  public float[] numbers(String name) {
    ByteBuffer bytes = bytes(name);
    String type = tensor(name).get("dtype").asText();
    int width =
        switch (type) {
          case "F32", "I32" -> Integer.BYTES;
          case "F16", "BF16" -> Short.BYTES;
          case "I8", "U8" -> Byte.BYTES;
          default -> throw new IllegalArgumentException(name + " is " + type);
        };
    float[] values = new float[bytes.remaining() / width];
    for (int i = 0; i < values.length; i++) {
      values[i] =
          switch (type) {
            case "F32" -> bytes.getFloat();
            case "I32" -> bytes.getInt();
            case "F16" -> Half.widen(bytes.getShort());
            case "BF16" -> Float.intBitsToFloat(bytes.getShort() << Short.SIZE);
            case "U8" -> bytes.get() & 0xff;
            default -> bytes.get();
          };
    }
    return values;
  }

  public byte[] codes(String name) {
    ByteBuffer bytes = bytes(name);
    byte[] values = new byte[bytes.remaining()];
    bytes.get(values);
    return values;
  }

  private ByteBuffer bytes(String name) {
    JsonNode offsets = tensor(name).get("data_offsets");
    int from = offsets.get(0).asInt();
    return data.slice(from, offsets.get(1).asInt() - from).order(ByteOrder.LITTLE_ENDIAN);
  }

  private JsonNode tensor(String name) {
    if (!header.has(name)) {
      throw new IllegalArgumentException("no tensor " + name);
    }
    return header.get(name);
  }
}
