package org.cliffwatch.quantizer.model;

import java.util.stream.IntStream;
import org.cliffwatch.quantizer.kernel.AttentionShape;
import org.cliffwatch.quantizer.kernel.Linear;
import org.cliffwatch.quantizer.kernel.Nudge;
import org.cliffwatch.quantizer.kernel.Rows;
import org.cliffwatch.quantizer.kernel.Session;
import org.cliffwatch.quantizer.model.PackedWeights.Block;
import org.cliffwatch.quantizer.model.PackedWeights.Norm;

/**
 * One forward pass over packed rows: the arithmetic of a decoder, in the order in which papers
 * write it, on rows that stay where the backend keeps them.
 */
final class ForwardPass {
  private final Architecture architecture;
  private final PackedWeights weights;
  private final RotaryTables rotary;
  private final Workspace w;
  private final Session session;

  /**
   * @param rotary tables for every position, or null where the architecture has none
   * @param w with room for the batch that its session has begun
   */
  ForwardPass(Architecture architecture, PackedWeights weights, RotaryTables rotary, Workspace w) {
    this.architecture = architecture;
    this.weights = weights;
    this.rotary = rotary;
    this.w = w;
    this.session = w.session();
  }

  /**
   * Runs the decoder up to the vocabulary projection.
   *
   * @param rows of the batch
   * @param chosen rows whose output is wanted, ascending: those left at hand
   * @return their outputs, (chosen, embedding width), valid until the next pass
   */
  Rows run(Nudge nudge, int rows, int[] chosen) {
    embed(nudge);
    int last = weights.blocks.size() - 1;
    int[] all = IntStream.range(0, rows).toArray();
    for (int i = 0; i <= last; i++) {
      apply(weights.blocks.get(i), i == last ? chosen : all);
    }
    return output();
  }

  private void embed(Nudge nudge) {
    Rows embedded = weights.projectIn == null ? w.x : w.embedded;
    session.embed(weights.tokens, nudge, embedded);
    if (weights.projectIn != null) {
      session.multiply(weights.projectIn, embedded, w.x);
    }
    if (weights.positions != null) {
      session.addPositions(weights.positions, architecture.positionOffset(), w.x);
    }
    if (weights.embeddingNorm != null) {
      normalize(weights.embeddingNorm, w.x, w.x);
    }
  }

  /**
   * @param kept rows that go on after attention: nothing reads the others any more
   */
  private void apply(Block block, int[] kept) {
    switch (architecture.residual()) {
      case BEFORE -> {
        normalize(block.attentionNorm(), w.x, w.normalized);
        addAttention(block, w.normalized, kept);
        normalize(block.feedForwardNorm(), w.x, w.normalized);
        addFeedForward(block, w.normalized);
      }
      case AFTER -> {
        addAttention(block, w.x, kept);
        normalize(block.attentionNorm(), w.x, w.x);
        addFeedForward(block, w.x);
        normalize(block.feedForwardNorm(), w.x, w.x);
      }
      case PARALLEL -> {
        normalize(block.attentionNorm(), w.x, w.normalized);
        attend(block, w.normalized, kept);
        if (block.feedForwardNorm() != null) {
          normalize(block.feedForwardNorm(), w.x, w.normalized);
        }
        session.addProduct(block.attentionOut(), w.attended, w.x);
        addFeedForward(block, w.normalized);
      }
      case FROM_NORMALIZED -> {
        normalize(block.attentionNorm(), w.x, w.x);
        addAttention(block, w.x, kept);
        normalize(block.feedForwardNorm(), w.x, w.x);
        addFeedForward(block, w.x);
      }
    }
  }

  /** x += A(input). */
  private void addAttention(Block block, Rows input, int[] kept) {
    attend(block, input, kept);
    session.addProduct(block.attentionOut(), w.attended, w.x);
  }

  /** Attention over {@code input}, before its output projection, to {@code w.attended}. */
  private void attend(Block block, Rows input, int[] kept) {
    AttentionShape shape = block.shape();
    session.multiply(block.queryKeyValue(), input, w.query, w.key, w.value);
    if (block.queryNorm() != null) {
      normalize(block.queryNorm(), w.query, shape.heads(), w.query);
      normalize(block.keyNorm(), w.key, shape.keyHeads(), w.key);
    }
    if (rotary != null) {
      rotate(w.query, shape.heads(), shape.headSize());
      rotate(w.key, shape.keyHeads(), shape.headSize());
    }
    session.attend(w.query, w.key, w.value, shape, block.alibi(), w.attended);
    session.keep(kept, w.x, w.normalized, w.attended);
  }

  private void rotate(Rows x, int heads, int headSize) {
    Rotary spec = architecture.rotary();
    session.rotate(
        x, heads, headSize, spec.rotated(), rotary.cos(), rotary.sin(), spec.interleaved());
  }

  /** x += M(input). */
  private void addFeedForward(Block block, Rows input) {
    Rows[] inner = architecture.gated() ? new Rows[] {w.gate, w.up} : new Rows[] {w.gate};
    Linear in = block.feedForwardIn();
    session.addFeedForward(
        in, architecture.activation(), block.feedForwardOut(), input, inner, w.x);
  }

  /** The rows that were kept, ready for the vocabulary projection. */
  private Rows output() {
    Rows y = w.x;
    if (weights.finalNorm != null) {
      normalize(weights.finalNorm, y, w.normalized);
      y = w.normalized;
    }
    if (weights.projectOut != null) {
      session.multiply(weights.projectOut, y, w.embedded);
      y = w.embedded;
    }
    return y;
  }

  /** Whole rows. */
  private void normalize(Norm norm, Rows x, Rows y) {
    normalize(norm, x, 1, y);
  }

  private void normalize(Norm norm, Rows x, int parts, Rows y) {
    Architecture.Norm spec = architecture.norm();
    session.normalize(spec.kind(), spec.epsilon(), norm.weight(), norm.bias(), x, parts, y);
  }
}
