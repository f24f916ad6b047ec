package org.cliffwatch.quantizer.model;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.Random;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.checkpoint.JsonDamage;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Configurations damaged at random are refused by naming the file, or read, in little memory. */
class DamagedConfigsTest {
  private static final int COUNT = 1000;

  /** 2^14 layers take a megabyte or two. */
  private static final long MAX_ALLOCATION = 16L << 20;

  private static final long SEED = Long.getLong("cliffwatch.damage.seed", 20_261_123);
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  @ParameterizedTest
  @Timeout(120)
  @ValueSource(
      strings = {
        """
        {"model_type": "llama", "hidden_size": 64, "intermediate_size": 96, "vocab_size": 256,
         "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
         "head_dim": 16, "max_position_embeddings": 128, "rms_norm_eps": 1e-05,
         "hidden_act": "silu", "tie_word_embeddings": false, "attention_bias": false,
         "rope_parameters": {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0,
          "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 64}}
        """,
        """
        {"model_type": "mistral", "hidden_size": 64, "intermediate_size": 96, "vocab_size": 256,
         "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
         "max_position_embeddings": 128, "rms_norm_eps": 1e-05, "hidden_act": "silu",
         "sliding_window": 16, "rope_theta": 10000.0,
         "rope_scaling": {"rope_type": "yarn", "factor": 4.0,
          "original_max_position_embeddings": 32}}
        """,
        """
        {"model_type": "mixtral", "hidden_size": 64, "intermediate_size": 96, "vocab_size": 256,
         "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
         "max_position_embeddings": 128, "rms_norm_eps": 1e-05, "hidden_act": "silu",
         "sliding_window": null, "num_local_experts": 4, "num_experts_per_tok": 2,
         "output_router_logits": false, "router_aux_loss_coef": 0.02, "rope_theta": 1000000.0}
        """,
        """
        {"model_type": "qwen2", "hidden_size": 64, "intermediate_size": 96, "vocab_size": 256,
         "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
         "max_position_embeddings": 128, "rms_norm_eps": 1e-06, "hidden_act": "silu",
         "use_sliding_window": true, "sliding_window": 16, "max_window_layers": 1,
         "layer_types": ["full_attention", "sliding_attention"], "rope_theta": 1000000.0}
        """,
        """
        {"model_type": "qwen3_moe", "hidden_size": 64, "intermediate_size": 96,
         "vocab_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 128,
         "rms_norm_eps": 1e-06, "hidden_act": "silu", "use_sliding_window": false,
         "sliding_window": 16, "max_window_layers": 2, "num_experts": 4,
         "num_experts_per_tok": 2, "moe_intermediate_size": 32, "norm_topk_prob": true,
         "decoder_sparse_step": 1, "mlp_only_layers": [1], "router_aux_loss_coef": 0.001,
         "rope_theta": 1000000.0}
        """,
        """
        {"model_type": "gpt2", "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 128,
         "n_inner": null, "vocab_size": 256, "activation_function": "gelu_new",
         "layer_norm_epsilon": 1e-05, "scale_attn_weights": true,
         "scale_attn_by_inverse_layer_idx": true}
        """,
        """
        {"model_type": "gpt_neo", "hidden_size": 64, "num_layers": 4, "num_heads": 4,
         "max_position_embeddings": 128, "window_size": 8, "vocab_size": 256,
         "activation_function": "gelu_new", "layer_norm_epsilon": 1e-05,
         "attention_types": [[["global", "local"], 2]],
         "attention_layers": ["global", "local", "global", "local"]}
        """,
        """
        {"model_type": "gptj", "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 128,
         "rotary_dim": 8, "vocab_size": 256, "activation_function": "gelu_new",
         "layer_norm_epsilon": 1e-05, "tie_word_embeddings": false}
        """,
        """
        {"model_type": "gpt_neox", "hidden_size": 64, "intermediate_size": 256,
         "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 128,
         "rotary_pct": 0.25, "rotary_emb_base": 10000, "use_parallel_residual": true,
         "hidden_act": "gelu", "layer_norm_eps": 1e-05, "vocab_size": 256}
        """,
        """
        {"model_type": "granite", "hidden_size": 64, "intermediate_size": 96, "vocab_size": 256,
         "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
         "max_position_embeddings": 128, "rms_norm_eps": 1e-05, "hidden_act": "silu",
         "embedding_multiplier": 12.0, "residual_multiplier": 0.22,
         "attention_multiplier": 0.015625, "logits_scaling": 8.0, "rope_theta": 10000.0}
        """,
        """
        {"model_type": "phi3", "hidden_size": 32, "intermediate_size": 96, "vocab_size": 256,
         "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
         "max_position_embeddings": 128, "original_max_position_embeddings": 64,
         "rms_norm_eps": 1e-05, "hidden_act": "silu", "sliding_window": 16,
         "rope_theta": 10000.0, "rope_scaling": {"type": "su",
          "short_factor": [1.0, 1.25, 1.5, 2.0], "long_factor": [1.5, 3.0, 5.0, 9.0]}}
        """,
        """
        {"model_type": "olmo2", "hidden_size": 64, "intermediate_size": 96, "vocab_size": 256,
         "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
         "max_position_embeddings": 128, "rms_norm_eps": 1e-06, "hidden_act": "silu",
         "attention_bias": false, "rope_theta": 500000}
        """,
        """
        {"model_type": "olmoe", "hidden_size": 64, "intermediate_size": 32, "vocab_size": 256,
         "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4,
         "max_position_embeddings": 128, "rms_norm_eps": 1e-05, "hidden_act": "silu",
         "clip_qkv": 8.0, "num_experts": 8, "num_experts_per_tok": 4, "norm_topk_prob": false,
         "router_aux_loss_coef": 0.01, "attention_bias": false, "rope_theta": 10000.0}
        """,
        """
        {"model_type": "smollm3", "hidden_size": 64, "intermediate_size": 96, "vocab_size": 256,
         "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
         "max_position_embeddings": 128, "rms_norm_eps": 1e-06, "hidden_act": "silu",
         "no_rope_layers": [1, 0], "no_rope_layer_interval": 2, "use_sliding_window": true,
         "sliding_window": 16, "layer_types": ["full_attention", "sliding_attention"],
         "mlp_bias": false, "rope_theta": 5000000.0}
        """,
        """
        {"model_type": "stablelm", "hidden_size": 64, "intermediate_size": 96, "vocab_size": 256,
         "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
         "max_position_embeddings": 128, "layer_norm_eps": 1e-05, "hidden_act": "silu",
         "partial_rotary_factor": 0.25, "use_qkv_bias": true, "qk_layernorm": false,
         "use_parallel_residual": false, "rope_theta": 10000}
        """,
        """
        {"model_type": "cohere", "hidden_size": 64, "intermediate_size": 96, "vocab_size": 256,
         "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
         "max_position_embeddings": 128, "layer_norm_eps": 1e-05, "hidden_act": "silu",
         "logit_scale": 0.0625, "use_qk_norm": false, "rope_theta": 8000000.0}
        """,
        """
        {"model_type": "cohere2", "hidden_size": 64, "intermediate_size": 96, "vocab_size": 256,
         "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
         "head_dim": 16, "max_position_embeddings": 128, "layer_norm_eps": 1e-05,
         "hidden_act": "silu", "logit_scale": 0.25, "position_embedding_type": "rope_gptj",
         "sliding_window": 16, "sliding_window_pattern": 4, "rope_theta": 50000}
        """,
        """
        {"model_type": "gemma2", "hidden_size": 64, "intermediate_size": 96, "vocab_size": 256,
         "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
         "head_dim": 16, "max_position_embeddings": 128, "rms_norm_eps": 1e-06,
         "hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh",
         "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0,
         "query_pre_attn_scalar": 16, "sliding_window": 16, "cache_implementation": "hybrid",
         "rope_theta": 10000.0}
        """,
        """
        {"model_type": "gemma3_text", "hidden_size": 64, "intermediate_size": 96,
         "vocab_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 128,
         "rms_norm_eps": 1e-06, "hidden_activation": "gelu_pytorch_tanh",
         "query_pre_attn_scalar": 16, "sliding_window": 16, "sliding_window_pattern": 2,
         "rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 8.0,
          "rope_theta": 1000000.0}, "sliding_attention": {"rope_theta": 10000.0}}}
        """,
        """
        {"model_type": "falcon", "hidden_size": 64, "num_hidden_layers": 2,
         "num_attention_heads": 4, "num_kv_heads": 2, "new_decoder_architecture": true,
         "multi_query": true, "parallel_attn": true, "alibi": false, "bias": false,
         "vocab_size": 256, "layer_norm_epsilon": 1e-05, "rope_theta": 10000}
        """,
        """
        {"model_type": "opt", "hidden_size": 64, "word_embed_proj_dim": 32, "ffn_dim": 256,
         "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 128,
         "do_layer_norm_before": false, "activation_function": "relu", "vocab_size": 256}
        """,
        """
        {"model_type": "bloom", "hidden_size": 64, "n_layer": 2, "n_head": 4, "vocab_size": 256,
         "layer_norm_epsilon": 1e-05, "apply_residual_connection_post_layernorm": false}
        """
      })
  void areRefusedOrRead(String sound) throws IOException {
    assertThat(outcome((ObjectNode) JSON.readTree(sound))).as("undamaged").isNull();
    Random random = new Random(SEED + sound.hashCode());
    int refused = 0;
    for (int i = 0; i < COUNT; i++) {
      ObjectNode config = (ObjectNode) JSON.readTree(sound);
      for (int edits = 1 + random.nextInt(2); edits > 0; edits--) {
        JsonDamage.edit(config, random);
      }
      String where = "seed " + SEED + " number " + i + ": " + config;
      long before = THREADS.getCurrentThreadAllocatedBytes();
      String message;
      try {
        message = outcome(config);
      } catch (RuntimeException | Error e) {
        throw new AssertionError(where, e);
      }
      assertThat(THREADS.getCurrentThreadAllocatedBytes() - before)
          .as(where)
          .isLessThan(MAX_ALLOCATION);
      if (message != null) {
        refused++;
        assertThat(message).as(where).contains("there/config.json");
      }
    }
    assertThat(refused).isBetween(COUNT / 4, COUNT - 1);
  }

  private static String outcome(ObjectNode config) {
    try {
      ConfigFields fields = ConfigFields.of("there/config.json", config);
      assertThat(Family.of(fields).architecture(fields).layers()).isPositive();
      return null;
    } catch (InvalidInputException e) {
      return e.getMessage();
    }
  }
}
