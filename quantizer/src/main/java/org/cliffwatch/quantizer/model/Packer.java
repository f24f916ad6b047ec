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
import org.cliffwatch.quantizer.kernel.LogitTransform;
import org.cliffwatch.quantizer.kernel.MatrixRows;
import org.cliffwatch.quantizer.kernel.Projection;
import org.cliffwatch.quantizer.kernel.Table;
import org.cliffwatch.quantizer.kernel.VocabularyHead;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.model.PackedWeights.Block;
import org.cliffwatch.quantizer.model.PackedWeights.Embedding;
import org.cliffwatch.quantizer.model.PackedWeights.Expert;
import org.cliffwatch.quantizer.model.PackedWeights.FeedForward;
import org.cliffwatch.quantizer.model.PackedWeights.Norm;
import org.cliffwatch.quantizer.scheme.Precision;

/**
 * Reads weights, rounds them to a precision's compute type and packs them for a backend; keeps what
 * it has packed. Roles that an architecture lacks are null, as in {@link Weights}.
 */
final class Packer implements AutoCloseable {
  /** What is made of a linear layer that is packed, by the name of its first part. */
  interface Wrapping {
    Linear of(String name, Linear packed);
  }

  private final Backend backend;
  private final Precision precision;
  private final Wrapping wrapping;

  /** Everything a backend keeps, in the order it was packed. */
  private final List<AutoCloseable> packed = new ArrayList<>();

  Packer(Backend backend, Precision precision) {
    this(backend, precision, (name, layer) -> layer);
  }

  /**
   * @param wrapping of linear layers in blocks
   */
  Packer(Backend backend, Precision precision, Wrapping wrapping) {
    this.backend = backend;
    this.precision = precision;
    this.wrapping = wrapping;
  }

  Embedding embedding(Architecture architecture, Weights weights) {
    Architecture.Multipliers multipliers = architecture.multipliers();
    return new Embedding(
        multipliers.isEmbeddingRounded()
            ? precision.compute().round(multipliers.embedding())
            : multipliers.embedding(),
        table(weights.tokens()),
        weights.positions() == null ? null : table(rounded(weights.positions())),
        norm(weights.embeddingNorm()),
        unquantized(weights.projectIn()));
  }

  VocabularyHead head(Projection projection, LogitTransform transform) {
    return kept(
        backend.head(
            projection.weight(), rounded(projection.bias()), precision.compute(), transform));
  }

  /**
   * @param number of the layer
   */
  Block block(Architecture architecture, int number, Weights.Layer layer) {
    AttentionShape shape = architecture.attention().get(number);
    Weights.Norms norms = layer.norms();
    LayerNames names = new LayerNames(number);
    return new Block(
        shape,
        constants(shape.alibi()),
        architecture.rotary().get(number),
        norm(norms.attention()),
        linear(names.query(), layer.query(), layer.key(), layer.value()),
        norm(layer.queryNorm()),
        norm(layer.keyNorm()),
        linear(names.attentionOutput(), layer.attentionOutput()),
        norm(norms.attentionOut()),
        norm(norms.feedForward()),
        feedForward(names, layer.feedForward()),
        norm(norms.feedForwardOut()));
  }

  private FeedForward feedForward(LayerNames names, Weights.FeedForward of) {
    Linear router =
        of.router() == null ? null : wrapping.of(names.router(), unquantized(of.router()));
    List<Expert> experts = new ArrayList<>();
    for (int e = 0; e < of.experts().size(); e++) {
      Weights.Expert expert = of.experts().get(e);
      LayerNames.Expert own = names.expert(of.router() == null ? -1 : e);
      Linear in =
          expert.gate() == null
              ? linear(own.up(), expert.up())
              : linear(own.gate(), expert.gate(), expert.up());
      experts.add(new Expert(in, linear(own.down(), expert.down())));
    }
    return new FeedForward(router, experts);
  }

  Linear linear(String name, Projection... projections) {
    return wrapping.of(name, packed(precision, projections));
  }

  private Linear packed(Precision as, Projection... projections) {
    List<Projection> rounded = new ArrayList<>();
    for (Projection projection : projections) {
      rounded.add(new Projection(projection.weight(), rounded(projection.bias())));
    }
    return kept(backend.linear(rounded, as));
  }

  /** A layer that no precision quantizes: outside the blocks, or a router. */
  Linear unquantized(Projection projection) {
    if (projection == null) {
      return null;
    }
    FloatType compute = precision.compute();
    int bits = compute == FloatType.FLOAT32 ? 32 : 16;
    return packed(new Precision("unquantized", "float", bits, bits, compute, Map.of()), projection);
  }

  Norm norm(Weights.Norm norm) {
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

  private MatrixRows rounded(WeightRows matrix) {
    return inMemory(matrix, precision.compute());
  }

  /** A copy in memory, rounded to a type. */
  static MatrixRows inMemory(WeightRows matrix, FloatType type) {
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
      System.arraycopy(type.rounded(row), 0, all, r * width, width);
    }
    return new MatrixRows(matrix.name(), matrix.rows(), width, all);
  }

  /** Native and heap memory of linear layers. */
  long bytes() {
    return packed.stream()
        .filter(Linear.class::isInstance)
        .mapToLong(each -> ((Linear) each).bytes())
        .sum();
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
    packed.clear();
  }
}
