package org.cliffwatch.quantizer.model;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.OptionalInt;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.kernel.Activation;
import org.cliffwatch.quantizer.kernel.AttentionShape;
import org.cliffwatch.quantizer.kernel.Normalization;
import org.cliffwatch.quantizer.kernel.Projection;

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

  double defaultTheta() {
    return THETA;
  }

  /**
   * Which projections have biases.
   *
   * @param query query, key and value
   */
  record Biases(boolean query, boolean attentionOutput, boolean feedForward) {
    static final Biases NONE = new Biases(false, false, false);

    /** As {@code attention_bias} says of attention, and none of the feed-forward. */
    static Biases ofAttention(ConfigFields config) {
      boolean attention = config.flag("attention_bias", false);
      return new Biases(attention, attention, false);
    }
  }

  Biases biases(ConfigFields config) {
    boolean attention = config.flag("attention_bias", false);
    return new Biases(attention, attention, config.flag("mlp_bias", false));
  }

  /** Whether the vocabulary projection is the token embedding. */
  boolean tied(ConfigFields config) {
    return config.flag("tie_word_embeddings", false);
  }

  Architecture.Norm norm(ConfigFields config) {
    return new Architecture.Norm(Normalization.RMS, epsilon(config, "rms_norm_eps", 1e-6));
  }

  Architecture.Residual residual(ConfigFields config) {
    return Architecture.Residual.BEFORE;
  }

  Activation activation(ConfigFields config) {
    return activation(config, "hidden_act", "silu");
  }

  /** Factor on the attention scores. */
  float attentionScale(ConfigFields config, int headSize) {
    return scale(headSize);
  }

  /** As {@link AttentionShape#softCap}. */
  float attentionSoftCap(ConfigFields config) {
    return 0;
  }

  /** Keys a row of the layer sees; 0: all. */
  int window(ConfigFields config, int layer) {
    return 0;
  }

  /** Values of a head that are rotated. */
  int rotated(ConfigFields config, int headSize) {
    return headSize;
  }

  /** Whether the layer has rotary embeddings. */
  boolean rotates(ConfigFields config, int layer) {
    return true;
  }

  /** What the family makes of the rotary embeddings that a configuration states. */
  Rotary adapted(Rotary stated) {
    return stated;
  }

  /** One a layer, null where a layer has none. */
  List<Rotary> rotary(ConfigFields config, int headSize, int context) {
    double theta = config.number("rope_theta", defaultTheta());
    Rotary every = adapted(Rotary.of(config, rotated(config, headSize), context, theta));
    List<Rotary> rotary = new ArrayList<>();
    for (int i = 0; i < config.positive("num_hidden_layers"); i++) {
      rotary.add(rotates(config, i) ? every : null);
    }
    return Collections.unmodifiableList(rotary);
  }

  Architecture.Multipliers multipliers(ConfigFields config) {
    return Architecture.Multipliers.NONE;
  }

  /** As {@link Architecture#clip}. */
  float clip(ConfigFields config) {
    return 0;
  }

  /** Width inside the feed-forwards that every row goes through. */
  int intermediate(ConfigFields config) {
    return config.positive("intermediate_size");
  }

  /** Null where there are none. */
  Architecture.Experts experts(ConfigFields config) {
    return null;
  }

  /** What trains a router, or reports it. */
  static void ignoreRouterTraining(ConfigFields config) {
    config.ignore("output_router_logits", "router_aux_loss_coef", "router_jitter_noise");
  }

  /** How many of {@code count} experts a row goes through. */
  static int chosen(ConfigFields config, int count, int otherwise) {
    int chosen = config.positive("num_experts_per_tok", otherwise);
    if (chosen > count) {
      throw config.error(
          "num_experts_per_tok",
          "found " + chosen + ", expected at most the " + count + " there are");
    }
    return chosen;
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
    tied(config);
    biases(config);
    // How training split the products; and marks of one converter.
    config.ignore("pretraining_tp", "is_llama_config");
    config.require("rope_interleaved", !config.flag("rope_interleaved", false), "false");
    config.require("use_mrope", !config.flag("use_mrope", false), "false");
    float scale = attentionScale(config, headSize);
    float softCap = attentionSoftCap(config);
    List<AttentionShape> attention = new ArrayList<>();
    for (int i = 0; i < config.positive("num_hidden_layers"); i++) {
      attention.add(
          new AttentionShape(heads, keyHeads, headSize, scale, window(config, i), null, softCap));
    }
    return new Architecture(
        config.text("model_type"),
        config.positive("vocab_size"),
        hidden,
        hidden,
        intermediate(config),
        norm(config),
        residual(config),
        activation(config),
        true,
        Collections.unmodifiableList(attention),
        rotary(config, headSize, context),
        0,
        0,
        OptionalInt.of(context),
        multipliers(config),
        clip(config),
        experts(config));
  }

  @Override
  Weights find(Tensors t, Architecture a, ConfigFields config) {
    int hidden = a.hidden();
    t.ignore(".*\\.rotary_emb\\.inv_freq");
    List<Weights.Layer> layers = new ArrayList<>();
    for (int i = 0; i < a.layers(); i++) {
      layers.add(layer(t, i, a, config));
    }
    var tokens = t.tokens("embed_tokens.weight", a.vocabulary(), hidden);
    return Weights.of(
        tokens,
        null,
        layers,
        norm(t, "norm", hidden),
        t.head("lm_head", tokens, tied(config), false));
  }

  private Weights.Layer layer(Tensors t, int number, Architecture a, ConfigFields config) {
    String layer = "layers." + number + ".";
    AttentionShape s = a.attention().get(number);
    int hidden = a.hidden();
    List<Projection> attention = queryKeyValue(t, layer + "self_attn.", hidden, s, config);
    return new Weights.Layer(
        norms(t, layer, a),
        attention.get(0),
        attention.get(1),
        attention.get(2),
        t.projection(
            layer + "self_attn.o_proj",
            hidden,
            s.heads() * s.headSize(),
            biases(config).attentionOutput()),
        headNorm(t, layer + "self_attn.q_norm", s.heads(), s.headSize()),
        headNorm(t, layer + "self_attn.k_norm", s.keyHeads(), s.headSize()),
        feedForward(t, number, layer, a, config));
  }

  /** A normalization of whole rows. */
  Weights.Norm norm(Tensors t, String name, int width) {
    return t.rmsNorm(name, width);
  }

  /**
   * The norms of a block.
   *
   * @param layer what its tensors' names begin with
   */
  Weights.Norms norms(Tensors t, String layer, Architecture a) {
    return new Weights.Norms(
        norm(t, layer + "input_layernorm", a.hidden()),
        norm(t, layer + "post_attention_layernorm", a.hidden()));
  }

  /** The normalization of every head's queries or keys, where a family has it. */
  Weights.Norm headNorm(Tensors t, String name, int heads, int headSize) {
    return null;
  }

  List<Projection> queryKeyValue(
      Tensors t, String attention, int hidden, AttentionShape s, ConfigFields config) {
    int queries = s.heads() * s.headSize();
    int keys = s.keyHeads() * s.headSize();
    boolean bias = biases(config).query();
    return List.of(
        t.projection(attention + "q_proj", queries, hidden, bias),
        t.projection(attention + "k_proj", keys, hidden, bias),
        t.projection(attention + "v_proj", keys, hidden, bias));
  }

  /**
   * @param number of the layer
   * @param layer what its tensors' names begin with
   */
  Weights.FeedForward feedForward(
      Tensors t, int number, String layer, Architecture a, ConfigFields config) {
    int hidden = a.hidden();
    int inner = a.intermediate();
    List<Projection> gateUp = gateUp(t, layer + "mlp.", hidden, inner, config);
    return Weights.FeedForward.dense(
        gateUp.get(0),
        gateUp.get(1),
        t.projection(layer + "mlp.down_proj", hidden, inner, biases(config).feedForward()));
  }

  /**
   * Experts, and the router that chooses among them.
   *
   * @param mlp what their names begin with
   * @param gate what the projections of an expert are called
   */
  static Weights.FeedForward routed(
      Tensors t, String mlp, String gate, String up, String down, Architecture a) {
    int hidden = a.hidden();
    int count = a.experts().count();
    int inner = a.experts().intermediate();
    Projection router = t.projection(mlp + "gate", count, hidden, false);
    List<Weights.Expert> experts = new ArrayList<>();
    for (int e = 0; e < count; e++) {
      String expert = mlp + "experts." + e + ".";
      experts.add(
          new Weights.Expert(
              t.projection(expert + gate, inner, hidden, false),
              t.projection(expert + up, inner, hidden, false),
              t.projection(expert + down, hidden, inner, false)));
    }
    return new Weights.FeedForward(router, experts);
  }

  List<Projection> gateUp(Tensors t, String mlp, int hidden, int inner, ConfigFields config) {
    boolean bias = biases(config).feedForward();
    return List.of(
        t.projection(mlp + "gate_proj", inner, hidden, bias),
        t.projection(mlp + "up_proj", inner, hidden, bias));
  }
}
