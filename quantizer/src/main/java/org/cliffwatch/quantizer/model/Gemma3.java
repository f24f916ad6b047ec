package org.cliffwatch.quantizer.model;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;

/**
 * Gemma 3's text models: Gemma 2 without soft caps of its own, with an RMSNorm of every head's
 * query and key, and other rotary embeddings in layers that see a window of keys than in those that
 * see all, of {@code modeling_gemma3.py}.
 */
final class Gemma3 extends Gemma2 {
  private static final double GLOBAL_THETA = 1_000_000;
  private static final double LOCAL_THETA = 10_000;

  Gemma3() {
    super("gemma3_text");
  }

  @Override
  Architecture read(ConfigFields config) {
    config.ignore("_sliding_window_pattern"); // what layer_types was made from
    return super.read(config);
  }

  @Override
  int defaultContextLength() {
    return 131_072;
  }

  /** transformers' attention is not given the cap. */
  @Override
  float attentionSoftCap(ConfigFields config) {
    config.require("attn_logit_softcapping", !config.has("attn_logit_softcapping"), "null");
    return 0;
  }

  @Override
  float defaultSoftCap(String field) {
    return 0;
  }

  @Override
  boolean slides(ConfigFields config, int layer) {
    int pattern = config.positive("sliding_window_pattern", 6);
    return slides(config, layer, (layer + 1) % pattern != 0);
  }

  /** Parameters a kind of layer, or the older fields, of which a scaling is the full layers'. */
  @Override
  List<Rotary> rotary(ConfigFields config, int headSize, int context) {
    Optional<ConfigFields> kinds = config.object("rope_parameters");
    Optional<ConfigFields> older =
        config.object("rope_scaling").filter(scaling -> !scaling.names().isEmpty());
    if (older.isPresent() && kinds.isPresent()) {
      throw config.error("rope_scaling", "found beside rope_parameters, expected one of the two");
    }
    double globalTheta = config.number("rope_theta", GLOBAL_THETA);
    double localTheta = config.number("rope_local_base_freq", LOCAL_THETA);
    Optional<ConfigFields> full = older.or(() -> kinds.flatMap(p -> p.object(FULL)));
    Optional<ConfigFields> sliding = kinds.flatMap(p -> p.object(SLIDING));
    Rotary global = rotary(config, full, headSize, context, globalTheta);
    Rotary local = rotary(config, sliding, headSize, context, localTheta);
    List<Rotary> rotary = new ArrayList<>();
    for (int i = 0; i < config.positive("num_hidden_layers"); i++) {
      rotary.add(slides(config, i) ? local : global);
    }
    return Collections.unmodifiableList(rotary);
  }

  private static Rotary rotary(
      ConfigFields config, Optional<ConfigFields> p, int headSize, int context, double theta) {
    return p.map(stated -> Rotary.of(config, stated, headSize, context, theta))
        .orElseGet(() -> Rotary.plain(headSize, theta));
  }

  @Override
  Weights.Norm headNorm(Tensors t, String name, int heads, int headSize) {
    return norm(t, name, headSize);
  }
}
