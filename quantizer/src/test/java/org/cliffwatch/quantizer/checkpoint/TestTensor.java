package org.cliffwatch.quantizer.checkpoint;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;

/** A tensor to write to a safetensors file. */
public record TestTensor(String dtype, long[] shape, byte[] bytes) {
  public static void write(Path file, Map<String, TestTensor> tensors) throws IOException {
    Files.write(file, file(tensors));
  }

  static byte[] file(Map<String, TestTensor> tensors) throws IOException {
    StringBuilder header = new StringBuilder("{\"__metadata__\":{\"format\":\"pt\"}");
    ByteArrayOutputStream data = new ByteArrayOutputStream();
    for (Map.Entry<String, TestTensor> entry : tensors.entrySet()) {
      TestTensor tensor = entry.getValue();
      header
          .append(",\"")
          .append(entry.getKey())
          .append("\":{\"dtype\":\"")
          .append(tensor.dtype())
          .append("\",\"shape\":")
          .append(Arrays.toString(tensor.shape()))
          .append(",\"data_offsets\":[")
          .append(data.size())
          .append(',')
          .append(data.size() + tensor.bytes().length)
          .append("]}");
      data.write(tensor.bytes());
    }
    byte[] json = header.append('}').toString().getBytes(StandardCharsets.UTF_8);
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    file.write(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(json.length).array());
    file.write(json);
    data.writeTo(file);
    return file.toByteArray();
  }
}
