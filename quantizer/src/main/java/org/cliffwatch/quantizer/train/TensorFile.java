package org.cliffwatch.quantizer.train;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.cliffwatch.quantizer.checkpoint.SafetensorsWriter;
import org.cliffwatch.quantizer.checkpoint.StorageType;
import org.cliffwatch.quantizer.kernel.FloatType;

/** A model's or an optimizer's tensors as a safetensors file. */
final class TensorFile {
  private TensorFile() {}

  /**
   * @param type of storage; the values are rounded to it, half to even
   * @param tensors shape and values by name, in the order in which they are stored
   */
  static void write(Path file, FloatType type, Map<String, Parameters.Tensor> tensors)
      throws IOException {
    StorageType stored =
        switch (type) {
          case FLOAT32 -> StorageType.F32;
          case BFLOAT16 -> StorageType.BF16;
          case FLOAT16 -> StorageType.F16;
        };
    List<SafetensorsWriter.Entry> entries =
        tensors.entrySet().stream()
            .map(e -> new SafetensorsWriter.Entry(e.getKey(), stored, shape(e.getValue())))
            .toList();
    try (SafetensorsWriter out = new SafetensorsWriter(file, Map.of("format", "pt"), entries)) {
      for (Parameters.Tensor tensor : tensors.values()) {
        float[] rounded = new float[tensor.values().length];
        for (int i = 0; i < rounded.length; i++) {
          rounded[i] = Lanes.round(type, tensor.values()[i]);
        }
        out.write(rounded, rounded.length);
      }
    }
  }

  private static long[] shape(Parameters.Tensor tensor) {
    return IntStream.of(tensor.shape()).asLongStream().toArray();
  }

  /** Tensors by name, in order. */
  static Map<String, Parameters.Tensor> byName(List<Parameters.Tensor> tensors) {
    Map<String, Parameters.Tensor> byName = new LinkedHashMap<>();
    tensors.forEach(tensor -> byName.put(tensor.name(), tensor));
    return byName;
  }
}
