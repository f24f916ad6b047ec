package org.cliffwatch.quantizer.model;

import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.kernel.Normalization;

/**
 * StableLM 2 and StableLM-3B: LLaMA with LayerNorm, rotary on a part of each head and, in some, a
 * parallel residual of one norm, of {@code modeling_stablelm.py}.
 */
final class StableLm extends Llama {
  StableLm() {
    super("stablelm");
  }

  @Override
  Architecture read(ConfigFields config) {
    config.require("qk_layernorm", !config.flag("qk_layernorm", false), "false");
    return super.read(config);
  }

  @Override
  int defaultContextLength() {
    return 4096;
  }

  @Override
  int defaultKeyHeads(int heads) {
    return 32;
  }

  @Override
  Biases biases(ConfigFields config) {
    return new Biases(config.flag("use_qkv_bias", false), false, false);
  }

  @Override
  Architecture.Norm norm(ConfigFields config) {
    return new Architecture.Norm(Normalization.LAYER, epsilon(config, "layer_norm_eps", 1e-5));
  }

  @Override
  Architecture.Residual residual(ConfigFields config) {
    return config.flag("use_parallel_residual", false)
        ? Architecture.Residual.PARALLEL
        : Architecture.Residual.BEFORE;
  }

  @Override
  int rotated(ConfigFields config, int headSize) {
    return rotated(config, "partial_rotary_factor", 0.25, headSize);
  }

  @Override
  Weights.Norm norm(Tensors t, String name, int width) {
    return t.layerNorm(name, width);
  }

  @Override
  Weights.Norms norms(Tensors t, String layer, Architecture a) {
    return a.residual() == Architecture.Residual.PARALLEL
        ? new Weights.Norms(norm(t, layer + "input_layernorm", a.hidden()), null)
        : super.norms(t, layer, a);
  }
}
