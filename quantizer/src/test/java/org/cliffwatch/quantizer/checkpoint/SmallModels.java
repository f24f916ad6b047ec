package org.cliffwatch.quantizer.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Checkpoints of a few kilobytes with everything in them that a real one has. */
public final class SmallModels {
  /** Of the models below; as many as {@link #tokens} gives, so that tokenizer and embedding fit. */
  static final int VOCABULARY = 280;

  static final int HIDDEN = 64;

  private SmallModels() {}

  static String config() {
    return """
        {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 64,
         "intermediate_size": 96, "num_hidden_layers": 1, "num_attention_heads": 4,
         "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 281, "hidden_act": "silu",
         "max_position_embeddings": 128, "rms_norm_eps": 1e-05, "tie_word_embeddings": true,
         "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"},
         "attention_bias": false, "mlp_bias": false, "bos_token_id": 256, "eos_token_id": 257}
        """;
  }

  static String tokenizerConfig() {
    return """
        {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>",
         "eos_token": {"content": "</s>", "lstrip": false}, "model_max_length": 128}
        """;
  }

  /** Byte-level BPE: 256 bytes, two special tokens, 22 merged pairs. */
  public static String tokenizer() {
    List<String> tokens = tokens();
    StringBuilder vocabulary = new StringBuilder();
    for (int id = 0; id < tokens.size(); id++) {
      vocabulary.append(id == 0 ? "" : ", ").append(quoted(tokens.get(id))).append(": ").append(id);
    }
    StringBuilder merges = new StringBuilder();
    for (String merge : merges()) {
      String[] parts = merge.split(" ", -1);
      merges
          .append(merges.length() == 0 ? "" : ", ")
          .append("[" + quoted(parts[0]) + ", " + quoted(parts[1]) + "]");
    }
    return """
        {"version": "1.0", "padding": null,
         "truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst",
          "stride": 0},
         "added_tokens": [
          {"id": 256, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false,
           "normalized": false, "special": true},
          {"id": 280, "content": "<extra>", "single_word": true, "lstrip": true, "rstrip": true,
           "normalized": true, "special": false}],
         "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"},
          {"type": "Replace", "pattern": {"String": "``"}, "content": "''"}]},
         "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
          {"type": "Split", "pattern": {"Regex": "%s"}, "behavior": "Isolated", "invert": false},
          {"type": "Digits", "individual_digits": true},
          {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
           "use_regex": false}]},
         "post_processor": {"type": "TemplateProcessing",
          "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
           {"Sequence": {"id": "A", "type_id": 0}}],
          "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
          "special_tokens": {"<s>": {"id": "<s>", "ids": [256], "tokens": ["<s>"]}}},
         "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true,
          "use_regex": true},
         "model": {"type": "BPE", "dropout": null, "unk_token": null,
          "continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": false,
          "byte_fallback": false, "ignore_merges": false, "vocab": {%s}, "merges": [%s]}}
        """
        .formatted(
            " ?\\\\p{L}+|\\\\p{N}{1,3}| ?[^\\\\s\\\\p{L}]+|\\\\s+(?!\\\\S)|\\\\s+",
            vocabulary,
            merges);
  }

  static byte[] safetensors() throws IOException {
    return TestTensor.file(tensors());
  }

  /** A folder with everything in one file of weights. */
  public static Path folder(Path folder) throws IOException {
    Files.createDirectories(folder);
    Files.writeString(folder.resolve("config.json"), config());
    Files.write(folder.resolve("model.safetensors"), safetensors());
    Files.writeString(folder.resolve("tokenizer.json"), tokenizer());
    Files.writeString(folder.resolve("tokenizer_config.json"), tokenizerConfig());
    return folder;
  }

  /** The same in two shards. */
  static Path sharded(Path folder) throws IOException {
    folder(folder);
    Files.delete(folder.resolve("model.safetensors"));
    Map<String, TestTensor> first = new LinkedHashMap<>();
    Map<String, TestTensor> second = new LinkedHashMap<>();
    StringBuilder index = new StringBuilder();
    tensors()
        .forEach(
            (name, tensor) -> {
              boolean early = first.size() < 5;
              (early ? first : second).put(name, tensor);
              index
                  .append(index.length() == 0 ? "" : ",\n")
                  .append("\"" + name + "\": \"" + shard(early ? 1 : 2) + "\"");
            });
    TestTensor.write(folder.resolve(shard(1)), first);
    TestTensor.write(folder.resolve(shard(2)), second);
    Files.writeString(
        folder.resolve("model.safetensors.index.json"),
        "{\"metadata\": {\"total_size\": 1}, \"weight_map\": {" + index + "}}");
    return folder;
  }

  static String shard(int number) {
    return "model-0000" + number + "-of-00002.safetensors";
  }

  /** A llama in blocks of every type that has 32 elements, with a byte-level vocabulary. */
  public static byte[] gguf() {
    TestGguf gguf =
        new TestGguf()
            .text("general.architecture", "llama")
            .integer("llama.block_count", 1)
            .integer("llama.context_length", 128)
            .integer("llama.embedding_length", HIDDEN)
            .integer("llama.feed_forward_length", 96)
            .integer("llama.attention.head_count", 4)
            .integer("llama.attention.head_count_kv", 2)
            .integer("llama.rope.dimension_count", 16)
            .number("llama.rope.freq_base", 10000)
            .number("llama.attention.layer_norm_rms_epsilon", 1e-5f)
            .text("tokenizer.ggml.model", "gpt2")
            .text("tokenizer.ggml.pre", "llama-bpe")
            .texts("tokenizer.ggml.tokens", tokens())
            .integers("tokenizer.ggml.token_type", types())
            .texts("tokenizer.ggml.merges", merges())
            .integer("tokenizer.ggml.bos_token_id", 256)
            .integer("tokenizer.ggml.eos_token_id", 257);
    return gguf.tensor("token_embd.weight", 8, blocks(34, 2 * VOCABULARY), HIDDEN, VOCABULARY)
        .tensor("output_norm.weight", 0, floats(HIDDEN), HIDDEN)
        .tensor("blk.0.attn_norm.weight", 0, floats(HIDDEN), HIDDEN)
        .tensor("blk.0.ffn_norm.weight", 0, floats(HIDDEN), HIDDEN)
        .tensor("blk.0.attn_q.weight", 2, blocks(18, 128), HIDDEN, HIDDEN)
        .tensor("blk.0.attn_k.weight", 3, blocks(20, 64), HIDDEN, 32)
        .tensor("blk.0.attn_v.weight", 6, blocks(22, 64), HIDDEN, 32)
        .tensor("blk.0.attn_output.weight", 7, blocks(24, 128), HIDDEN, HIDDEN)
        .tensor("blk.0.ffn_gate.weight", 1, halves(HIDDEN * 96), HIDDEN, 96)
        .tensor("blk.0.ffn_up.weight", 30, halves(HIDDEN * 96), HIDDEN, 96)
        .tensor("blk.0.ffn_down.weight", 8, blocks(34, 192), 96, HIDDEN)
        .file();
  }

  /** The printable stand-ins of the 256 bytes as GPT-2 has them, special tokens, merged pairs. */
  static List<String> tokens() {
    List<String> tokens = new ArrayList<>();
    int next = 256;
    for (int b = 0; b < 256; b++) {
      boolean printable = (b > 32 && b < 127) || (b > 160 && b != 173);
      tokens.add(Character.toString(printable ? b : next++));
    }
    tokens.add("<s>");
    tokens.add("</s>");
    for (String merge : merges()) {
      tokens.add(merge.replace(" ", ""));
    }
    return tokens;
  }

  private static int[] types() {
    int[] types = new int[VOCABULARY];
    Arrays.fill(types, 1);
    types[256] = 3;
    types[257] = 3;
    return types;
  }

  private static List<String> merges() {
    List<String> merges = new ArrayList<>();
    for (char c = 'a'; c < 'a' + 22; c++) {
      merges.add("Ġ " + c);
    }
    return merges;
  }

  private static Map<String, TestTensor> tensors() {
    Map<String, TestTensor> tensors = new LinkedHashMap<>();
    String block = "model.layers.0.";
    put(tensors, "model.embed_tokens.weight", "F16", VOCABULARY + 1, HIDDEN);
    put(tensors, "model.norm.weight", "F32", HIDDEN);
    put(tensors, block + "input_layernorm.weight", "F32", HIDDEN);
    put(tensors, block + "post_attention_layernorm.weight", "BF16", HIDDEN);
    put(tensors, block + "self_attn.q_proj.weight", "BF16", HIDDEN, HIDDEN);
    put(tensors, block + "self_attn.k_proj.weight", "F32", 32, HIDDEN);
    put(tensors, block + "self_attn.v_proj.weight", "F16", 32, HIDDEN);
    put(tensors, block + "self_attn.o_proj.weight", "F32", HIDDEN, HIDDEN);
    put(tensors, block + "mlp.gate_proj.weight", "F32", 96, HIDDEN);
    put(tensors, block + "mlp.up_proj.weight", "F32", 96, HIDDEN);
    put(tensors, block + "mlp.down_proj.weight", "F32", HIDDEN, 96);
    return tensors;
  }

  private static void put(
      Map<String, TestTensor> tensors, String name, String type, long... shape) {
    int elements = 1;
    for (long length : shape) {
      elements *= (int) length;
    }
    byte[] bytes = type.equals("F32") ? floats(elements) : halves(elements);
    tensors.put(name, new TestTensor(type, shape, bytes));
  }

  private static byte[] floats(int count) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * count).order(ByteOrder.LITTLE_ENDIAN);
    Random random = new Random(count);
    for (int i = 0; i < count; i++) {
      bytes.putFloat((float) random.nextGaussian() / 8);
    }
    return bytes.array();
  }

  /** Bits that are small numbers in both 16-bit types. */
  private static byte[] halves(int count) {
    ByteBuffer bytes = ByteBuffer.allocate(2 * count).order(ByteOrder.LITTLE_ENDIAN);
    Random random = new Random(count);
    for (int i = 0; i < count; i++) {
      bytes.putShort((short) (0x2000 + random.nextInt(0x1000) + (random.nextInt(2) << 15)));
    }
    return bytes.array();
  }

  /** Blocks of random codes that begin with scales of 1. */
  private static byte[] blocks(int size, int count) {
    byte[] bytes = new byte[size * count];
    new Random(size).nextBytes(bytes);
    for (int i = 0; i < count; i++) {
      for (int half = 0; half < (size == 20 || size == 24 ? 2 : 1); half++) {
        bytes[i * size + 2 * half] = 0;
        bytes[i * size + 2 * half + 1] = 0x3c;
      }
    }
    return bytes;
  }

  private static String quoted(String text) {
    StringBuilder quoted = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      if (c == '"' || c == '\\') {
        quoted.append('\\');
      }
      quoted.append(c);
    }
    return quoted.append('"').toString();
  }
}
