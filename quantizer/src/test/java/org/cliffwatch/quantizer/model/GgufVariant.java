package org.cliffwatch.quantizer.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.StreamSupport;
import org.cliffwatch.quantizer.checkpoint.TestGguf;

/**
 * A tiny checkpoint and the GGUF file that llama.cpp's converter has made of it: {@code make.py} of
 * {@code golden/gguf}. Metadata and tensors of the file may be changed before it is written.
 */
final class GgufVariant {
  static final String[] NAMES = {
    "bloom",
    "cohere2",
    "command-r",
    "falcon-multi-query",
    "falcon-new",
    "falcon-new-one-norm",
    "gemma2",
    "gemma3",
    "gpt2",
    "gptneox",
    "gptneox-parallel",
    "granite",
    "granite-biases",
    "llama",
    "llama-biases",
    "llama-llama3",
    "llama-yarn",
    "mistral",
    "mixtral",
    "olmo2",
    "olmoe",
    "phi3",
    "phi3-longrope",
    "qwen2",
    "qwen3",
    "qwen3moe",
    "smollm3",
    "stablelm-parallel",
    "stablelm-sequential"
  };

  private static final int F32 = 0;

  /**
   * A tensor of the file.
   *
   * @param dimensions innermost first
   * @param sha256 of its bytes as the converter wrote them
   */
  record Tensor(long[] dimensions, float[] values, String sha256) {
    byte[] bytes() {
      ByteBuffer bytes =
          ByteBuffer.allocate(Float.BYTES * values.length).order(ByteOrder.LITTLE_ENDIAN);
      bytes.asFloatBuffer().put(values);
      return bytes.array();
    }
  }

  /** As Hugging Face has it. */
  final Variant original;

  final Map<String, Object> metadata = new LinkedHashMap<>();
  final Map<String, Tensor> tensors = new LinkedHashMap<>();

  private GgufVariant(Variant original, JsonNode golden) {
    this.original = original;
    for (JsonNode entry : golden.get("metadata")) {
      metadata.put(
          entry.get(0).asText(), value(entry.get(0).asText(), entry.get(1).asText(), entry.get(2)));
    }
    Map<String, float[]> weights = new HashMap<>();
    original.shapes.forEach((name, shape) -> weights.put(name, Variant.weights(name, shape)));
    for (JsonNode tensor : golden.get("gguf")) {
      long[] dimensions = longs(tensor.get("dimensions"));
      int elements = 1;
      for (long length : dimensions) {
        elements *= (int) length;
      }
      float[] values = new float[elements];
      if (tensor.has("values")) {
        for (int i = 0; i < elements; i++) {
          values[i] = tensor.get("values").get(i).floatValue();
        }
      } else {
        fill(values, tensor, weights);
      }
      tensors.put(
          tensor.get("name").asText(),
          new Tensor(dimensions, values, tensor.get("sha256").asText()));
    }
  }

  static GgufVariant of(String name) throws IOException {
    String resource = "/golden/gguf/" + name;
    try (InputStream in = GgufVariant.class.getResourceAsStream(resource + ".json")) {
      return new GgufVariant(Variant.of(resource), new ObjectMapper().readTree(in));
    }
  }

  private static Object value(String key, String type, JsonNode value) {
    return switch (type) {
      case "STRING" -> value.asText();
      case "UINT32" -> value.intValue();
      case "FLOAT32" -> value.floatValue();
      case "BOOL" -> value.booleanValue();
      default -> throw new IllegalArgumentException(key + ": " + type);
    };
  }

  /** Follows the runs: source, first element, count, stride. */
  private static void fill(float[] values, JsonNode tensor, Map<String, float[]> weights) {
    int to = 0;
    for (JsonNode run : tensor.get("runs")) {
      float[] source = weights.get(tensor.get("sources").get(run.get(0).intValue()).asText());
      for (int i = 0; i < run.get(2).intValue(); i++) {
        values[to++] =
            source[run.get(1).intValue() + i * run.get(3).intValue()]
                + tensor.path("plus").floatValue();
      }
    }
    if (to != values.length) {
      throw new IllegalArgumentException(tensor.get("name") + ": " + to + " elements");
    }
  }

  private static long[] longs(JsonNode list) {
    return StreamSupport.stream(list.spliterator(), false).mapToLong(JsonNode::longValue).toArray();
  }

  String architecture() {
    return (String) metadata.get("general.architecture");
  }

  /** Sets metadata of the architecture; null: there is none. */
  GgufVariant with(String key, Object value) {
    if (value == null) {
      metadata.remove(architecture() + "." + key);
    } else {
      metadata.put(architecture() + "." + key, value);
    }
    return this;
  }

  /** Calls the architecture otherwise. */
  void rename(String name) {
    String before = architecture();
    Map<String, Object> renamed = new LinkedHashMap<>();
    metadata.forEach(
        (key, value) -> renamed.put(key.replaceFirst("^" + before + "\\.", name + "."), value));
    metadata.clear();
    metadata.putAll(renamed);
    metadata.put("general.architecture", name);
  }

  Path write(Path file) throws IOException {
    TestGguf gguf = new TestGguf();
    for (var entry : metadata.entrySet()) {
      String key = entry.getKey();
      Object value = entry.getValue();
      if (value instanceof String text) {
        gguf.text(key, text);
      } else if (value instanceof Integer integer) {
        gguf.integer(key, integer);
      } else if (value instanceof Float number) {
        gguf.number(key, number);
      } else if (value instanceof int[] integers) {
        gguf.integers(key, integers);
      } else {
        gguf.flag(key, (Boolean) value);
      }
    }
    tensors.forEach((name, tensor) -> gguf.tensor(name, F32, tensor.bytes(), tensor.dimensions()));
    return Files.write(file, gguf.file());
  }
}
