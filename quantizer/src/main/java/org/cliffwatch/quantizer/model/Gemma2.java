package org.cliffwatch.quantizer.model;

import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.kernel.Activation;
import org.cliffwatch.quantizer.kernel.LogitTransform;

/**
 * Gemma 2: LLaMA with norms around attention and feed-forward whose weights are 1 + w, embeddings
 * multiplied by √ of the hidden size, soft caps of attention scores and logits, and a sliding
 * window in every second layer, of {@code modeling_gemma2.py}.
 */
class Gemma2 extends Llama {
  Gemma2() {
    this("gemma2");
  }

  Gemma2(String modelType) {
    super(modelType);
  }

  @Override
  Architecture read(ConfigFields config) {
    // hidden_activation counts; the window's second name and the cache's kind are early releases'.
    config.ignore("hidden_act", "sliding_window_size", "cache_implementation");
    return super.read(config);
  }

  @Override
  int defaultContextLength() {
    return 8192;
  }

  @Override
  int defaultKeyHeads(int heads) {
    return 4;
  }

  @Override
  int defaultHeadSize(ConfigFields config, int hidden, int heads) {
    return 256;
  }

  @Override
  Biases biases(ConfigFields config) {
    return Biases.ofAttention(config);
  }

  @Override
  boolean tied(ConfigFields config) {
    return config.flag("tie_word_embeddings", true);
  }

  @Override
  Activation activation(ConfigFields config) {
    return activation(config, "hidden_activation", "gelu_pytorch_tanh");
  }

  @Override
  float attentionScale(ConfigFields config, int headSize) {
    double scalar = config.number("query_pre_attn_scalar", 256);
    config.require("query_pre_attn_scalar", scalar > 0, "a positive number");
    return (float) (1 / Math.sqrt(scalar));
  }

  /** What a soft cap is where the configuration does not state it; 0: none. */
  float defaultSoftCap(String field) {
    return field.equals("attn_logit_softcapping") ? 50 : 30;
  }

  private float softCap(ConfigFields config, String field) {
    double cap = config.number(field, config.isNull(field) ? 0 : defaultSoftCap(field));
    config.require(field, cap > 0 || !config.has(field), "a positive number, or null");
    return (float) cap;
  }

  @Override
  float attentionSoftCap(ConfigFields config) {
    return softCap(config, "attn_logit_softcapping");
  }

  @Override
  Architecture.Multipliers multipliers(ConfigFields config) {
    float embedding = (float) Math.sqrt(config.positive("hidden_size"));
    float softCap = softCap(config, "final_logit_softcapping");
    return new Architecture.Multipliers(embedding, true, 1, new LogitTransform(1, softCap));
  }

  /** Whether the layer sees a window of keys. */
  boolean slides(ConfigFields config, int layer) {
    return slides(config, layer, (layer + 1) % 2 != 0);
  }

  @Override
  int window(ConfigFields config, int layer) {
    return window(config, slides(config, layer));
  }

  /** RMSNorm whose weights are 1 + w. */
  @Override
  Weights.Norm norm(Tensors t, String name, int width) {
    return t.rmsNorm(name, width, 1);
  }

  @Override
  Weights.Norms norms(Tensors t, String layer, Architecture a) {
    return new Weights.Norms(
        norm(t, layer + "input_layernorm", a.hidden()),
        norm(t, layer + "post_attention_layernorm", a.hidden()),
        norm(t, layer + "pre_feedforward_layernorm", a.hidden()),
        norm(t, layer + "post_feedforward_layernorm", a.hidden()));
  }
}
