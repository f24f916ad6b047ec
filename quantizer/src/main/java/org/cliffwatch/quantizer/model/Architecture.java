package org.cliffwatch.quantizer.model;

import java.util.List;
import java.util.OptionalInt;
import org.cliffwatch.quantizer.kernel.Activation;
import org.cliffwatch.quantizer.kernel.AttentionShape;
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
 * @param intermediate width inside the feed-forward
 * @param norm every normalization
 * @param residual how a block's two halves join the residual stream
 * @param activation between the feed-forward's projections
 * @param gated whether the feed-forward is {@code down(f(gate(x)) · up(x))}, not {@code
 *     down(f(up(x)))}
 * @param attention one a layer
 * @param rotary rotary position embeddings, or null
 * @param learnedPositions positions the table of learned ones has a row for; 0: none are learned
 * @param positionOffset row of that table for position 0 (OPT: 2)
 * @param contextLength the window that the configuration states, if it does: {@code n_positions},
 *     {@code max_position_embeddings} or {@code n_ctx}
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
    Rotary rotary,
    int learnedPositions,
    int positionOffset,
    OptionalInt contextLength) {

  /** A normalization: RMSNorm without, LayerNorm with mean and bias. */
  public record Norm(Normalization kind, float epsilon) {}

  /** How attention A and feed-forward M join the residual stream x; n₁ and n₂ normalize. */
  public enum Residual {
    /** x += A(n₁(x)); x += M(n₂(x)): most. */
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
}
