package org.cliffwatch.quantizer.train;

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
import java.util.List;
import java.util.Map;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.Half;

/** Writes tensors as a safetensors file; the same tensors give the same bytes. */
final class SafetensorsWriter {
  private static final ObjectMapper JSON = new ObjectMapper();

  private SafetensorsWriter() {}

  /**
   * @param type of storage; the values are rounded to it, half to even
   * @param tensors shape and values by name, in the order in which they are stored
   */
  static void write(Path file, FloatType type, Map<String, Parameters.Tensor> tensors)
      throws IOException {
    int width = type == FloatType.FLOAT32 ? 4 : 2;
    ObjectNode header = JSON.createObjectNode();
    header.putObject("__metadata__").put("format", "pt");
    long at = 0;
    for (Map.Entry<String, Parameters.Tensor> tensor : tensors.entrySet()) {
      ObjectNode entry = header.putObject(tensor.getKey());
      entry.put("dtype", dtype(type));
      ArrayNode shape = entry.putArray("shape");
      for (int dimension : tensor.getValue().shape()) {
        shape.add(dimension);
      }
      long end = at + (long) width * tensor.getValue().values().length;
      entry.putArray("data_offsets").add(at).add(end);
      at = end;
    }
    byte[] head = JSON.writeValueAsString(header).getBytes(StandardCharsets.UTF_8);
    int padded = (head.length + 7) / 8 * 8;
    ByteBuffer start = ByteBuffer.allocate(8 + padded).order(ByteOrder.LITTLE_ENDIAN);
    start.putLong(padded).put(head);
    while (start.hasRemaining()) {
      start.put((byte) ' ');
    }
    try (OutputStream out = Files.newOutputStream(file)) {
      out.write(start.array());
      for (Parameters.Tensor tensor : tensors.values()) {
        out.write(bytes(type, tensor.values()));
      }
    }
  }

  private static byte[] bytes(FloatType type, float[] values) {
    int width = type == FloatType.FLOAT32 ? 4 : 2;
    ByteBuffer bytes =
        ByteBuffer.allocate(Math.multiplyExact(width, values.length))
            .order(ByteOrder.LITTLE_ENDIAN);
    for (float value : values) {
      float rounded = Lanes.round(type, value);
      switch (type) {
        case FLOAT32 -> bytes.putFloat(rounded);
        case BFLOAT16 -> bytes.putShort((short) (Float.floatToRawIntBits(rounded) >>> 16));
        case FLOAT16 -> bytes.putShort(Half.bits(rounded));
      }
    }
    return bytes.array();
  }

  private static String dtype(FloatType type) {
    return switch (type) {
      case FLOAT32 -> "F32";
      case BFLOAT16 -> "BF16";
      case FLOAT16 -> "F16";
    };
  }

  /** Tensors by name, in order. */
  static Map<String, Parameters.Tensor> byName(List<Parameters.Tensor> tensors) {
    Map<String, Parameters.Tensor> byName = new java.util.LinkedHashMap<>();
    tensors.forEach(tensor -> byName.put(tensor.name(), tensor));
    return byName;
  }
}
