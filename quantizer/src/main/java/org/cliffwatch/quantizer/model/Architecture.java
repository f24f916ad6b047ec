package org.cliffwatch.quantizer.model;

import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.OptionalInt;
import org.cliffwatch.quantizer.kernel.Activation;
import org.cliffwatch.quantizer.kernel.AttentionShape;
import org.cliffwatch.quantizer.kernel.LogitTransform;
import org.cliffwatch.quantizer.kernel.Normalization;

/**
 * Everything about a decoder that changes its arithmetic, apart from the weights: what a family
 * makes of a configuration.
 *
 * @param family transformers' {@code model_type}
 * @param vocabulary rows of the token embedding
 * @param hidden width of the residual stream
 * @param embeddingWidth width of a token's embedding; where it is not {@code hidden}, projections
 *     lead in and out (OPT-350m)
 * @param intermediate width inside the feed-forward of layers that have one for all rows, if any
 * @param norm every normalization
 * @param residual how a block's two halves join the residual stream
 * @param activation between the feed-forward's projections
 * @param gated whether the feed-forward is {@code down(f(gate(x)) · up(x))}, not {@code
 *     down(f(up(x)))}
 * @param attention one a layer
 * @param rotary rotary position embeddings, one a layer, null where a layer has none
 * @param learnedPositions positions the table of learned ones has a row for; 0: none are learned
 * @param positionOffset row of that table for position 0 (OPT: 2)
 * @param contextLength the window that the configuration states, if it does: {@code n_positions},
 *     {@code max_position_embeddings} or {@code n_ctx}
 * @param multipliers of embedding, residual stream and logits
 * @param clip magnitude that queries, keys and values are clamped to after their norms; 0: none
 * @param experts of the layers whose weights have a router, or null: none has
 */
public record Architecture(
    String family,
    int vocabulary,
    int hidden,
    int embeddingWidth,
    int intermediate,
    Norm norm,
    Residual residual,
    Activation activation,
    boolean gated,
    List<AttentionShape> attention,
    List<Rotary> rotary,
    int learnedPositions,
    int positionOffset,
    OptionalInt contextLength,
    Multipliers multipliers,
    float clip,
    Experts experts) {

  /**
   * Of a decoder whose layers have the same rotary position embeddings and no experts, and that
   * multiplies by nothing and clamps nothing.
   *
   * @param rotary of every layer, or null
   */
  Architecture(
      String family,
      int vocabulary,
      int hidden,
      int embeddingWidth,
      int intermediate,
      Norm norm,
      Residual residual,
      Activation activation,
      boolean gated,
      List<AttentionShape> attention,
      Rotary rotary,
      int learnedPositions,
      int positionOffset,
      OptionalInt contextLength) {
    this(
        family,
        vocabulary,
        hidden,
        embeddingWidth,
        intermediate,
        norm,
        residual,
        activation,
        gated,
        attention,
        Collections.nCopies(attention.size(), rotary),
        learnedPositions,
        positionOffset,
        contextLength,
        Multipliers.NONE,
        0,
        null);
  }

  /** A normalization: RMSNorm without, LayerNorm with mean and bias. */
  public record Norm(Normalization kind, float epsilon) {}

  /**
   * Factors that are no weights.
   *
   * @param embedding on a token's embedding
   * @param isEmbeddingRounded whether transformers keeps that factor in the compute type (Gemma) or
   *     as a number (Granite)
   * @param residual on what attention and feed-forward add to the residual stream, where {@link
   *     Residual#BEFORE}
   * @param logits what becomes of them
   */
  public record Multipliers(
      float embedding, boolean isEmbeddingRounded, float residual, LogitTransform logits) {
    public static final Multipliers NONE = new Multipliers(1, false, 1, LogitTransform.NONE);

    static Multipliers ofLogits(LogitTransform logits) {
      return new Multipliers(1, false, 1, logits);
    }
  }

  /**
   * Feed-forwards of which each row goes through a few, and which become a sum by the row's
   * weights.
   *
   * @param count of a layer
   * @param chosen how many a row goes through
   * @param intermediate width inside each
   * @param isNormalized whether the weights of the chosen are made to sum to 1
   * @param isRounded whether transformers keeps weights, and outputs times weights, in the compute
   *     type (Qwen3) or, before they are summed, as float32 (Mixtral)
   */
  public record Experts(
      int count, int chosen, int intermediate, boolean isNormalized, boolean isRounded) {}

  /** How attention A and feed-forward M join the residual stream x; n₁ and n₂ normalize. */
  public enum Residual {
    /**
     * x += A(n₁(x)); x += M(n₂(x)): most. A family may also normalize what is added (Gemma 2), or
     * only that (OLMo 2), and multiply it (Granite).
     */
    BEFORE,
    /** x = n₁(x + A(x)); x = n₂(x + M(x)): OPT-350m. */
    AFTER,
    /** x += A(n₁(x)) + M(n₂(x)), n₂ = n₁ where a block has one norm: GPT-NeoX, GPT-J. */
    PARALLEL,
    /** x = n₁(x); x += A(x); x = n₂(x); x += M(x): BLOOM's post-layernorm residual. */
    FROM_NORMALIZED
  }

  public int layers() {
    return attention.size();
  }

  /** Those that layers have, each once. */
  List<Rotary> rotaries() {
    return rotary.stream().filter(Objects::nonNull).distinct().toList();
  }
}
