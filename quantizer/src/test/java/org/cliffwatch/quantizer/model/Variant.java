package org.cliffwatch.quantizer.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.LongStream;
import java.util.zip.CRC32;
import org.cliffwatch.quantizer.kernel.FloatType;

/**
 * A tiny checkpoint that {@code make_variants.py} has put through transformers: its configuration,
 * weights made from their tensors' names, and what transformers computed. Configuration and shapes
 * may be changed before it is written.
 */
public final class Variant {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final long GAMMA = 0x9e3779b97f4a7c15L;

  private static final Map<FloatType, String> DTYPES =
      Map.of(FloatType.FLOAT32, "F32", FloatType.FLOAT16, "F16", FloatType.BFLOAT16, "BF16");

  /** Every variant there is. */
  public static final String[] NAMES = {
    "bloom-residual-normalized",
    "bloom-six-heads",
    "cohere-biases",
    "cohere-scaled",
    "cohere2-pattern",
    "cohere2-types",
    "falcon-multi-query",
    "falcon-new",
    "falcon-new-one-norm",
    "falcon-sequential",
    "gemma2-caps",
    "gemma2-no-caps",
    "gemma3_text-two-bases",
    "gemma3_text-types",
    "gpt2-scaled-by-layer",
    "gpt2-unscaled",
    "gpt_neo-local",
    "gpt_neox-sequential",
    "gpt_neox-tied",
    "gptj-rotary",
    "granite-defaults",
    "granite-multipliers",
    "llama-biases",
    "llama-dynamic",
    "llama-linear",
    "llama-llama3",
    "llama-longrope",
    "llama-longrope-short",
    "llama-yarn",
    "llama-yarn-mscale",
    "mistral-no-window",
    "mistral-window",
    "mixtral-two-of-four",
    "mixtral-window",
    "olmo2-biases",
    "olmo2-post-norm",
    "olmoe-clipped",
    "olmoe-normalized",
    "opt-bare",
    "opt-no-final-norm",
    "opt-post-norm",
    "phi3-longrope",
    "phi3-window",
    "qwen2-window",
    "qwen3-biases",
    "qwen3-head-norms",
    "qwen3_moe-normalized",
    "qwen3_moe-some-dense",
    "qwen3_moe-sparse",
    "smollm3-interval",
    "smollm3-window",
    "stablelm-parallel",
    "stablelm-sequential"
  };

  final ObjectNode config;
  final Map<String, long[]> shapes = new LinkedHashMap<>();
  private final JsonNode golden;

  private Variant(JsonNode golden) {
    this.golden = golden;
    config = golden.get("config").deepCopy();
    golden
        .get("shapes")
        .properties()
        .forEach(
            e ->
                shapes.put(
                    e.getKey(),
                    LongStream.range(0, e.getValue().size())
                        .map(i -> e.getValue().get((int) i).longValue())
                        .toArray()));
  }

  public static Variant of(String name) throws IOException {
    try (InputStream in = Variant.class.getResourceAsStream(name + ".json")) {
      return new Variant(MAPPER.readTree(in));
    }
  }

  public int[] tokens() {
    int[] tokens = new int[golden.get("tokens").size()];
    for (int i = 0; i < tokens.length; i++) {
      tokens[i] = golden.get("tokens").get(i).intValue();
    }
    return tokens;
  }

  double logProbability(int position, int token) {
    return golden.get("log_probabilities").get(position).get(token).doubleValue();
  }

  /** With keys and values as an int8 cache keeps them; of some variants. */
  double logProbabilityWithCache(int position, int token) {
    return golden.get("kv_cache_int8").get(position).get(token).doubleValue();
  }

  public int vocabulary() {
    return golden.get("config").get("vocab_size").intValue();
  }

  /** Every width of a llama times {@code factor}: no golden, but as many weights as one likes. */
  public Variant widened(int factor) {
    for (String field : new String[] {"hidden_size", "intermediate_size", "head_dim"}) {
      config.put(field, config.get(field).intValue() * factor);
    }
    config.put("vocab_size", config.get("vocab_size").intValue() * factor);
    shapes.replaceAll((name, shape) -> LongStream.of(shape).map(n -> n * factor).toArray());
    return this;
  }

  /** Writes a Hugging Face folder with one float32 file. */
  public Path write(Path folder) throws IOException {
    return write(folder, FloatType.FLOAT32, FloatType.FLOAT32, 1);
  }

  /**
   * Writes a Hugging Face folder.
   *
   * @param rounded what the weights are rounded to
   * @param stored the type they are stored as, which holds them exactly
   * @param shards number of files; 1 has no index
   */
  public Path write(Path folder, FloatType rounded, FloatType stored, int shards)
      throws IOException {
    Files.createDirectories(folder);
    MAPPER.writeValue(folder.resolve("config.json").toFile(), config);
    ObjectNode index = MAPPER.createObjectNode();
    index.putObject("metadata");
    List<String> names = new ArrayList<>(shapes.keySet());
    for (int shard = 0; shard < shards; shard++) {
      String file =
          shards == 1
              ? "model.safetensors"
              : String.format(Locale.ROOT, "model-%05d-of-%05d.safetensors", shard + 1, shards);
      Map<String, byte[]> tensors = new LinkedHashMap<>();
      for (int i = shard; i < names.size(); i += shards) {
        String name = names.get(i);
        float[] weights = weights(name, shapes.get(name));
        for (int k = 0; k < weights.length; k++) {
          weights[k] = rounded.round(weights[k]);
        }
        tensors.put(name, bytes(weights, stored));
        index.withObject("/weight_map").put(name, file);
      }
      writeFile(folder.resolve(file), stored, tensors);
    }
    if (shards > 1) {
      MAPPER.writeValue(folder.resolve("model.safetensors.index.json").toFile(), index);
    }
    return folder;
  }

  private void writeFile(Path file, FloatType stored, Map<String, byte[]> tensors)
      throws IOException {
    ObjectNode header = MAPPER.createObjectNode();
    ByteArrayOutputStream data = new ByteArrayOutputStream();
    for (var entry : tensors.entrySet()) {
      ObjectNode tensor = header.putObject(entry.getKey());
      tensor.put("dtype", DTYPES.get(stored));
      LongStream.of(shapes.get(entry.getKey())).forEach(tensor.withArray("shape")::add);
      int end = data.size() + entry.getValue().length;
      tensor.putArray("data_offsets").add(data.size()).add(end);
      data.write(entry.getValue());
    }
    byte[] text = header.toString().getBytes(StandardCharsets.UTF_8);
    try (var out = Files.newOutputStream(file)) {
      out.write(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(text.length).array());
      out.write(text);
      data.writeTo(out);
    }
  }

  /** As {@code weights} of make_variants.py. */
  static float[] weights(String name, long[] shape) {
    CRC32 crc = new CRC32();
    crc.update(name.getBytes(StandardCharsets.UTF_8));
    int count = 1;
    for (long length : shape) {
      count *= (int) length;
    }
    boolean vector = shape.length == 1;
    float centre = vector && name.endsWith("weight") ? 1 : 0;
    float[] weights = new float[count];
    for (int i = 0; i < count; i++) {
      long z = (crc.getValue() << 32) + (i + 1) * GAMMA;
      z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
      z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
      z = z ^ (z >>> 31);
      float u = (z >>> 40) * 0x1p-23f - 1;
      weights[i] = u * (vector ? 0.25f : 0.375f) + centre;
    }
    return weights;
  }

  private static byte[] bytes(float[] values, FloatType type) {
    int width = type == FloatType.FLOAT32 ? 4 : 2;
    ByteBuffer bytes = ByteBuffer.allocate(width * values.length).order(ByteOrder.LITTLE_ENDIAN);
    for (float value : values) {
      switch (type) {
        case FLOAT32 -> bytes.putFloat(value);
        case BFLOAT16 -> bytes.putShort((short) (Float.floatToRawIntBits(value) >>> 16));
        case FLOAT16 -> bytes.putShort(float16(value));
      }
    }
    return bytes.array();
  }

  /** The binary16 bits of a value that has them. */
  private static short float16(float value) {
    int sign = value < 0 ? 0x8000 : 0;
    float magnitude = Math.abs(value);
    if (magnitude < 0x1p-14f) {
      return (short) (sign | (int) (magnitude * 0x1p24f));
    }
    int bits = Float.floatToRawIntBits(magnitude);
    return (short) (sign | ((bits - (112 << 23)) >>> 13));
  }
}
