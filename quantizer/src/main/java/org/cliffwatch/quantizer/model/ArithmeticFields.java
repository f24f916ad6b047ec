package org.cliffwatch.quantizer.model;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.kernel.Normalization;

/**
 * Fields of {@code config.json} by which the arithmetic of some decoder family of transformers is
 * another, each with the values that change nothing. Where a family does not read one, and its
 * value may change something, the checkpoint is not what the family computes. A field that is in no
 * family's arithmetic changes no score.
 */
final class ArithmeticFields {
  /**
   * The values of a field that change nothing.
   *
   * @param expected how they are described
   */
  private record Neutral(String expected, Test test) {}

  /** Whether a value changes nothing in what a family has read of a configuration. */
  private interface Test {
    boolean holds(JsonNode value, ConfigFields config, Architecture read);
  }

  /** What a factor or a width may be off by: configurations round 1/√d. */
  private static final double ROUNDING = 1e-6;

  private static final Neutral OFF =
      new Neutral("none, false or 0", (value, config, read) -> isOff(value));
  private static final Neutral ON = new Neutral("true", (value, config, read) -> isOn(value));
  private static final Neutral ONE =
      new Neutral("1", (value, config, read) -> every(value, v -> isNumber(v, 1)));
  private static final Neutral HEAD_SIZE =
      new Neutral(
          "the width of a head",
          (value, config, read) ->
              read.attention().stream().allMatch(a -> isNumber(value, a.headSize())));
  private static final Neutral KEY_HEADS =
      new Neutral(
          "the number of key and value heads",
          (value, config, read) ->
              read.attention().stream().allMatch(a -> isNumber(value, a.keyHeads())));
  private static final Neutral SCALE =
      new Neutral(
          "1/√ of the width of a head",
          (value, config, read) ->
              read.attention().stream().allMatch(a -> isNumber(value, a.scale())));
  private static final Neutral HIDDEN =
      new Neutral("the hidden size", (value, config, read) -> isNumber(value, read.hidden()));
  private static final Neutral INNER =
      new Neutral(
          "the width inside the feed-forward",
          (value, config, read) -> isNumber(value, read.intermediate()));
  private static final Neutral CHOSEN =
      new Neutral(
          "the number of experts that a row goes through",
          (value, config, read) ->
              ofExperts(value.isIntegralNumber(), read, e -> isNumber(value, e.chosen())));
  private static final Neutral EXPERT_INNER =
      new Neutral(
          "the width inside an expert",
          (value, config, read) ->
              ofExperts(value.isIntegralNumber(), read, e -> isNumber(value, e.intermediate())));
  private static final Neutral NORMALIZED =
      new Neutral(
          "true or false, as the family has it",
          (value, config, read) ->
              ofExperts(value.isBoolean(), read, e -> value.booleanValue() == e.isNormalized()));
  private static final Neutral EVERY_LAYER =
      new Neutral(
          "1: experts in every layer",
          (value, config, read) ->
              ofExperts(value.isIntegralNumber(), read, e -> isNumber(value, 1)));
  private static final Neutral SOFTMAX =
      new Neutral("softmax", (value, config, read) -> value.asText().equals("softmax"));
  private static final Neutral THETA =
      new Neutral("10000", (value, config, read) -> isNumber(value, 10_000));
  private static final Neutral FRACTION =
      new Neutral(
          "1, or the share of a head that is rotated",
          (value, config, read) ->
              isNumber(value, 1)
                  || read.rotaries().stream()
                      .anyMatch(
                          rotary ->
                              isNumber(
                                  value,
                                  (double) rotary.rotated() / read.attention().get(0).headSize())));
  private static final Neutral ROTATED =
      new Neutral(
          "what is rotated",
          (value, config, read) ->
              read.rotaries().stream().anyMatch(rotary -> isNumber(value, rotary.rotated())));
  private static final Neutral WINDOW =
      new Neutral(
          "none, or a window as long as the context",
          (value, config, read) -> seesAll(value, read));
  private static final Neutral SLIDING_WINDOW =
      new Neutral(
          "none, one that is not used, or one as long as the context",
          (value, config, read) ->
              seesAll(value, read)
                  || (config.has("use_sliding_window")
                      && isOff(config.peek("use_sliding_window"))));
  private static final Neutral FULL =
      new Neutral(
          "full_attention in every layer",
          (value, config, read) ->
              every(
                  value,
                  v -> Set.of("full_attention", "global", "attention").contains(v.asText())));
  private static final Neutral POSITIONS =
      new Neutral(
          "the family's own",
          (value, config, read) ->
              (read.rotaries().isEmpty() ? Set.of("absolute", "learned") : Set.of("rope", "rotary"))
                      .contains(value.asText())
                  || value.asText().equals("absolute")); // what every class of BERT's time says
  private static final Neutral DEFAULT_SCALING =
      new Neutral(
          "none, or the type default",
          (value, config, read) ->
              isOff(value)
                  || value.path("rope_type").asText(value.path("type").asText()).equals("default"));
  private static final Neutral NORM =
      new Neutral(
          "the family's own",
          (value, config, read) ->
              (read.norm().kind() == Normalization.RMS
                      ? Set.of("rmsnorm", "rms_norm", "rms")
                      : Set.of("layernorm", "layer_norm", "default"))
                  .contains(value.asText().toLowerCase(Locale.ROOT)));

  private static final Map<String, Neutral> NEUTRAL = new HashMap<>();

  static {
    // Soft caps and clipping: Gemma 2, Grok, DBRX, OLMo.
    add(
        OFF,
        "attn_logit_softcapping",
        "final_logit_softcapping",
        "attn_logit_softcap",
        "final_logit_softcap",
        "logit_softcapping",
        "logits_soft_cap",
        "attention_logit_cap",
        "logit_cap",
        "clip_qkv",
        "clamp_kqv");
    // Multipliers: Granite, Cohere, MiniCPM, Falcon-H1, Grok, µP.
    add(
        ONE,
        "logit_scale",
        "logits_scaling",
        "embedding_multiplier",
        "residual_multiplier",
        "lm_head_multiplier",
        "key_multiplier",
        "attention_in_multiplier",
        "attention_out_multiplier",
        "mlp_multipliers",
        "ssm_multipliers",
        "scale_emb",
        "embedding_scale",
        "embed_scale",
        "embedding_multiplier_scale",
        "output_multiplier",
        "output_multiplier_scale",
        "attn_output_multiplier",
        "residual_scale",
        "mup_attn_multiplier",
        "mup_embeddings_scale",
        "mup_output_alpha",
        "mup_width_scale",
        "mup_width_multiplier",
        "routed_scaling_factor");
    add(HIDDEN, "dim_model_base");
    add(
        OFF,
        "mup_enabled",
        "mup_use_scaling",
        "mup_scale_qk_dot_by_d",
        "scale_depth",
        "scale_embedding",
        "scale_attn_by_inverse_layer_idx",
        "attn_temperature_tuning");
    add(ON, "scale_attn_weights");
    add(HEAD_SIZE, "query_pre_attn_scalar", "head_dim", "attention_head_dim");
    add(SCALE, "attention_multiplier", "attention_scale", "attn_scale", "softmax_scale");
    // Experts, and attention of other kinds: Mixtral, Qwen 3, DeepSeek, Llama 4.
    add(
        OFF,
        "num_experts",
        "num_local_experts",
        "n_routed_experts",
        "moe_num_experts",
        "n_shared_experts",
        "num_shared_experts",
        "moe_num_shared_experts",
        "shared_expert_intermediate_size",
        "q_lora_rank",
        "kv_lora_rank",
        "qk_rope_head_dim",
        "qk_nope_head_dim",
        "attention_chunk_size",
        "multi_query",
        "use_bidirectional_attention",
        "num_sink_tokens");
    add(CHOSEN, "num_experts_per_tok");
    add(EXPERT_INNER, "moe_intermediate_size");
    add(NORMALIZED, "norm_topk_prob");
    add(EVERY_LAYER, "decoder_sparse_step", "moe_layer_freq");
    add(OFF, "mlp_only_layers", "first_k_dense_replace");
    add(SOFTMAX, "scoring_func");
    add(ONE, "n_group", "topk_group");
    add(HEAD_SIZE, "v_head_dim");
    add(ON, "is_causal");
    add(
        KEY_HEADS,
        "num_key_value_heads",
        "num_kv_heads",
        "n_head_kv",
        "multi_query_group_num",
        "num_attention_groups");
    add(SLIDING_WINDOW, "sliding_window");
    add(WINDOW, "sliding_window_size", "window_size", "attention_window");
    add(OFF, "use_sliding_window");
    add(FULL, "layer_types", "attention_layers");
    add(OFF, "sliding_window_pattern", "_sliding_window_pattern");
    // Norms, biases and how a block's halves join.
    add(NORM, "norm_type", "normalization_type", "layer_norm_type");
    add(
        OFF,
        "qk_norm",
        "use_qk_norm",
        "qk_layernorm",
        "use_qk_layernorm",
        "query_key_norm",
        "layernorm_1p",
        "apply_layernorm_1p",
        "zero_centered_gamma",
        "use_post_norm",
        "sandwich_norm",
        "normalize_embedding",
        "apply_residual_connection_post_layernorm",
        "parallel_attn",
        "use_parallel_residual",
        "new_decoder_architecture",
        "attention_bias",
        "mlp_bias",
        "qkv_bias",
        "use_qkv_bias",
        "attention_out_bias",
        "bias",
        "use_bias");
    add(ON, "do_layer_norm_before");
    add(ONE, "num_ln_in_parallel_attn");
    add(INNER, "ffn_hidden_size");
    // Positions.
    add(
        OFF,
        "alibi",
        "use_alibi",
        "use_mrope",
        "mrope_section",
        "rope_interleaved",
        "rope_interleave",
        "interleaved_rope",
        "rotary_interleaved",
        "no_rope_layer_interval");
    add(ON, "use_rope", "rotary");
    add(ONE, "no_rope_layers");
    add(FRACTION, "partial_rotary_factor", "rotary_pct", "rotary_percentage", "rope_pct");
    add(ROTATED, "rotary_dim", "rotary_ndims");
    add(
        THETA,
        "rope_theta",
        "rotary_emb_base",
        "rope_local_base_freq",
        "global_rope_theta",
        "local_rope_theta");
    add(DEFAULT_SCALING, "rope_scaling", "rope_parameters");
    add(POSITIONS, "position_embedding_type");
    // Weights that are not what they seem.
    add(OFF, "compression_config", "quantization");
  }

  private ArithmeticFields() {}

  private static void add(Neutral neutral, String... names) {
    Arrays.stream(names).forEach(name -> NEUTRAL.put(name, neutral));
  }

  /** The names of all of them. */
  static Set<String> names() {
    return Collections.unmodifiableSet(NEUTRAL.keySet());
  }

  /**
   * Whether a field is one of these.
   *
   * @param path the field, nested ones as {@code outer.inner}
   */
  static boolean contains(String path) {
    return NEUTRAL.containsKey(name(path));
  }

  private static String name(String path) {
    return path.substring(path.lastIndexOf('.') + 1);
  }

  /**
   * Refuses a field that nobody has read where its value may change the arithmetic.
   *
   * @param path the field, nested ones as {@code outer.inner}
   * @param read what the family computes
   */
  static void require(ConfigFields config, String path, JsonNode value, Architecture read) {
    Neutral neutral = NEUTRAL.get(name(path));
    if (neutral != null && !neutral.test().holds(value, config, read)) {
      throw config.mismatch(
          path,
          value,
          neutral.expected()
              + ": it changes the arithmetic of other families, and is not implemented in "
              + read.family());
    }
  }

  private static boolean isOff(JsonNode value) {
    return value.isNull()
        || value.isMissingNode()
        || (value.isBoolean() && !value.booleanValue())
        || (value.isNumber() && value.doubleValue() == 0)
        || (value.isContainerNode() && value.isEmpty());
  }

  /** Without experts, what is said of them changes nothing, if it can be said at all. */
  private static boolean ofExperts(
      boolean canBeSaid, Architecture read, Predicate<Architecture.Experts> test) {
    return canBeSaid && (read.experts() == null || test.test(read.experts()));
  }

  private static boolean seesAll(JsonNode window, Architecture read) {
    return isOff(window)
        || (window.isNumber()
            && read.contextLength().isPresent()
            && window.doubleValue() >= read.contextLength().getAsInt());
  }

  private static boolean isOn(JsonNode value) {
    return value.isBoolean() && value.booleanValue();
  }

  private static boolean isNumber(JsonNode value, double expected) {
    return value.isNumber()
        && Math.abs(value.doubleValue() - expected) <= ROUNDING * Math.abs(expected);
  }

  /** Of a list every element, else the value itself. */
  private static boolean every(JsonNode value, Predicate<JsonNode> test) {
    Stream<JsonNode> elements =
        value.isArray()
            ? StreamSupport.stream(value.spliterator(), false)
            : List.of(value).stream();
    return elements.allMatch(test);
  }
}
