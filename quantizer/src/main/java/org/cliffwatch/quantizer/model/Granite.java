package org.cliffwatch.quantizer.model;

import org.cliffwatch.quantizer.checkpoint.ConfigFields;
import org.cliffwatch.quantizer.kernel.LogitTransform;

/**
 * Granite 3: LLaMA with four multipliers, of transformers' {@code modeling_granite.py}. The
 * embedding is multiplied by {@code embedding_multiplier}, what attention and feed-forward add to
 * the residual stream by {@code residual_multiplier}, attention scores by {@code
 * attention_multiplier} in place of 1/√ of the head's width; logits are divided by {@code
 * logits_scaling}.
 */
final class Granite extends Llama {
  Granite() {
    super("granite");
  }

  @Override
  float attentionScale(ConfigFields config, int headSize) {
    return (float) config.number("attention_multiplier", 1);
  }

  @Override
  Architecture.Multipliers multipliers(ConfigFields config) {
    double scaling = config.number("logits_scaling", 1);
    config.require("logits_scaling", scaling != 0, "what one can divide by");
    return new Architecture.Multipliers(
        (float) config.number("embedding_multiplier", 1),
        false,
        (float) config.number("residual_multiplier", 1),
        new LogitTransform((float) (1 / scaling), 0));
  }
}
