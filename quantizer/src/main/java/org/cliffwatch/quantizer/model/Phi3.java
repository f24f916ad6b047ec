package org.cliffwatch.quantizer.model;

import java.util.Collections;
import java.util.List;
import java.util.Set;
import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.kernel.AttentionShape;
import org.cliffwatch.quantizer.kernel.Normalization;
import org.cliffwatch.quantizer.kernel.Projection;

/**
 * Phi-3 and Phi-4: LLaMA without biases, query, key and value stored as one matrix, gate and up as
 * another; LongRoPE under any of its names, of {@code configuration_phi3.py}.
 */
final class Phi3 extends Llama {
  /** What published configurations call LongRoPE; no other scaling is valid. */
  private static final Set<String> LONGROPE = Set.of("longrope", "su", "yarn");

  private static final int CONTEXT = 4096;

  Phi3() {
    super("phi3");
  }

  @Override
  Architecture read(ConfigFields config) {
    config.ignore("resid_pdrop", "embd_pdrop");
    return super.read(config);
  }

  @Override
  int defaultContextLength() {
    return CONTEXT;
  }

  @Override
  Biases biases(ConfigFields config) {
    return Biases.NONE;
  }

  @Override
  Architecture.Norm norm(ConfigFields config) {
    return new Architecture.Norm(Normalization.RMS, epsilon(config, "rms_norm_eps", 1e-5));
  }

  @Override
  int window(ConfigFields config, int layer) {
    return config.positive("sliding_window", 0);
  }

  @Override
  List<Rotary> rotary(ConfigFields config, int headSize, int context) {
    double theta = config.number("rope_theta", defaultTheta());
    int rotated = rotated(config, "partial_rotary_factor", 1, headSize);
    int original = config.positive("original_max_position_embeddings", CONTEXT);
    Rotary every =
        Rotary.parameters(config)
            .filter(p -> !Rotary.type(p).equals("default"))
            .map(p -> longrope(p, theta, rotated, context, original))
            .orElseGet(() -> Rotary.of(config, rotated, context, theta));
    return Collections.nCopies(config.positive("num_hidden_layers"), every);
  }

  private static Rotary longrope(
      ConfigFields p, double theta, int rotated, int context, int original) {
    if (!LONGROPE.contains(Rotary.type(p))) {
      throw p.error(
          "rope_type", "found \"" + Rotary.type(p) + "\", expected default, longrope, su or yarn");
    }
    p.ignore("original_max_position_embeddings"); // transformers takes the one outside
    return Rotary.longrope(p, p.number("rope_theta", theta), rotated, context, original);
  }

  @Override
  List<Projection> queryKeyValue(
      Tensors t, String attention, int hidden, AttentionShape s, ConfigFields config) {
    int queries = s.heads() * s.headSize();
    int keys = s.keyHeads() * s.headSize();
    Projection all = t.projection(attention + "qkv_proj", queries + 2 * keys, hidden, false);
    return List.of(
        Tensors.slice(all, 0, queries),
        Tensors.slice(all, queries, keys),
        Tensors.slice(all, queries + keys, keys));
  }

  @Override
  List<Projection> gateUp(Tensors t, String mlp, int hidden, int inner, ConfigFields config) {
    Projection both = t.projection(mlp + "gate_up_proj", 2 * inner, hidden, false);
    return List.of(Tensors.slice(both, 0, inner), Tensors.slice(both, inner, inner));
  }
}
