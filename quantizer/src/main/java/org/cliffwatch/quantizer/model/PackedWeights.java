package org.cliffwatch.quantizer.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.AttentionShape;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.Constants;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.Linear;
import org.cliffwatch.quantizer.kernel.MatrixRows;
import org.cliffwatch.quantizer.kernel.Projection;
import org.cliffwatch.quantizer.kernel.Table;
import org.cliffwatch.quantizer.kernel.VocabularyHead;
import org.cliffwatch.quantizer.kernel.WeightRows;
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

  /** What token embeddings are multiplied by. */
  final float embeddingFactor;

  /** (vocabulary, embedding width). */
  final Table tokens;

  /** (rows of the table, hidden). */
  final Table positions;

  final Norm embeddingNorm;
  final Linear projectIn;
  final List<Block> blocks = new ArrayList<>();
  final Norm finalNorm;
  final Linear projectOut;
  final VocabularyHead head;

  private final Backend backend;
  private final Precision precision;

  /** Everything a backend keeps, in the order it was packed. */
  private final List<AutoCloseable> packed = new ArrayList<>();

  PackedWeights(Inventory inventory, Precision precision, Backend backend) {
    this.backend = backend;
    this.precision = precision;
    Architecture architecture = inventory.architecture();
    Weights weights = inventory.weights();
    Architecture.Multipliers multipliers = architecture.multipliers();
    embeddingFactor =
        multipliers.isEmbeddingRounded()
            ? precision.compute().round(multipliers.embedding())
            : multipliers.embedding();
    try {
      tokens = table(weights.tokens());
      positions = weights.positions() == null ? null : table(rounded(weights.positions()));
      embeddingNorm = norm(weights.embeddingNorm());
      projectIn = unquantized(weights.projectIn());
      for (int i = 0; i < architecture.layers(); i++) {
        blocks.add(
            block(
                architecture.attention().get(i),
                architecture.rotary().get(i),
                weights.layers().get(i)));
      }
      finalNorm = norm(weights.finalNorm());
      projectOut = unquantized(weights.projectOut());
      Projection projection = weights.head();
      head =
          kept(
              backend.head(
                  projection.weight(),
                  rounded(projection.bias()),
                  precision.compute(),
                  multipliers.logits()));
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  private Block block(AttentionShape shape, Rotary rotary, Weights.Layer layer) {
    Weights.Norms norms = layer.norms();
    return new Block(
        shape,
        constants(shape.alibi()),
        rotary,
        norm(norms.attention()),
        linear(precision, layer.query(), layer.key(), layer.value()),
        norm(layer.queryNorm()),
        norm(layer.keyNorm()),
        linear(precision, layer.attentionOutput()),
        norm(norms.attentionOut()),
        norm(norms.feedForward()),
        feedForward(layer.feedForward()),
        norm(norms.feedForwardOut()));
  }

  private FeedForward feedForward(Weights.FeedForward of) {
    Linear router = unquantized(of.router());
    List<Expert> experts = new ArrayList<>();
    for (Weights.Expert expert : of.experts()) {
      Linear in =
          expert.gate() == null
              ? linear(precision, expert.up())
              : linear(precision, expert.gate(), expert.up());
      experts.add(new Expert(in, linear(precision, expert.down())));
    }
    return new FeedForward(router, experts);
  }

  private Linear linear(Precision as, Projection... projections) {
    List<Projection> rounded = new ArrayList<>();
    for (Projection projection : projections) {
      rounded.add(new Projection(projection.weight(), rounded(projection.bias())));
    }
    return kept(backend.linear(rounded, as));
  }

  /** A layer that no precision quantizes: outside the blocks, or a router. */
  private Linear unquantized(Projection projection) {
    if (projection == null) {
      return null;
    }
    FloatType compute = precision.compute();
    int bits = compute == FloatType.FLOAT32 ? 32 : 16;
    return linear(new Precision("unquantized", "float", bits, bits, compute, Map.of()), projection);
  }

  private Norm norm(Weights.Norm norm) {
    if (norm == null) {
      return null;
    }
    float[] weight = rounded(norm.weight());
    if (norm.offset() != 0) {
      for (int i = 0; i < weight.length; i++) {
        weight[i] += norm.offset();
      }
    }
    return new Norm(weight.length, constants(weight), constants(rounded(norm.bias())));
  }

  private Constants constants(float[] values) {
    return values == null ? null : kept(backend.constants(values));
  }

  private Table table(WeightRows rows) {
    return kept(backend.table(rows, precision.compute()));
  }

  private <T extends AutoCloseable> T kept(T made) {
    packed.add(made);
    return made;
  }

  /** A copy rounded to the compute type. */
  private float[] rounded(float[] values) {
    return values == null ? null : precision.compute().rounded(values);
  }

  /** A copy in memory, rounded to the compute type. */
  private MatrixRows rounded(WeightRows matrix) {
    int width = matrix.columns();
    if ((long) matrix.rows() * width > Integer.MAX_VALUE - 8) {
      throw new InvalidInputException(
          "tensor "
              + matrix.name()
              + ": found "
              + matrix.rows()
              + " rows of "
              + width
              + ", expected no more elements than an array holds");
    }
    float[] all = new float[matrix.rows() * width];
    float[] row = new float[width];
    for (int r = 0; r < matrix.rows(); r++) {
      matrix.row(r, row);
      System.arraycopy(rounded(row), 0, all, r * width, width);
    }
    return new MatrixRows(matrix.name(), matrix.rows(), width, all);
  }

  /** Native and heap memory of what is packed. */
  long bytes() {
    long linears =
        packed.stream()
            .filter(Linear.class::isInstance)
            .mapToLong(each -> ((Linear) each).bytes())
            .sum();
    return head.bytes() + linears;
  }

  @Override
  public void close() {
    for (AutoCloseable each : packed) {
      try {
        each.close();
      } catch (Exception e) {
        throw new IllegalStateException(e); // None of them declares one.
      }
    }
  }
}
