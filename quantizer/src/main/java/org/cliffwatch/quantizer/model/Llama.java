package org.cliffwatch.quantizer.model;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.OptionalInt;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.kernel.Activation;
import org.cliffwatch.quantizer.kernel.AttentionShape;
import org.cliffwatch.quantizer.kernel.Normalization;

/** LLaMA 1–3, SmolLM, TinyLlama and many more: RMSNorm, rotary, grouped queries, gated SiLU. */
class Llama extends Family {
  private static final double THETA = 10_000;

  Llama() {
    this("llama");
  }

  /** For families that differ from this one in a few fields. */
  Llama(String modelType) {
    super(modelType, "model");
  }

  /** What this family's configuration class has where a field is absent. */
  int defaultContextLength() {
    return 2048;
  }

  int defaultKeyHeads(int heads) {
    return heads;
  }

  int defaultHeadSize(ConfigFields config, int hidden, int heads) {
    return headSize(config, "num_attention_heads", hidden, heads);
  }

  /** Whether query, key and value have biases. */
  boolean queryBias(ConfigFields config) {
    return config.flag("attention_bias", false);
  }

  boolean attentionOutputBias(ConfigFields config) {
    return config.flag("attention_bias", false);
  }

  boolean feedForwardBias(ConfigFields config) {
    return config.flag("mlp_bias", false);
  }

  /** Keys a row of the layer sees; 0: all. */
  int window(ConfigFields config, int layer) {
    return 0;
  }

  @Override
  Architecture read(ConfigFields config) {
    int hidden = config.positive("hidden_size");
    int heads = config.positive("num_attention_heads");
    int keyHeads =
        config.positive(
            "num_key_value_heads",
            config.isNull("num_key_value_heads") ? heads : defaultKeyHeads(heads));
    if (heads % keyHeads != 0) {
      throw config.error(
          "num_key_value_heads",
          "found " + keyHeads + ", expected a divisor of num_attention_heads " + heads);
    }
    int headSize =
        config.has("head_dim")
            ? config.positive("head_dim")
            : defaultHeadSize(config, hidden, heads);
    int context = config.positive("max_position_embeddings", defaultContextLength());
    Activation activation = activation(config, "hidden_act", "silu");
    config.flag("tie_word_embeddings", false);
    queryBias(config);
    attentionOutputBias(config);
    feedForwardBias(config);
    // How training split the products; and marks of one converter.
    config.ignore("pretraining_tp", "is_llama_config");
    require(config, "rope_interleaved", !config.flag("rope_interleaved", false), "false");
    require(config, "use_mrope", !config.flag("use_mrope", false), "false");
    List<AttentionShape> attention = new ArrayList<>();
    for (int i = 0; i < config.positive("num_hidden_layers"); i++) {
      attention.add(
          new AttentionShape(
              heads, keyHeads, headSize, scale(headSize), window(config, i), null, 0));
    }
    return new Architecture(
        config.text("model_type"),
        config.positive("vocab_size"),
        hidden,
        hidden,
        config.positive("intermediate_size"),
        new Architecture.Norm(Normalization.RMS, epsilon(config, "rms_norm_eps", 1e-6)),
        Architecture.Residual.BEFORE,
        activation,
        true,
        Collections.unmodifiableList(attention),
        Rotary.of(config, headSize, context, config.number("rope_theta", THETA)),
        0,
        0,
        OptionalInt.of(context));
  }

  @Override
  Weights find(Tensors t, Architecture a, ConfigFields config) {
    int hidden = a.hidden();
    boolean queryBias = queryBias(config);
    boolean outputBias = attentionOutputBias(config);
    boolean feedForwardBias = feedForwardBias(config);
    t.ignore(".*\\.rotary_emb\\.inv_freq");
    List<Weights.Layer> layers = new ArrayList<>();
    for (int i = 0; i < a.layers(); i++) {
      AttentionShape s = a.attention().get(i);
      int queries = s.heads() * s.headSize();
      int keys = s.keyHeads() * s.headSize();
      String layer = "layers." + i + ".";
      layers.add(
          new Weights.Layer(
              t.rmsNorm(layer + "input_layernorm", hidden),
              t.projection(layer + "self_attn.q_proj", queries, hidden, queryBias),
              t.projection(layer + "self_attn.k_proj", keys, hidden, queryBias),
              t.projection(layer + "self_attn.v_proj", keys, hidden, queryBias),
              t.projection(layer + "self_attn.o_proj", hidden, queries, outputBias),
              headNorm(t, layer + "self_attn.q_norm", s.headSize()),
              headNorm(t, layer + "self_attn.k_norm", s.headSize()),
              t.rmsNorm(layer + "post_attention_layernorm", hidden),
              t.projection(layer + "mlp.gate_proj", a.intermediate(), hidden, feedForwardBias),
              t.projection(layer + "mlp.up_proj", a.intermediate(), hidden, feedForwardBias),
              t.projection(layer + "mlp.down_proj", hidden, a.intermediate(), feedForwardBias)));
    }
    var tokens = t.tokens("embed_tokens.weight", a.vocabulary(), hidden);
    return Weights.of(
        tokens,
        null,
        layers,
        t.rmsNorm("norm", hidden),
        t.head("lm_head", tokens, config.flag("tie_word_embeddings", false), false));
  }

  /** The normalization of every head's queries or keys, where a family has it. */
  Weights.Norm headNorm(Tensors t, String name, int headSize) {
    return null;
  }
}
