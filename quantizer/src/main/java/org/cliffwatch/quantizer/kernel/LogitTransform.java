package org.cliffwatch.quantizer.kernel;

/**
 * What becomes of logits after the vocabulary projection: {@code softCap · tanh(factor · logit /
 * softCap)}, each step rounded to the compute type as transformers does.
 *
 * @param factor on every logit (Granite, Cohere); 1: none
 * @param softCap what none exceeds (Gemma 2); 0: no cap
 */
public record LogitTransform(float factor, float softCap) {
  public static final LogitTransform NONE = new LogitTransform(1, 0);

  /** Of one logit that has been rounded to the type; what is not finite stays so. */
  public float apply(float logit, FloatType type) {
    float scaled = type.round(logit * factor);
    if (softCap == 0) {
      return scaled;
    }
    if (!Float.isFinite(scaled)) {
      return Float.NaN;
    }
    float inner = type.round(scaled / softCap);
    return type.round(type.round((float) StrictMath.tanh(inner)) * softCap);
  }
}
