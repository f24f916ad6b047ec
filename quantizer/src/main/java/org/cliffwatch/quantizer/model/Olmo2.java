package org.cliffwatch.quantizer.model;

import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.kernel.Normalization;

/**
 * OLMo 2: LLaMA that normalizes what attention and feed-forward give and not what they are given,
 * with an RMSNorm of all heads' queries as one, and of keys, of {@code modeling_olmo2.py}.
 */
final class Olmo2 extends Llama {
  Olmo2() {
    super("olmo2");
  }

  @Override
  Biases biases(ConfigFields config) {
    return Biases.ofAttention(config);
  }

  @Override
  Architecture.Norm norm(ConfigFields config) {
    return new Architecture.Norm(Normalization.RMS, epsilon(config, "rms_norm_eps", 1e-5));
  }

  @Override
  Rotary adapted(Rotary stated) {
    return stated.unrounded();
  }

  @Override
  Weights.Norms norms(Tensors t, String layer, Architecture a) {
    return new Weights.Norms(
        null,
        norm(t, layer + "post_attention_layernorm", a.hidden()),
        null,
        norm(t, layer + "post_feedforward_layernorm", a.hidden()));
  }

  @Override
  Weights.Norm headNorm(Tensors t, String name, int heads, int headSize) {
    return t.rmsNorm(name, heads * headSize);
  }
}
