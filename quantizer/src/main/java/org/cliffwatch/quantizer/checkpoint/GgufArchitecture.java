package org.cliffwatch.quantizer.checkpoint;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.stream.Collectors;
import org.cliffwatch.quantizer.InvalidInputException;

/**
 * One of llama.cpp's architectures as a family of transformers: the fields of {@code config.json}
 * that its metadata stand for, and the names of its tensors. {@code quantizer/README.md} says how
 * to add one.
 *
 * <p>A field that the converter does not write is what llama.cpp computes with, which has one value
 * for all models of an architecture; of an activation, the one of the published checkpoints.
 *
 * @param name {@code general.architecture}
 * @param modelType of the family; where files of one architecture are of several, the reader
 *     replaces it
 */
record GgufArchitecture(String name, String modelType, Reader reader) {
  /** Reads the metadata of an architecture. */
  interface Reader {
    /**
     * Writes the configuration.
     *
     * @return what the tensors are called
     */
    GgufNames read(GgufFields fields, ObjectNode config);
  }

  private static final List<GgufArchitecture> ALL =
      List.of(
          new GgufArchitecture("bloom", "bloom", GgufArchitecture::bloom),
          new GgufArchitecture("command-r", "cohere", GgufArchitecture::cohere),
          new GgufArchitecture("cohere2", "cohere2", GgufArchitecture::cohere2),
          new GgufArchitecture("falcon", "falcon", GgufArchitecture::falcon),
          new GgufArchitecture("gemma2", "gemma2", GgufArchitecture::gemma2),
          new GgufArchitecture("gemma3", "gemma3_text", GgufArchitecture::gemma3),
          new GgufArchitecture("gpt2", "gpt2", GgufArchitecture::gpt2),
          new GgufArchitecture("gptneox", "gpt_neox", GgufArchitecture::gptNeox),
          new GgufArchitecture("granite", "granite", GgufArchitecture::granite),
          new GgufArchitecture("llama", "llama", GgufArchitecture::llama),
          new GgufArchitecture("mistral3", "mistral", GgufArchitecture::mistral),
          new GgufArchitecture("olmo2", "olmo2", GgufArchitecture::olmo2),
          new GgufArchitecture("olmoe", "olmoe", GgufArchitecture::olmoe),
          new GgufArchitecture("phi3", "phi3", GgufArchitecture::phi3),
          new GgufArchitecture("qwen2", "qwen2", GgufArchitecture::qwen),
          new GgufArchitecture("qwen3", "qwen3", GgufArchitecture::qwen),
          new GgufArchitecture("qwen3moe", "qwen3_moe", GgufArchitecture::qwenWithExperts),
          new GgufArchitecture("smollm3", "smollm3", GgufArchitecture::smollm3),
          new GgufArchitecture("stablelm", "stablelm", GgufArchitecture::stableLm));

  private static final GgufNames FOLLOWING_LLAMA =
      GgufNames.of("model.layers.")
          .whole("token_embd", "model.embed_tokens")
          .whole("output_norm", "model.norm")
          .whole("output", "lm_head")
          .block("attn_norm", "input_layernorm")
          .block("attn_q", "self_attn.q_proj")
          .block("attn_k", "self_attn.k_proj")
          .block("attn_v", "self_attn.v_proj")
          .block("attn_output", "self_attn.o_proj")
          .block("attn_q_norm", "self_attn.q_norm")
          .block("attn_k_norm", "self_attn.k_norm")
          .block("ffn_norm", "post_attention_layernorm")
          .block("ffn_gate", "mlp.gate_proj")
          .block("ffn_up", "mlp.up_proj")
          .block("ffn_down", "mlp.down_proj");

  private static final GgufNames LLAMA =
      FOLLOWING_LLAMA
          .laidOut(GgufNames.Layout.ROTARY_QUERIES, "attn_q")
          .laidOut(GgufNames.Layout.ROTARY_KEYS, "attn_k");

  private static final GgufNames MIXTRAL =
      LLAMA
          .block("ffn_gate_inp", "block_sparse_moe.gate")
          .block("ffn_gate_exps", "block_sparse_moe.experts.*.w1")
          .block("ffn_down_exps", "block_sparse_moe.experts.*.w2")
          .block("ffn_up_exps", "block_sparse_moe.experts.*.w3");

  private static final GgufNames WITH_EXPERTS =
      FOLLOWING_LLAMA
          .block("ffn_gate_inp", "mlp.gate")
          .block("ffn_gate_exps", "mlp.experts.*.gate_proj")
          .block("ffn_up_exps", "mlp.experts.*.up_proj")
          .block("ffn_down_exps", "mlp.experts.*.down_proj");

  private static final GgufNames OLMO2 =
      FOLLOWING_LLAMA
          .block("post_attention_norm", "post_attention_layernorm")
          .block("post_ffw_norm", "post_feedforward_layernorm");

  private static final GgufNames GEMMA =
      OLMO2
          .block("ffn_norm", "pre_feedforward_layernorm")
          .laidOut(
              GgufNames.Layout.ONE_ADDED,
              "output_norm",
              "attn_norm",
              "attn_q_norm",
              "attn_k_norm",
              "post_attention_norm",
              "ffn_norm",
              "post_ffw_norm");

  private static final GgufNames PHI3 =
      FOLLOWING_LLAMA.block("attn_qkv", "self_attn.qkv_proj").block("ffn_up", "mlp.gate_up_proj");

  private static final GgufNames GPT2 =
      GgufNames.of("transformer.h.")
          .whole("token_embd", "transformer.wte")
          .whole("position_embd", "transformer.wpe")
          .whole("output_norm", "transformer.ln_f")
          .whole("output", "lm_head")
          .block("attn_norm", "ln_1")
          .block("attn_qkv", "attn.c_attn", GgufNames.Layout.TRANSPOSED)
          .block("attn_output", "attn.c_proj", GgufNames.Layout.TRANSPOSED)
          .block("ffn_norm", "ln_2")
          .block("ffn_up", "mlp.c_fc", GgufNames.Layout.TRANSPOSED)
          .block("ffn_down", "mlp.c_proj", GgufNames.Layout.TRANSPOSED);

  private static final GgufNames GPT_NEOX =
      GgufNames.of("gpt_neox.layers.")
          .whole("token_embd", "gpt_neox.embed_in")
          .whole("output_norm", "gpt_neox.final_layer_norm")
          .whole("output", "embed_out")
          .block("attn_norm", "input_layernorm")
          .block("attn_qkv", "attention.query_key_value", GgufNames.Layout.FUSED)
          .block("attn_output", "attention.dense")
          .block("ffn_norm", "post_attention_layernorm")
          .block("ffn_up", "mlp.dense_h_to_4h")
          .block("ffn_down", "mlp.dense_4h_to_h");

  /** With one norm for both halves. */
  private static final GgufNames FALCON =
      GgufNames.of("transformer.h.")
          .whole("token_embd", "transformer.word_embeddings")
          .whole("output_norm", "transformer.ln_f")
          .whole("output", "lm_head")
          .block("attn_norm", "input_layernorm")
          .block("attn_qkv", "self_attention.query_key_value", GgufNames.Layout.FUSED)
          .block("attn_output", "self_attention.dense")
          .block("ffn_up", "mlp.dense_h_to_4h")
          .block("ffn_down", "mlp.dense_4h_to_h");

  private static final GgufNames BLOOM =
      FALCON
          .whole("token_embd_norm", "transformer.word_embeddings_layernorm")
          .block("ffn_norm", "post_attention_layernorm");

  private static final GgufNames FALCON_TWO_NORMS =
      FALCON.block("attn_norm_2", "ln_attn").block("attn_norm", "ln_mlp");

  /**
   * The architecture that a file names.
   *
   * @throws InvalidInputException if it is none of these
   */
  static GgufArchitecture of(GgufFile file) {
    String key = "general.architecture";
    String found = file.text(key);
    return ALL.stream()
        .filter(architecture -> architecture.name.equals(found))
        .findFirst()
        .orElseThrow(
            () ->
                file.error(
                    key,
                    "found "
                        + found
                        + ", expected one of "
                        + ALL.stream()
                            .map(GgufArchitecture::name)
                            .sorted()
                            .collect(Collectors.joining(", "))));
  }

  /** The sizes of a decoder, by the names that LLaMA's followers have for them. */
  private static void sizes(GgufFields fields, ObjectNode config) {
    config.put("hidden_size", fields.hidden());
    config.put("intermediate_size", fields.positive("feed_forward_length"));
    config.put("num_hidden_layers", fields.layers());
    config.put("num_attention_heads", fields.heads());
    config.put("num_key_value_heads", fields.keyHeads());
    config.put("head_dim", fields.head());
    config.put("max_position_embeddings", fields.positive("context_length"));
    config.put("vocab_size", fields.vocabulary());
    fields.require("attention.value_length", fields.head());
    fields.require("attention.causal", true);
    // Whether the scaling was trained with; to Granite alone it is a switch.
    fields.ignore("rope.scaling.finetuned");
  }

  /** A decoder as LLaMA's. */
  private static void following(GgufFields fields, ObjectNode config) {
    sizes(fields, config);
    config.put("rms_norm_eps", fields.number("attention.layer_norm_rms_epsilon"));
    config.put("hidden_act", "silu");
    fields.require("rope.dimension_count", fields.head());
    GgufRotary.of(fields, config);
  }

  private static void withoutExperts(GgufFields fields) {
    fields.require("expert_count", 0);
    fields.require("expert_used_count", 0);
  }

  /** Says that there are biases where there are; where there are none, nothing, as published. */
  private static void attentionBias(GgufFields fields, ObjectNode config) {
    if (fields.hasTensor("blk.0.attn_q.bias")) {
      config.put("attention_bias", true);
    }
  }

  private static GgufNames llama(GgufFields fields, ObjectNode config) {
    following(fields, config);
    if (fields.count("expert_count") > 0) {
      config.put("model_type", "mixtral");
      config.put("num_local_experts", fields.count("expert_count"));
      config.put("num_experts_per_tok", fields.positive("expert_used_count"));
      return MIXTRAL;
    }
    fields.require("expert_used_count", 0);
    config.put("attention_bias", fields.hasTensor("blk.0.attn_q.bias"));
    config.put("mlp_bias", fields.hasTensor("blk.0.ffn_up.bias"));
    return LLAMA;
  }

  private static GgufNames mistral(GgufFields fields, ObjectNode config) {
    withoutExperts(fields);
    following(fields, config);
    config.putNull("sliding_window");
    return LLAMA;
  }

  private static GgufNames smollm3(GgufFields fields, ObjectNode config) {
    withoutExperts(fields);
    config.put("no_rope_layer_interval", 4);
    return llama(fields, config);
  }

  private static GgufNames granite(GgufFields fields, ObjectNode config) {
    withoutExperts(fields);
    fields.require("rope.scaling.finetuned", true);
    double scale = 1 / Math.sqrt(fields.head());
    config.put("attention_multiplier", fields.number("attention.scale", scale));
    config.put("embedding_multiplier", fields.number("embedding_scale", 1));
    config.put("residual_multiplier", fields.number("residual_scale", 1));
    config.put("logits_scaling", fields.number("logit_scale"));
    return llama(fields, config);
  }

  private static GgufNames qwen(GgufFields fields, ObjectNode config) {
    withoutExperts(fields);
    following(fields, config);
    config.put("use_sliding_window", false);
    return FOLLOWING_LLAMA;
  }

  private static GgufNames qwenWithExperts(GgufFields fields, ObjectNode config) {
    following(fields, config);
    attentionBias(fields, config);
    experts(fields, config, true);
    config.put("moe_intermediate_size", fields.positive("expert_feed_forward_length"));
    config.put("use_sliding_window", false);
    return WITH_EXPERTS;
  }

  private static GgufNames olmoe(GgufFields fields, ObjectNode config) {
    following(fields, config);
    attentionBias(fields, config);
    experts(fields, config, false);
    return WITH_EXPERTS;
  }

  private static void experts(GgufFields fields, ObjectNode config, boolean isNormalized) {
    config.put("num_experts", fields.positive("expert_count"));
    config.put("num_experts_per_tok", fields.positive("expert_used_count"));
    config.put("norm_topk_prob", isNormalized);
    fields.require("expert_gating_func", 1); // softmax
  }

  private static GgufNames olmo2(GgufFields fields, ObjectNode config) {
    following(fields, config);
    attentionBias(fields, config);
    return OLMO2;
  }

  private static GgufNames gemma2(GgufFields fields, ObjectNode config) {
    gemma(fields, config, 46);
    for (String cap : List.of("attn_logit_softcapping", "final_logit_softcapping")) {
      if (fields.has(cap)) {
        config.put(cap, fields.number(cap));
      }
    }
    config.put("sliding_window", fields.positive("attention.sliding_window", 4096));
    layerTypes(fields, config, 2);
    GgufRotary.of(fields, config);
    GgufRotary.requireOneBase(fields);
    return GEMMA;
  }

  private static GgufNames gemma3(GgufFields fields, ObjectNode config) {
    gemma(fields, config, 62);
    String cap = "final_logit_softcapping";
    if (fields.has(cap)) {
      config.put(cap, fields.number(cap));
    }
    boolean slides = fields.count("attention.sliding_window") > 0;
    if (slides) {
      config.put("sliding_window", fields.positive("attention.sliding_window"));
    }
    layerTypes(fields, config, slides ? 6 : 1);
    ObjectNode kinds = config.putObject("rope_parameters");
    ObjectNode scaling = GgufRotary.scaling(fields);
    ObjectNode full = scaling == null ? kinds.objectNode().put("rope_type", "default") : scaling;
    kinds.set("full_attention", full.put("rope_theta", GgufRotary.theta(fields)));
    kinds
        .putObject("sliding_attention")
        .put("rope_type", "default")
        .put("rope_theta", fields.number("rope.freq_base_swa", 10_000));
    return GEMMA;
  }

  /**
   * What Gemma 2 and 3 share. Attention scores are divided by √ of a head's width; in the largest
   * model, by √ of the hidden size over the heads.
   *
   * @param largest its layers
   */
  private static void gemma(GgufFields fields, ObjectNode config, int largest) {
    sizes(fields, config);
    fields.require("rope.dimension_count", fields.head());
    config.put("rms_norm_eps", fields.number("attention.layer_norm_rms_epsilon"));
    config.put("hidden_activation", "gelu_pytorch_tanh");
    attentionBias(fields, config);
    config.put(
        "query_pre_attn_scalar",
        fields.layers() == largest ? fields.hidden() / fields.heads() : fields.head());
  }

  private static void layerTypes(GgufFields fields, ObjectNode config, int pattern) {
    ArrayNode types = config.putArray("layer_types");
    for (boolean slides : fields.sliding(pattern)) {
      types.add(slides ? "sliding_attention" : "full_attention");
    }
  }

  private static GgufNames phi3(GgufFields fields, ObjectNode config) {
    withoutExperts(fields);
    sizes(fields, config);
    config.put("rms_norm_eps", fields.number("attention.layer_norm_rms_epsilon"));
    config.put("hidden_act", "silu");
    if (fields.count("attention.sliding_window") > 0) {
      config.put("sliding_window", fields.positive("attention.sliding_window"));
    }
    GgufRotary.longrope(fields, config);
    return PHI3;
  }

  private static GgufNames cohere(GgufFields fields, ObjectNode config) {
    sizes(fields, config);
    config.put("layer_norm_eps", fields.number("attention.layer_norm_epsilon"));
    config.put("logit_scale", fields.number("logit_scale"));
    config.put("hidden_act", "silu");
    fields.require("rope.dimension_count", fields.head());
    GgufRotary.requireUnscaled(fields);
    GgufRotary.of(fields, config);
    attentionBias(fields, config);
    if (fields.hasTensor("blk.0.attn_q_norm.weight")) {
      config.put("use_qk_norm", true);
    }
    return FOLLOWING_LLAMA;
  }

  private static GgufNames cohere2(GgufFields fields, ObjectNode config) {
    GgufNames names = cohere(fields, config);
    config.put("sliding_window", fields.positive("attention.sliding_window"));
    layerTypes(fields, config, 4);
    GgufRotary.requireOneBase(fields);
    return names;
  }

  private static GgufNames stableLm(GgufFields fields, ObjectNode config) {
    sizes(fields, config);
    config.put("layer_norm_eps", fields.number("attention.layer_norm_epsilon"));
    config.put("hidden_act", "silu");
    boolean oneNorm = !fields.hasTensor("blk.0.ffn_norm.weight");
    config.put("use_parallel_residual", fields.flag("use_parallel_residual", oneNorm));
    config.put("use_qkv_bias", fields.hasTensor("blk.0.attn_q.bias"));
    config.put("partial_rotary_factor", GgufRotary.part(fields));
    GgufRotary.of(fields, config);
    if (fields.hasTensor("blk.0.attn_q_norm.weight")) {
      config.put("qk_layernorm", true);
    }
    return FOLLOWING_LLAMA;
  }

  private static GgufNames gpt2(GgufFields fields, ObjectNode config) {
    config.put("n_embd", fields.hidden());
    config.put("n_layer", fields.layers());
    config.put("n_head", fields.heads());
    config.put("n_positions", fields.positive("context_length"));
    config.put("n_inner", fields.positive("feed_forward_length"));
    config.put("layer_norm_epsilon", fields.number("attention.layer_norm_epsilon"));
    config.put("activation_function", "gelu_new");
    config.put("vocab_size", fields.vocabulary());
    return GPT2;
  }

  private static GgufNames gptNeox(GgufFields fields, ObjectNode config) {
    config.put("hidden_size", fields.hidden());
    config.put("intermediate_size", fields.positive("feed_forward_length"));
    config.put("num_hidden_layers", fields.layers());
    config.put("num_attention_heads", fields.heads());
    fields.require("attention.head_count_kv", fields.heads());
    config.put("max_position_embeddings", fields.positive("context_length"));
    config.put("vocab_size", fields.vocabulary());
    config.put("layer_norm_eps", fields.number("attention.layer_norm_epsilon"));
    config.put("use_parallel_residual", fields.flag("use_parallel_residual", true));
    config.put("attention_bias", fields.hasTensor("blk.0.attn_qkv.bias"));
    // GPT-NeoX-20B's; Pythia's is the exact one.
    config.put("hidden_act", fields.layers() == 44 ? "gelu_fast" : "gelu");
    config.put("rotary_pct", GgufRotary.part(fields));
    config.put("rotary_emb_base", GgufRotary.theta(fields));
    GgufRotary.requireUnscaled(fields);
    return GPT_NEOX;
  }

  private static GgufNames bloom(GgufFields fields, ObjectNode config) {
    config.put("hidden_size", fields.hidden());
    config.put("n_layer", fields.layers());
    config.put("n_head", fields.heads());
    fields.require("attention.head_count_kv", fields.heads());
    config.put("n_inner", fields.positive("feed_forward_length"));
    config.put("layer_norm_epsilon", fields.number("attention.layer_norm_epsilon"));
    config.put("vocab_size", fields.vocabulary());
    // No limit: positions are distances, and where nothing was stated the converter has the width.
    config.put("seq_length", fields.positive("context_length"));
    return BLOOM;
  }

  private static GgufNames falcon(GgufFields fields, ObjectNode config) {
    boolean twoNorms = fields.hasTensor("blk.0.attn_norm_2.weight");
    config.put("hidden_size", fields.hidden());
    config.put("ffn_hidden_size", fields.positive("feed_forward_length"));
    config.put("num_hidden_layers", fields.layers());
    config.put("num_attention_heads", fields.heads());
    config.put("max_position_embeddings", fields.positive("context_length"));
    config.put("vocab_size", fields.vocabulary());
    config.put("layer_norm_epsilon", fields.number("attention.layer_norm_epsilon"));
    config.put("activation", "gelu");
    config.put("rope_theta", GgufRotary.theta(fields));
    GgufRotary.requireUnscaled(fields);
    fields.require("tensor_data_layout", "jploski");
    // Falcon-7B has one key head; the matrices of all others are laid out as the 40B's.
    config.put("multi_query", fields.keyHeads() == 1);
    config.put("new_decoder_architecture", fields.keyHeads() > 1);
    config.put("num_kv_heads", fields.keyHeads());
    config.put("num_ln_in_parallel_attn", twoNorms ? 2 : 1);
    return twoNorms ? FALCON_TWO_NORMS : FALCON;
  }
}
