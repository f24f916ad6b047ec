package org.cliffwatch.jobs;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * A checkpoint of random weights with a byte tokenizer, and items to ask it: made in milliseconds.
 */
public final class TinyWorld {
  private static final int HIDDEN = 32;
  private static final int FEED_FORWARD = 48;
  private static final int LAYERS = 2;
  private static final int VOCABULARY = 256;

  private TinyWorld() {}

  /** A Llama with its weights drawn from the seed. */
  public static Path checkpoint(Path folder, long seed) throws IOException {
    Files.createDirectories(folder);
    Files.writeString(
        folder.resolve("config.json"),
        String.format(
            Locale.ROOT,
            """
        {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": %d,
         "intermediate_size": %d, "num_hidden_layers": %d, "num_attention_heads": 4,
         "num_key_value_heads": 2, "vocab_size": %d, "max_position_embeddings": 256,
         "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
         "tie_word_embeddings": false}
        """,
            HIDDEN,
            FEED_FORWARD,
            LAYERS,
            VOCABULARY));
    Files.writeString(folder.resolve("tokenizer.json"), tokenizer());
    Files.write(folder.resolve("model.safetensors"), safetensors(shapes(), seed));
    // Files this young are read again by every plan. Another seed is another time.
    FileTime old = FileTime.from(Instant.now().minus(Duration.ofHours(2)).plusSeconds(60L * seed));
    for (String file : List.of("config.json", "tokenizer.json", "model.safetensors")) {
      Files.setLastModifiedTime(folder.resolve(file), old);
    }
    return folder;
  }

  private static Map<String, int[]> shapes() {
    Map<String, int[]> shapes = new LinkedHashMap<>();
    shapes.put("model.embed_tokens.weight", new int[] {VOCABULARY, HIDDEN});
    for (int layer = 0; layer < LAYERS; layer++) {
      String block = "model.layers." + layer + ".";
      shapes.put(block + "input_layernorm.weight", new int[] {HIDDEN});
      shapes.put(block + "self_attn.q_proj.weight", new int[] {HIDDEN, HIDDEN});
      shapes.put(block + "self_attn.k_proj.weight", new int[] {HIDDEN / 2, HIDDEN});
      shapes.put(block + "self_attn.v_proj.weight", new int[] {HIDDEN / 2, HIDDEN});
      shapes.put(block + "self_attn.o_proj.weight", new int[] {HIDDEN, HIDDEN});
      shapes.put(block + "post_attention_layernorm.weight", new int[] {HIDDEN});
      shapes.put(block + "mlp.gate_proj.weight", new int[] {FEED_FORWARD, HIDDEN});
      shapes.put(block + "mlp.up_proj.weight", new int[] {FEED_FORWARD, HIDDEN});
      shapes.put(block + "mlp.down_proj.weight", new int[] {HIDDEN, FEED_FORWARD});
    }
    shapes.put("model.norm.weight", new int[] {HIDDEN});
    shapes.put("lm_head.weight", new int[] {VOCABULARY, HIDDEN});
    return shapes;
  }

  private static byte[] safetensors(Map<String, int[]> shapes, long seed) {
    List<String> entries = new ArrayList<>();
    int offset = 0;
    for (Map.Entry<String, int[]> tensor : shapes.entrySet()) {
      int end = offset + 4 * elements(tensor.getValue());
      String shape =
          IntStream.of(tensor.getValue())
              .mapToObj(String::valueOf)
              .collect(Collectors.joining(","));
      entries.add(
          String.format(
              Locale.ROOT,
              "\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%d,%d]}",
              tensor.getKey(),
              shape,
              offset,
              end));
      offset = end;
    }
    byte[] header = ("{" + String.join(",", entries) + "}").getBytes(StandardCharsets.UTF_8);
    ByteBuffer file =
        ByteBuffer.allocate(8 + header.length + offset).order(ByteOrder.LITTLE_ENDIAN);
    file.putLong(header.length).put(header);
    Random random = new Random(seed);
    for (int[] shape : shapes.values()) {
      for (int i = 0; i < elements(shape); i++) {
        file.putFloat(shape.length == 1 ? 1 : (float) (random.nextGaussian() * 0.3));
      }
    }
    return file.array();
  }

  private static int elements(int[] shape) {
    return IntStream.of(shape).reduce(1, (a, b) -> a * b);
  }

  /** Byte-level BPE without merges: a token a byte. */
  private static String tokenizer() {
    List<String> vocabulary = new ArrayList<>();
    int beyond = 0;
    for (int b = 0; b < VOCABULARY; b++) {
      boolean printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      int shown = printable ? b : 256 + beyond++;
      vocabulary.add(String.format(Locale.ROOT, "\"\\u%04x\":%d", shown, b));
    }
    return String.format(
        Locale.ROOT,
        """
        {"version": "1.0", "added_tokens": [], "normalizer": null, "post_processor": null,
         "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true},
         "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true},
         "model": {"type": "BPE", "dropout": null, "unk_token": null, "fuse_unk": false,
                   "vocab": {%s}, "merges": []}}
        """,
        String.join(",", vocabulary));
  }

  /** COPA items in SuperGLUE's form, a line each. */
  public static List<String> copaLines(int items) {
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < items; i++) {
      lines.add(
          String.format(
              Locale.ROOT,
              "{\"premise\": \"The lamp number %d went out.\", \"choice1\": \"The %s was empty.\","
                  + " \"choice2\": \"It was day %d.\", \"question\": \"%s\", \"label\": %d,"
                  + " \"idx\": %d}",
              i,
              i % 3 == 0 ? "oil" : "jar",
              i * i,
              i % 2 == 0 ? "cause" : "effect",
              i % 2,
              i));
    }
    return lines;
  }

  /** LAMBADA items: a text a line. */
  public static List<String> lambadaLines(int items) {
    return IntStream.range(0, items)
        .mapToObj(i -> "{\"text\": \"She had " + i + " keys and lost a key\"}")
        .toList();
  }
}
