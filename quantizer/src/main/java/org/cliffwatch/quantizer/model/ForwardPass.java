package org.cliffwatch.quantizer.model;

import java.util.Map;
import java.util.stream.IntStream;
import org.cliffwatch.quantizer.kernel.AttentionShape;
import org.cliffwatch.quantizer.kernel.Nudge;
import org.cliffwatch.quantizer.kernel.Rows;
import org.cliffwatch.quantizer.kernel.Session;
import org.cliffwatch.quantizer.model.PackedWeights.Block;
import org.cliffwatch.quantizer.model.PackedWeights.Embedding;
import org.cliffwatch.quantizer.model.PackedWeights.Expert;
import org.cliffwatch.quantizer.model.PackedWeights.FeedForward;
import org.cliffwatch.quantizer.model.PackedWeights.Norm;

/**
 * One forward pass over packed rows: the arithmetic of a decoder, in the order in which papers
 * write it, on rows that stay where the backend keeps them.
 */
final class ForwardPass {
  private final Architecture architecture;
  private final Map<Rotary, RotaryTables> rotary;
  private final Workspace w;
  private final Session session;
  private final boolean quantizesKeyValues;

  /**
   * @param quantizesKeyValues whether attention reads them as an int8 cache keeps them
   * @param rotary tables for every position, of each that a layer has
   * @param w with room for the batch that its session has begun
   */
  ForwardPass(
      Architecture architecture,
      boolean quantizesKeyValues,
      Map<Rotary, RotaryTables> rotary,
      Workspace w) {
    this.architecture = architecture;
    this.quantizesKeyValues = quantizesKeyValues;
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
  Rows run(PackedWeights weights, Nudge nudge, int rows, int[] chosen) {
    embed(weights.embedding, nudge);
    int last = weights.blocks.size() - 1;
    int[] all = IntStream.range(0, rows).toArray();
    for (int i = 0; i <= last; i++) {
      apply(weights.blocks.get(i), i == last ? chosen : all);
    }
    return output(weights);
  }

  /** Embeds the tokens of the batch: the residual stream before the first block. */
  void embed(Embedding weights, Nudge nudge) {
    Rows embedded = weights.projectIn() == null ? w.x : w.embedded;
    session.embed(weights.tokens(), nudge, embedded);
    if (weights.factor() != 1) {
      session.scale(embedded, weights.factor());
    }
    if (weights.projectIn() != null) {
      session.multiply(weights.projectIn(), embedded, w.x);
    }
    if (weights.positions() != null) {
      session.addPositions(weights.positions(), architecture.positionOffset(), w.x);
    }
    if (weights.norm() != null) {
      normalize(weights.norm(), w.x, w.x);
    }
  }

  /**
   * Runs one block over the residual stream.
   *
   * @param kept rows that go on after attention: nothing reads the others any more
   */
  void apply(Block block, int[] kept) {
    switch (architecture.residual()) {
      case BEFORE -> {
        attend(block, normalized(block.attentionNorm()), kept);
        if (joinsAsItIs(block.attentionOutNorm())) {
          session.addProduct(block.attentionOut(), w.attended, w.x);
        } else {
          session.multiply(block.attentionOut(), w.attended, w.normalized);
          join(block.attentionOutNorm());
        }
        Rows input = normalized(block.feedForwardNorm());
        if (joinsAsItIs(block.feedForwardOutNorm())) {
          addFeedForward(block, input, kept.length);
        } else {
          feedForward(block, input, kept.length, w.normalized);
          join(block.feedForwardOutNorm());
        }
      }
      case AFTER -> {
        addAttention(block, w.x, kept);
        normalize(block.attentionNorm(), w.x, w.x);
        addFeedForward(block, w.x, kept.length);
        normalize(block.feedForwardNorm(), w.x, w.x);
      }
      case PARALLEL -> {
        normalize(block.attentionNorm(), w.x, w.normalized);
        attend(block, w.normalized, kept);
        if (block.feedForwardNorm() != null) {
          normalize(block.feedForwardNorm(), w.x, w.normalized);
        }
        session.addProduct(block.attentionOut(), w.attended, w.x);
        addFeedForward(block, w.normalized, kept.length);
      }
      case FROM_NORMALIZED -> {
        normalize(block.attentionNorm(), w.x, w.x);
        addAttention(block, w.x, kept);
        normalize(block.feedForwardNorm(), w.x, w.x);
        addFeedForward(block, w.x, kept.length);
      }
    }
  }

  /** n(x), or x itself where there is no norm. */
  private Rows normalized(Norm norm) {
    if (norm == null) {
      return w.x;
    }
    normalize(norm, w.x, w.normalized);
    return w.normalized;
  }

  /** Whether what a half gives joins the residual stream neither normalized nor multiplied. */
  private boolean joinsAsItIs(Norm norm) {
    return norm == null && architecture.multipliers().residual() == 1;
  }

  /** x += n(y) · multiplier, where y is what a half has given, in {@code w.normalized}. */
  private void join(Norm norm) {
    if (norm != null) {
      normalize(norm, w.normalized, w.normalized);
    }
    if (architecture.multipliers().residual() != 1) {
      session.scale(w.normalized, architecture.multipliers().residual());
    }
    session.add(w.normalized, w.x);
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
      int queries = shape.heads() * shape.headSize();
      int keys = shape.keyHeads() * shape.headSize();
      normalize(block.queryNorm(), w.query, queries / block.queryNorm().width(), w.query);
      normalize(block.keyNorm(), w.key, keys / block.keyNorm().width(), w.key);
    }
    if (architecture.clip() != 0) {
      for (Rows each : new Rows[] {w.query, w.key, w.value}) {
        session.clamp(each, architecture.clip());
      }
    }
    if (block.rotary() != null) {
      rotate(block.rotary(), w.query, shape.heads(), shape.headSize());
      rotate(block.rotary(), w.key, shape.keyHeads(), shape.headSize());
    }
    if (quantizesKeyValues) {
      session.requantize(w.key, shape.keyHeads());
      session.requantize(w.value, shape.keyHeads());
    }
    session.attend(w.query, w.key, w.value, shape, block.alibi(), w.attended);
    session.keep(kept, w.x, w.normalized, w.attended);
  }

  private void rotate(Rotary spec, Rows x, int heads, int headSize) {
    RotaryTables tables = rotary.get(spec);
    session.rotate(
        x, heads, headSize, spec.rotated(), tables.cos(), tables.sin(), spec.interleaved());
  }

  /**
   * x += M(input).
   *
   * @param rows at hand
   */
  private void addFeedForward(Block block, Rows input, int rows) {
    FeedForward feedForward = block.feedForward();
    if (feedForward.router() == null) {
      Expert only = feedForward.only();
      session.addFeedForward(only.in(), architecture.activation(), only.out(), input, inner(), w.x);
    } else {
      mix(feedForward, input, rows, w.normalized);
      session.add(w.normalized, w.x);
    }
  }

  /** y = A(input), of all rows at hand. */
  void attention(Block block, Rows input, int rows, Rows y) {
    attend(block, input, IntStream.range(0, rows).toArray());
    session.multiply(block.attentionOut(), w.attended, y);
  }

  /** y = M(input). */
  void feedForward(Block block, Rows input, int rows, Rows y) {
    FeedForward feedForward = block.feedForward();
    if (feedForward.router() == null) {
      Expert only = feedForward.only();
      session.feedForward(only.in(), architecture.activation(), only.out(), input, inner(), y);
    } else {
      mix(feedForward, input, rows, y);
    }
  }

  /**
   * Each row through the experts that it chooses, and their weighted sum. Experts that no row
   * chooses cost nothing.
   *
   * @param y may be {@code input}
   */
  private void mix(FeedForward feedForward, Rows input, int rows, Rows y) {
    session.multiply(feedForward.router(), input, w.routes);
    session.read(w.routes, rows, w.routerLogits(), 0);
    Routes routes = Routes.of(architecture.experts(), w.routerLogits(), rows);
    Rows[] inner = expertInner();
    for (int e = 0; e < feedForward.experts().size(); e++) {
      int[] through = routes.through(e);
      if (through.length > 0) {
        Expert expert = feedForward.experts().get(e);
        session.feedForwardOf(
            through,
            expert.in(),
            architecture.activation(),
            expert.out(),
            input,
            w.gathered,
            inner,
            w.mixed,
            routes.first(e));
      }
    }
    session.combine(
        w.mixed, routes.slots(), routes.weights(), architecture.experts().isRounded(), y);
  }

  /** Room for what is between the feed-forward's projections. */
  private Rows[] inner() {
    return architecture.gated() ? new Rows[] {w.gate, w.up} : new Rows[] {w.gate};
  }

  /** As {@link #inner}, of an expert's. */
  private Rows[] expertInner() {
    return architecture.gated() ? new Rows[] {w.expertGate, w.expertUp} : new Rows[] {w.expertGate};
  }

  /** The rows that were kept, ready for the vocabulary projection. */
  private Rows output(PackedWeights weights) {
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
