package org.cliffwatch.quantizer.model;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.kernel.Activation;
import org.cliffwatch.quantizer.kernel.AttentionShape;
import org.cliffwatch.quantizer.kernel.Normalization;

/** GPT-Neo: GPT-2 with unscaled attention that is local in some layers. */
final class GptNeo extends Family {
  GptNeo() {
    super("gpt_neo", "transformer");
  }

  @Override
  Architecture read(ConfigFields config) {
    int hidden = config.positive("hidden_size", 2048);
    int heads = named(config, "num_attention_heads", "num_heads", 16);
    int headSize = headSize(config, "num_heads", hidden, heads);
    int positions = config.positive("max_position_embeddings", 2048);
    int window = config.positive("window_size", 256);
    Activation activation = activation(config, "activation_function", "gelu_new");
    config.flag("tie_word_embeddings", true);
    Gpt2.ignoreDropoutAndSummary(config);
    List<AttentionShape> attention = new ArrayList<>();
    for (String type : attentionTypes(config)) {
      int seen = type.equals("local") ? window : 0;
      attention.add(new AttentionShape(heads, heads, headSize, 1, seen, null, 0));
    }
    return new Architecture(
        "gpt_neo",
        config.positive("vocab_size", 50_257),
        hidden,
        hidden,
        config.positive("intermediate_size", 4 * hidden),
        new Architecture.Norm(Normalization.LAYER, epsilon(config, "layer_norm_epsilon", 1e-5)),
        Architecture.Residual.BEFORE,
        activation,
        false,
        List.copyOf(attention),
        null,
        positions,
        0,
        OptionalInt.of(positions));
  }

  /** {@code [[["global", "local"], 12]]}: a pattern and how often, several times. */
  private static List<String> attentionTypes(ConfigFields config) {
    List<String> types = new ArrayList<>();
    for (JsonNode part : config.list("attention_types")) {
      if (!part.isArray() || part.size() != 2 || !part.get(0).isArray() || !part.get(1).isInt()) {
        throw config.error(
            "attention_types", "found " + part + ", expected a list of types and a count");
      }
      for (int i = 0; i < part.get(1).intValue(); i++) {
        part.get(0).forEach(type -> types.add(type.asText()));
        if (types.size() > named(config, "num_hidden_layers", "num_layers", 24)) {
          break;
        }
      }
    }
    if (!config.has("attention_types")) {
      for (int i = 0; i < 12; i++) {
        types.addAll(List.of("global", "local"));
      }
    }
    int layers = named(config, "num_hidden_layers", "num_layers", 24);
    if (types.size() != layers) {
      throw config.error(
          "attention_types", "gives " + types.size() + " layers, expected num_layers " + layers);
    }
    for (String type : types) {
      if (!type.equals("global") && !type.equals("local")) {
        throw config.error("attention_types", "found \"" + type + "\", expected global or local");
      }
    }
    if (config.has("attention_layers") && !config.texts("attention_layers").equals(types)) {
      throw config.error("attention_layers", "is not what attention_types gives: " + types);
    }
    return types;
  }

  @Override
  Weights find(Tensors t, Architecture a, ConfigFields config) {
    int hidden = a.hidden();
    t.ignore("(transformer\\.)?h\\.\\d+\\.attn\\.attention\\.(bias|masked_bias)");
    List<Weights.Layer> layers = new ArrayList<>();
    for (int i = 0; i < a.layers(); i++) {
      String layer = "h." + i + ".";
      layers.add(
          Weights.Layer.plain(
              t.layerNorm(layer + "ln_1", hidden),
              t.projection(layer + "attn.attention.q_proj", hidden, hidden, false),
              t.projection(layer + "attn.attention.k_proj", hidden, hidden, false),
              t.projection(layer + "attn.attention.v_proj", hidden, hidden, false),
              t.projection(layer + "attn.attention.out_proj", hidden, hidden, true),
              t.layerNorm(layer + "ln_2", hidden),
              t.projection(layer + "mlp.c_fc", a.intermediate(), hidden, true),
              t.projection(layer + "mlp.c_proj", hidden, a.intermediate(), true)));
    }
    var tokens = t.tokens("wte.weight", a.vocabulary(), hidden);
    return Weights.of(
        tokens,
        t.matrix("wpe.weight", a.learnedPositions(), hidden),
        layers,
        t.layerNorm("ln_f", hidden),
        t.head("lm_head", tokens, config.flag("tie_word_embeddings", true), false));
  }
}
