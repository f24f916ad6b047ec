package org.cliffwatch.quantizer.model;

import java.util.ArrayList;
import java.util.List;
import org.cliffwatch.quantizer.kernel.AttentionShape;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.Constants;
import org.cliffwatch.quantizer.kernel.Linear;
import org.cliffwatch.quantizer.kernel.Table;
import org.cliffwatch.quantizer.kernel.VocabularyHead;
import org.cliffwatch.quantizer.scheme.Findings;
import org.cliffwatch.quantizer.scheme.Precision;

/**
 * A decoder's weights, read, rounded to the compute type and packed for a backend. Roles that an
 * architecture lacks are null, as in {@link Weights}.
 */
final class PackedWeights implements AutoCloseable {
  /**
   * One block's layers.
   *
   * @param queryKeyValue three outputs of one input
   */
  record Block(
      AttentionShape shape,
      Constants alibi,
      Rotary rotary,
      Norm attentionNorm,
      Linear queryKeyValue,
      Norm queryNorm,
      Norm keyNorm,
      Linear attentionOut,
      Norm attentionOutNorm,
      Norm feedForwardNorm,
      FeedForward feedForward,
      Norm feedForwardOutNorm) {}

  /**
   * What becomes of tokens before the first block.
   *
   * @param factor what token embeddings are multiplied by
   * @param tokens (vocabulary, embedding width)
   * @param positions (rows of the table, hidden)
   */
  record Embedding(float factor, Table tokens, Table positions, Norm norm, Linear projectIn) {}

  /** As {@link Weights.FeedForward}. */
  record FeedForward(Linear router, List<Expert> experts) {
    /** What every row goes through where there is no router. */
    Expert only() {
      return experts.get(0);
    }
  }

  /**
   * @param in gate and up, or up alone
   */
  record Expert(Linear in, Linear out) {}

  /**
   * @param bias null where the norm has none
   */
  record Norm(int width, Constants weight, Constants bias) {}

  final Embedding embedding;
  final List<Block> blocks = new ArrayList<>();
  final Norm finalNorm;
  final Linear projectOut;
  final VocabularyHead head;

  private final Packer packer;

  /**
   * @param findings of the precision; null: it is not calibrated
   */
  PackedWeights(Inventory inventory, Precision precision, Findings findings, Backend backend) {
    this.packer = new Packer(backend, precision);
    Architecture architecture = inventory.architecture();
    Weights weights = inventory.weights();
    try {
      embedding = packer.embedding(architecture, weights);
      for (int i = 0; i < architecture.layers(); i++) {
        Weights.Layer layer = weights.layers().get(i);
        Weights.Layer own = findings == null ? layer : layer.calibrated(i, findings);
        blocks.add(packer.block(architecture, i, own));
      }
      finalNorm = packer.norm(weights.finalNorm());
      projectOut = packer.unquantized(weights.projectOut());
      head = packer.head(weights.head(), architecture.multipliers().logits());
    } catch (RuntimeException | Error e) {
      packer.close();
      throw e;
    }
  }

  /** Native and heap memory of what is packed. */
  long bytes() {
    return head.bytes() + packer.bytes();
  }

  @Override
  public void close() {
    packer.close();
  }
}
