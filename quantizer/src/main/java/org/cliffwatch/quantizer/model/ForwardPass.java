package org.cliffwatch.quantizer.model;

import java.util.stream.IntStream;
import org.cliffwatch.quantizer.kernel.AttentionShape;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.HostOperations;
import org.cliffwatch.quantizer.kernel.Linear;
import org.cliffwatch.quantizer.kernel.Stage;
import org.cliffwatch.quantizer.kernel.Stopwatch;
import org.cliffwatch.quantizer.kernel.TokenRuns;
import org.cliffwatch.quantizer.model.PackedWeights.Block;

/**
 * One forward pass over packed rows, on one thread: the arithmetic of a decoder, in the order in
 * which papers write it.
 */
final class ForwardPass {
  private final Architecture architecture;
  private final PackedWeights weights;
  private final HostOperations operations;
  private final FloatType compute;
  private final int[] tokens;
  private final TokenRuns runs;
  private final Rotary.Tables rotary;
  private final Workspace w;
  private final Stopwatch watch;
  private final int hidden;

  /** Rows on the way: all, until only those whose output is wanted are left. */
  private int rows;

  /**
   * @param tokens (rows) token ids
   * @param rotary tables for every position, or null where the architecture has none
   * @param w with room for the rows, and their positions
   */
  ForwardPass(
      Architecture architecture,
      PackedWeights weights,
      HostOperations operations,
      FloatType compute,
      int[] tokens,
      TokenRuns runs,
      Rotary.Tables rotary,
      Workspace w,
      Stopwatch watch) {
    this.architecture = architecture;
    this.weights = weights;
    this.operations = operations;
    this.compute = compute;
    this.tokens = tokens;
    this.runs = runs;
    this.rotary = rotary;
    this.w = w;
    this.watch = watch;
    this.rows = tokens.length;
    this.hidden = architecture.hidden();
  }

  /**
   * Runs the decoder up to the vocabulary projection.
   *
   * @param chosen rows whose output is wanted, ascending
   * @return their outputs, (chosen, embedding width), valid until the next pass
   */
  float[] run(Nudge nudge, int[] chosen) {
    embed(nudge);
    int last = weights.blocks.size() - 1;
    int[] all = IntStream.range(0, rows).toArray();
    for (int i = 0; i <= last; i++) {
      apply(weights.blocks.get(i), i == last ? chosen : all);
    }
    return output();
  }

  private void embed(Nudge nudge) {
    int width = architecture.embeddingWidth();
    float[] embedded = weights.projectIn == null ? w.x : w.embedded;
    for (int r = 0; r < rows; r++) {
      weights.tokens.row(tokens[r], w.row);
      System.arraycopy(w.row, 0, embedded, r * width, width);
    }
    round(embedded, rows * width);
    for (int r = 0; r < rows; r++) {
      nudge.apply(embedded, r * width, width, w.positions[r], tokens[r], compute);
    }
    watch.lap(Stage.REST);
    if (weights.projectIn != null) {
      multiply(weights.projectIn, embedded, rows, w.x);
    }
    if (weights.positions != null) {
      addPositions();
    }
    if (weights.embeddingNorm != null) {
      normalize(weights.embeddingNorm, w.x, rows, w.x);
    }
  }

  private void addPositions() {
    for (int r = 0; r < rows; r++) {
      int position = w.positions[r] + architecture.positionOffset();
      for (int i = 0; i < hidden; i++) {
        w.x[r * hidden + i] += weights.positions[position * hidden + i];
      }
    }
    round(w.x, rows * hidden);
    watch.lap(Stage.ELEMENTWISE);
  }

  /**
   * @param kept rows that go on after attention: nothing reads the others any more
   */
  private void apply(Block block, int[] kept) {
    switch (architecture.residual()) {
      case BEFORE -> {
        normalize(block.attentionNorm(), w.x, rows, w.normalized);
        addAttention(block, w.normalized, kept);
        normalize(block.feedForwardNorm(), w.x, rows, w.normalized);
        addFeedForward(block, w.normalized);
      }
      case AFTER -> {
        addAttention(block, w.x, kept);
        normalize(block.attentionNorm(), w.x, rows, w.x);
        addFeedForward(block, w.x);
        normalize(block.feedForwardNorm(), w.x, rows, w.x);
      }
      case PARALLEL -> {
        normalize(block.attentionNorm(), w.x, rows, w.normalized);
        attend(block, w.normalized, kept);
        if (block.feedForwardNorm() != null) {
          normalize(block.feedForwardNorm(), w.x, rows, w.normalized);
        }
        addUpdate();
        addFeedForward(block, w.normalized);
      }
      case FROM_NORMALIZED -> {
        normalize(block.attentionNorm(), w.x, rows, w.x);
        addAttention(block, w.x, kept);
        normalize(block.feedForwardNorm(), w.x, rows, w.x);
        addFeedForward(block, w.x);
      }
    }
  }

  /** x += A(input). */
  private void addAttention(Block block, float[] input, int[] kept) {
    attend(block, input, kept);
    addUpdate();
  }

  /** x += M(input). */
  private void addFeedForward(Block block, float[] input) {
    feedForward(block, input);
    addUpdate();
  }

  /** Attention over {@code input}, (rows, hidden), to {@code w.update}. */
  private void attend(Block block, float[] input, int[] kept) {
    AttentionShape shape = block.shape();
    multiply(block.queryKeyValue(), input, rows, w.query, w.key, w.value);
    if (block.queryNorm() != null) {
      normalize(block.queryNorm(), w.query, rows * shape.heads(), shape.headSize(), w.query);
      normalize(block.keyNorm(), w.key, rows * shape.keyHeads(), shape.headSize(), w.key);
    }
    if (rotary != null) {
      rotate(w.query, shape.heads(), shape.headSize());
      rotate(w.key, shape.keyHeads(), shape.headSize());
    }
    operations.attention(w.query, w.key, w.value, runs, shape, w.attended);
    round(w.attended, rows * shape.heads() * shape.headSize());
    watch.lap(Stage.ATTENTION);
    keep(kept, shape.heads() * shape.headSize());
    multiply(block.attentionOut(), w.attended, rows, w.update);
  }

  /** Leaves these rows, ascending, of what the rest of the block reads. */
  private void keep(int[] kept, int attendedWidth) {
    if (kept.length == rows) {
      return;
    }
    for (int i = 0; i < kept.length; i++) {
      System.arraycopy(w.x, kept[i] * hidden, w.x, i * hidden, hidden);
      System.arraycopy(w.normalized, kept[i] * hidden, w.normalized, i * hidden, hidden);
      System.arraycopy(
          w.attended, kept[i] * attendedWidth, w.attended, i * attendedWidth, attendedWidth);
    }
    rows = kept.length;
    watch.lap(Stage.REST);
  }

  private void rotate(float[] x, int heads, int headSize) {
    operations.rotate(
        x,
        rows,
        heads,
        headSize,
        architecture.rotary().rotated(),
        w.positions,
        rotary.cos(),
        rotary.sin(),
        architecture.rotary().interleaved());
    round(x, rows * heads * headSize);
  }

  /** The feed-forward of {@code input}, (rows, hidden), to {@code w.update}. */
  private void feedForward(Block block, float[] input) {
    int n = rows * architecture.intermediate();
    if (architecture.gated()) {
      multiply(block.feedForwardIn(), input, rows, w.gate, w.up);
      operations.activateGated(architecture.activation(), w.gate, w.up, n);
    } else {
      multiply(block.feedForwardIn(), input, rows, w.gate);
      operations.activate(architecture.activation(), w.gate, n);
    }
    round(w.gate, n);
    watch.lap(Stage.ELEMENTWISE);
    multiply(block.feedForwardOut(), w.gate, rows, w.update);
  }

  /** x += update. */
  private void addUpdate() {
    operations.add(w.x, w.update, rows * hidden);
    round(w.x, rows * hidden);
    watch.lap(Stage.ELEMENTWISE);
  }

  /** The rows that were kept, ready for the vocabulary projection. */
  private float[] output() {
    float[] y = w.x;
    if (weights.finalNorm != null) {
      normalize(weights.finalNorm, y, rows, w.normalized);
      y = w.normalized;
    }
    if (weights.projectOut != null) {
      multiply(weights.projectOut, y, rows, w.embedded);
      y = w.embedded;
    }
    return y;
  }

  private void multiply(Linear linear, float[] x, int count, float[]... y) {
    linear.apply(x, count, watch, y);
  }

  /** Rows of the hidden width. */
  private void normalize(Weights.Norm norm, float[] x, int count, float[] y) {
    normalize(norm, x, count, hidden, y);
  }

  private void normalize(Weights.Norm norm, float[] x, int count, int width, float[] y) {
    float epsilon = architecture.norm().epsilon();
    switch (architecture.norm().kind()) {
      case RMS -> operations.rmsNorm(x, count, width, norm.weight(), epsilon, y);
      case LAYER -> operations.layerNorm(x, count, width, norm.weight(), norm.bias(), epsilon, y);
    }
    round(y, count * width);
    watch.lap(Stage.ELEMENTWISE);
  }

  private void round(float[] x, int n) {
    if (compute != FloatType.FLOAT32) {
      operations.round(compute, x, n);
    }
  }
}
