package org.cliffwatch.quantizer.checkpoint;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.cliffwatch.quantizer.InvalidInputException;

/**
 * A GGUF file seen as the Hugging Face checkpoint it was converted from: {@code config.json},
 * tensor names, shapes and the order of rows, undoing {@code convert_hf_to_gguf.py} of
 * ggml-org/llama.cpp.
 */
final class GgufModel {
  /** Tensors of one block or of the whole model: the part of the name in GGUF → in Hugging Face. */
  private static final Map<String, String> LLAMA_NAMES =
      Map.ofEntries(
          Map.entry("token_embd", "model.embed_tokens"),
          Map.entry("output_norm", "model.norm"),
          Map.entry("output", "lm_head"),
          Map.entry("attn_norm", "input_layernorm"),
          Map.entry("attn_q", "self_attn.q_proj"),
          Map.entry("attn_k", "self_attn.k_proj"),
          Map.entry("attn_v", "self_attn.v_proj"),
          Map.entry("attn_output", "self_attn.o_proj"),
          Map.entry("attn_q_norm", "self_attn.q_norm"),
          Map.entry("attn_k_norm", "self_attn.k_norm"),
          Map.entry("ffn_norm", "post_attention_layernorm"),
          Map.entry("ffn_gate", "mlp.gate_proj"),
          Map.entry("ffn_up", "mlp.up_proj"),
          Map.entry("ffn_down", "mlp.down_proj"));

  private static final Map<String, String> GPT2_NAMES =
      Map.ofEntries(
          Map.entry("token_embd", "transformer.wte"),
          Map.entry("position_embd", "transformer.wpe"),
          Map.entry("output_norm", "transformer.ln_f"),
          Map.entry("output", "lm_head"),
          Map.entry("attn_norm", "ln_1"),
          Map.entry("attn_qkv", "attn.c_attn"),
          Map.entry("attn_output", "attn.c_proj"),
          Map.entry("ffn_norm", "ln_2"),
          Map.entry("ffn_up", "mlp.c_fc"),
          Map.entry("ffn_down", "mlp.c_proj"));

  /** GPT-2's Conv1D keeps its weights as (in, out). */
  private static final Set<String> GPT2_TRANSPOSED =
      Set.of("attn_qkv", "attn_output", "ffn_up", "ffn_down");

  private static final Pattern BLOCK =
      Pattern.compile("blk\\.(\\d{1,6})\\.([a-z_]+)\\.(weight|bias)");
  private static final Pattern WHOLE = Pattern.compile("([a-z_]+)\\.(weight|bias)");
  private static final String ROTARY_FACTORS = "rope_freqs.weight";

  private final GgufFile file;
  private final String architecture;
  private final Set<String> used = new TreeSet<>();

  GgufModel(GgufFile file) {
    this.file = file;
    this.architecture = file.text("general.architecture");
    if (!Set.of("llama", "qwen2", "qwen3", "gpt2").contains(architecture)) {
      throw file.error(
          "general.architecture",
          "found " + architecture + ", expected llama, qwen2, qwen3 or gpt2");
    }
  }

  /** What {@code config.json} said, as far as the file tells. */
  ConfigFields config() {
    ObjectNode config = JsonNodeFactory.instance.objectNode();
    config.put("model_type", architecture);
    if (architecture.equals("gpt2")) {
      gpt2(config);
    } else {
      llama(config);
    }
    config.put("tie_word_embeddings", !hasTensor("output.weight"));
    specialToken(config, "bos_token_id", "bos_token_id");
    specialToken(config, "eos_token_id", "eos_token_id");
    for (String key : file.keys()) {
      if (key.startsWith(architecture + ".") && !used.contains(key)) {
        throw file.error(key, "changes the model in a way that is not implemented");
      }
    }
    return ConfigFields.of(file.path().toString(), config);
  }

  /** Every tensor under its Hugging Face name; one we do not know keeps its own. */
  Map<String, StoredTensor> tensors() {
    Map<String, StoredTensor> tensors = new LinkedHashMap<>();
    for (GgufFile.Tensor tensor : file.tensors()) {
      if (tensor.name().equals(ROTARY_FACTORS)) {
        continue; // part of the configuration
      }
      StoredTensor stored = stored(tensor);
      if (tensors.put(stored.name(), stored) != null) {
        throw file.error("tensor " + tensor.name(), "stands for " + stored.name() + ", as another");
      }
    }
    return tensors;
  }

  private StoredTensor stored(GgufFile.Tensor tensor) {
    Matcher block = BLOCK.matcher(tensor.name());
    boolean inBlock = block.matches();
    Matcher whole = WHOLE.matcher(tensor.name());
    String part = inBlock ? block.group(2) : whole.matches() ? whole.group(1) : "";
    boolean gpt2 = architecture.equals("gpt2");
    String mapped = (gpt2 ? GPT2_NAMES : LLAMA_NAMES).get(part);
    String name = tensor.name();
    if (mapped != null && inBlock == !isWhole(part)) {
      name =
          inBlock
              ? (gpt2 ? "transformer.h." : "model.layers.")
                  + Integer.parseInt(block.group(1))
                  + "."
                  + mapped
                  + "."
                  + block.group(3)
              : mapped + "." + whole.group(2);
    }
    return new StoredTensor(
        name,
        tensor.type(),
        shape(tensor.dimensions()),
        order(tensor, part),
        tensor.file(),
        tensor.offset());
  }

  private static boolean isWhole(String part) {
    return part.startsWith("output") || part.endsWith("_embd");
  }

  private StoredTensor.Order order(GgufFile.Tensor tensor, String part) {
    if (architecture.equals("gpt2")) {
      return GPT2_TRANSPOSED.contains(part) && tensor.dimensions().length == 2
          ? StoredTensor.Order.transposing()
          : StoredTensor.Order.AS_STORED;
    }
    if (!architecture.equals("llama") || !(part.equals("attn_q") || part.equals("attn_k"))) {
      return StoredTensor.Order.AS_STORED;
    }
    long heads = part.equals("attn_q") ? heads() : keyValueHeads();
    long rows = tensor.dimensions()[tensor.dimensions().length - 1];
    if (rows % (2 * heads) != 0) {
      throw file.error(
          "tensor " + tensor.name(),
          rows + " rows, expected a multiple of 2 · " + heads + " heads");
    }
    return StoredTensor.Order.rotaryInterleaved((int) Math.min(rows / heads, Integer.MAX_VALUE));
  }

  /** Outermost dimension first. */
  private static long[] shape(long[] dimensions) {
    List<Long> shape = new ArrayList<>();
    for (long length : dimensions) {
      shape.add(length);
    }
    Collections.reverse(shape);
    return shape.stream().mapToLong(Long::longValue).toArray();
  }

  private void llama(ObjectNode config) {
    long hidden = positive("embedding_length");
    long heads = heads();
    long head = has("attention.key_length") ? positive("attention.key_length") : hidden / heads;
    config.put("hidden_size", hidden);
    config.put("intermediate_size", positive("feed_forward_length"));
    config.put("num_hidden_layers", positive("block_count"));
    config.put("num_attention_heads", heads);
    config.put("num_key_value_heads", keyValueHeads());
    config.put("head_dim", head);
    config.put("max_position_embeddings", positive("context_length"));
    config.put("rms_norm_eps", number("attention.layer_norm_rms_epsilon"));
    config.put("hidden_act", "silu");
    config.put("vocab_size", vocabularySize());
    require("rope.dimension_count", head);
    require("attention.value_length", head);
    require("expert_count", 0);
    require("expert_used_count", 0);
    double theta = has("rope.freq_base") ? number("rope.freq_base") : 10000;
    config.put("rope_theta", theta);
    rotaryScaling(config, head, theta);
    if (architecture.startsWith("qwen")) {
      config.put("use_sliding_window", false);
    } else {
      config.put("attention_bias", hasTensor("blk.0.attn_q.bias"));
      config.put("mlp_bias", hasTensor("blk.0.ffn_up.bias"));
    }
  }

  private void rotaryScaling(ObjectNode config, long head, double theta) {
    String type = has("rope.scaling.type") ? file.text(use("rope.scaling.type")) : "none";
    if (hasTensor(ROTARY_FACTORS)) {
      config.set("rope_scaling", llama3Scaling(head, theta));
      return;
    }
    switch (type) {
      case "none" -> {}
      case "linear" ->
          config
              .putObject("rope_scaling")
              .put("rope_type", "linear")
              .put("factor", number("rope.scaling.factor"));
      case "yarn" ->
          config
              .putObject("rope_scaling")
              .put("rope_type", "yarn")
              .put("factor", number("rope.scaling.factor"))
              .put(
                  "original_max_position_embeddings",
                  positive("rope.scaling.original_context_length"));
      default ->
          throw file.error(
              architecture + ".rope.scaling.type", "found " + type + ", expected linear or yarn");
    }
  }

  /**
   * The frequency factors of Llama 3 are a tensor here and four numbers in Hugging Face. Only those
   * of the released models are recognised: low_freq_factor 1, high_freq_factor 4, original length
   * 8192, and the largest factor as {@code factor}.
   */
  private ObjectNode llama3Scaling(long head, double theta) {
    double low = 1;
    double high = 4;
    double original = 8192;
    GgufFile.Tensor tensor =
        file.tensors().stream()
            .filter(t -> t.name().equals(ROTARY_FACTORS))
            .findFirst()
            .orElseThrow();
    StoredTensor stored =
        new StoredTensor(
            ROTARY_FACTORS,
            tensor.type(),
            shape(tensor.dimensions()),
            StoredTensor.Order.AS_STORED,
            tensor.file(),
            tensor.offset());
    float[] found = stored.requireShape(head / 2).read();
    double factor = 1;
    for (float value : found) {
      factor = Math.max(factor, value);
    }
    for (int i = 0; i < found.length; i++) {
      double wavelength = 2 * Math.PI * StrictMath.pow(theta, 2.0 * i / head);
      double smooth = Math.min(1, Math.max(0, (original / wavelength - low) / (high - low)));
      double expected = 1 / ((1 - smooth) / factor + smooth);
      if (Math.abs(found[i] - expected) > 1e-4 * expected) {
        throw new InvalidInputException(
            stored.where()
                + ": rotary frequency factors other than those of Llama 3 are not implemented");
      }
    }
    ObjectNode scaling = JsonNodeFactory.instance.objectNode();
    scaling.put("rope_type", "llama3");
    scaling.put("factor", Double.parseDouble(Float.toString((float) factor)));
    scaling.put("low_freq_factor", low);
    scaling.put("high_freq_factor", high);
    scaling.put("original_max_position_embeddings", (int) original);
    return scaling;
  }

  private void gpt2(ObjectNode config) {
    config.put("n_embd", positive("embedding_length"));
    config.put("n_layer", positive("block_count"));
    config.put("n_head", heads());
    config.put("n_positions", positive("context_length"));
    config.put("n_inner", positive("feed_forward_length"));
    config.put("layer_norm_epsilon", number("attention.layer_norm_epsilon"));
    config.put("activation_function", "gelu_new");
    config.put("vocab_size", vocabularySize());
  }

  private void specialToken(ObjectNode config, String field, String key) {
    String full = "tokenizer.ggml." + key;
    if (file.has(full)) {
      config.put(field, file.integer(full));
    }
  }

  /** Rows of the embedding, which may be more than the tokenizer has tokens. */
  private long vocabularySize() {
    use("vocab_size");
    for (GgufFile.Tensor tensor : file.tensors()) {
      if (tensor.name().equals("token_embd.weight") && tensor.dimensions().length == 2) {
        return tensor.dimensions()[1];
      }
    }
    throw file.error("tensor token_embd.weight", "missing, expected a matrix");
  }

  private long heads() {
    return positive("attention.head_count");
  }

  private long keyValueHeads() {
    return has("attention.head_count_kv") ? positive("attention.head_count_kv") : heads();
  }

  private void require(String name, long expected) {
    if (has(name) && file.integer(use(name)) != expected) {
      throw file.error(
          architecture + "." + name,
          "found "
              + file.integer(use(name))
              + ", expected "
              + expected
              + "; others are not implemented");
    }
  }

  private long positive(String name) {
    long value = file.integer(use(name));
    if (value < 1 || value > Integer.MAX_VALUE) {
      throw file.error(architecture + "." + name, "found " + value + ", expected at least 1");
    }
    return value;
  }

  private double number(String name) {
    return file.number(use(name));
  }

  private boolean has(String name) {
    return file.has(use(name));
  }

  private String use(String name) {
    String key = architecture + "." + name;
    used.add(key);
    return key;
  }

  private boolean hasTensor(String name) {
    return file.tensors().stream().anyMatch(t -> t.name().equals(name));
  }
}
