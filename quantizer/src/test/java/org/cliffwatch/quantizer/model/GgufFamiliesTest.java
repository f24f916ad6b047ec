package org.cliffwatch.quantizer.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.LongStream;
import org.cliffwatch.quantizer.checkpoint.Checkpoint;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.checkpoint.StoredTensor;
import org.cliffwatch.quantizer.checkpoint.TestGguf;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A family's checkpoint as Hugging Face has it and as GGUF has it is one model. */
class GgufFamiliesTest {
  private static final int F32 = 0;

  /** Tensor names of llama.cpp's architecture {@code qwen3}: gguf-py, {@code constants.py}. */
  private static final Map<String, String> QWEN3 =
      Map.ofEntries(
          Map.entry("model.embed_tokens", "token_embd"),
          Map.entry("model.norm", "output_norm"),
          Map.entry("lm_head", "output"),
          Map.entry("input_layernorm", "attn_norm"),
          Map.entry("self_attn.q_proj", "attn_q"),
          Map.entry("self_attn.k_proj", "attn_k"),
          Map.entry("self_attn.v_proj", "attn_v"),
          Map.entry("self_attn.o_proj", "attn_output"),
          Map.entry("self_attn.q_norm", "attn_q_norm"),
          Map.entry("self_attn.k_norm", "attn_k_norm"),
          Map.entry("post_attention_layernorm", "ffn_norm"),
          Map.entry("mlp.gate_proj", "ffn_gate"),
          Map.entry("mlp.up_proj", "ffn_up"),
          Map.entry("mlp.down_proj", "ffn_down"));

  @TempDir Path folder;

  @Test
  void qwen3() throws IOException {
    Variant variant = Variant.of("qwen3-head-norms");
    Path gguf = folder.resolve("m.gguf");
    float[] expected;
    try (Checkpoint checkpoint = Checkpoint.open(variant.write(folder.resolve("hf")))) {
      expected = logits(checkpoint, variant);
      Files.write(gguf, converted(checkpoint).file());
    }
    try (Checkpoint checkpoint = Checkpoint.open(gguf)) {
      assertThat(logits(checkpoint, variant)).isEqualTo(expected);
    }
  }

  private static TestGguf converted(Checkpoint checkpoint) {
    ConfigFields config = checkpoint.config();
    TestGguf gguf =
        new TestGguf()
            .text("general.architecture", "qwen3")
            .integer("qwen3.block_count", config.integer("num_hidden_layers"))
            .integer("qwen3.context_length", config.integer("max_position_embeddings"))
            .integer("qwen3.embedding_length", config.integer("hidden_size"))
            .integer("qwen3.feed_forward_length", config.integer("intermediate_size"))
            .integer("qwen3.attention.head_count", config.integer("num_attention_heads"))
            .integer("qwen3.attention.head_count_kv", config.integer("num_key_value_heads"))
            .integer("qwen3.attention.key_length", config.integer("head_dim"))
            .integer("qwen3.attention.value_length", config.integer("head_dim"))
            .number("qwen3.rope.freq_base", 10_000)
            .number(
                "qwen3.attention.layer_norm_rms_epsilon", (float) config.number("rms_norm_eps"));
    for (String name : checkpoint.tensorNames()) {
      StoredTensor tensor = checkpoint.tensor(name);
      float[] values = tensor.read();
      ByteBuffer bytes =
          ByteBuffer.allocate(Float.BYTES * values.length).order(ByteOrder.LITTLE_ENDIAN);
      bytes.asFloatBuffer().put(values);
      long[] shape = tensor.shape();
      long[] innermostFirst =
          LongStream.range(0, shape.length).map(d -> shape[shape.length - 1 - (int) d]).toArray();
      gguf.tensor(renamed(name), F32, bytes.array(), innermostFirst);
    }
    return gguf;
  }

  private static String renamed(String name) {
    String module = name.substring(0, name.length() - ".weight".length());
    String layers = "model.layers.";
    if (!module.startsWith(layers)) {
      return QWEN3.get(module) + ".weight";
    }
    int dot = module.indexOf('.', layers.length());
    return "blk."
        + module.substring(layers.length(), dot)
        + "."
        + QWEN3.get(module.substring(dot + 1))
        + ".weight";
  }

  private static float[] logits(Checkpoint checkpoint, Variant variant) {
    try (Decoder decoder =
        new Decoder(
            Inventory.of(checkpoint),
            Precisions.packaged().named("fp32"),
            Backends.open("reference"))) {
      return decoder.logits(variant.tokens());
    }
  }
}
