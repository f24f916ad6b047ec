package org.cliffwatch.quantizer.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.AttentionShape;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.Linear;
import org.cliffwatch.quantizer.kernel.Projection;
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
   * @param feedForwardIn gate and up, or up alone
   */
  record Block(
      AttentionShape shape,
      Weights.Norm attentionNorm,
      Linear queryKeyValue,
      Weights.Norm queryNorm,
      Weights.Norm keyNorm,
      Linear attentionOut,
      Weights.Norm feedForwardNorm,
      Linear feedForwardIn,
      Linear feedForwardOut) {}

  /** (vocabulary, embedding width): looked up in the checkpoint, neither packed nor rounded. */
  final WeightRows tokens;

  /** (rows of the table, hidden). */
  final float[] positions;

  final Weights.Norm embeddingNorm;
  final Linear projectIn;
  final List<Block> blocks = new ArrayList<>();
  final Weights.Norm finalNorm;
  final Linear projectOut;
  final VocabularyHead head;

  private final Backend backend;
  private final Precision precision;
  private final List<Linear> linears = new ArrayList<>();

  PackedWeights(Inventory inventory, Precision precision, Backend backend) {
    this.backend = backend;
    this.precision = precision;
    Architecture architecture = inventory.architecture();
    Weights weights = inventory.weights();
    try {
      tokens = weights.tokens();
      positions = weights.positions() == null ? null : rounded(all(weights.positions()));
      embeddingNorm = rounded(weights.embeddingNorm());
      projectIn = unquantized(weights.projectIn());
      for (int i = 0; i < architecture.layers(); i++) {
        blocks.add(
            block(architecture.attention().get(i), weights.layers().get(i), architecture.gated()));
      }
      finalNorm = rounded(weights.finalNorm());
      projectOut = unquantized(weights.projectOut());
      head =
          backend.head(
              weights.head().weight(), rounded(weights.head().bias()), precision.compute());
    } catch (RuntimeException | Error e) {
      linears.forEach(Linear::close);
      throw e;
    }
  }

  private Block block(AttentionShape shape, Weights.Layer layer, boolean gated) {
    return new Block(
        shape,
        rounded(layer.attentionNorm()),
        linear(precision, layer.query(), layer.key(), layer.value()),
        rounded(layer.queryNorm()),
        rounded(layer.keyNorm()),
        linear(precision, layer.attentionOutput()),
        rounded(layer.feedForwardNorm()),
        gated ? linear(precision, layer.gate(), layer.up()) : linear(precision, layer.up()),
        linear(precision, layer.down()));
  }

  private Linear linear(Precision as, Projection... projections) {
    List<Projection> rounded = new ArrayList<>();
    for (Projection projection : projections) {
      rounded.add(new Projection(projection.weight(), rounded(projection.bias())));
    }
    Linear linear = backend.linear(rounded, as);
    linears.add(linear);
    return linear;
  }

  /** A layer outside the blocks, which no precision quantizes. */
  private Linear unquantized(Projection projection) {
    if (projection == null) {
      return null;
    }
    FloatType compute = precision.compute();
    int bits = compute == FloatType.FLOAT32 ? 32 : 16;
    return linear(new Precision("unquantized", "float", bits, bits, compute, Map.of()), projection);
  }

  private Weights.Norm rounded(Weights.Norm norm) {
    return norm == null ? null : new Weights.Norm(rounded(norm.weight()), rounded(norm.bias()));
  }

  /** A copy rounded to the compute type. */
  private float[] rounded(float[] values) {
    if (values == null) {
      return null;
    }
    float[] rounded = values.clone();
    backend.operations().round(precision.compute(), rounded, rounded.length);
    return rounded;
  }

  private static float[] all(WeightRows matrix) {
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
      System.arraycopy(row, 0, all, r * width, width);
    }
    return all;
  }

  /** Native and heap memory of what is packed. */
  long bytes() {
    return head.bytes() + linears.stream().mapToLong(Linear::bytes).sum();
  }

  @Override
  public void close() {
    head.close();
    linears.forEach(Linear::close);
  }
}
