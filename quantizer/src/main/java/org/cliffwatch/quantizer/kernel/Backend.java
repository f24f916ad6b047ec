package org.cliffwatch.quantizer.kernel;

import java.util.List;
import java.util.OptionalLong;
import org.cliffwatch.quantizer.scheme.Precision;

/** Who multiplies. Opened by {@link Backends}; safe for concurrent use. */
public interface Backend {
  /** {@code reference}, {@code onednn} or {@code cuda}. */
  String name();

  /** What scores depend on: a {@link KernelIdentity}, spelled, with its digest. */
  String kernel();

  /**
   * Packs linear layers that share one input (query, key and value; gate and up), so that the input
   * is quantized once.
   *
   * @param projections at least one, of equal inputs; each is a layer of its own to the precision's
   *     scheme; biases have been rounded to its compute type
   */
  Linear linear(List<Projection> projections, Precision precision);

  /**
   * Packs one linear layer.
   *
   * @param bias (outputs), rounded to the precision's compute type, or null
   */
  default Linear linear(WeightRows weight, float[] bias, Precision precision) {
    return linear(List.of(new Projection(weight, bias)), precision);
  }

  /**
   * Packs the vocabulary projection, which no precision quantizes.
   *
   * @param compute the type the weights and the logits are rounded to
   * @param transform of the rounded logits
   */
  VocabularyHead head(WeightRows weight, float[] bias, FloatType compute, LogitTransform transform);

  /** Packs the vocabulary projection of a decoder whose logits are its products. */
  default VocabularyHead head(WeightRows weight, float[] bias, FloatType compute) {
    return head(weight, bias, compute, LogitTransform.NONE);
  }

  /** The other operations, on Java arrays: what tests and the digest compare. */
  HostOperations operations();

  /** Keeps values for sessions; the array is the backend's from now on. */
  Constants constants(float[] values);

  /**
   * Keeps rows to be looked up by sessions of this compute type. What they are read from may be
   * read as they are needed, and must stay open.
   */
  Table table(WeightRows rows, FloatType type);

  /** Operations for one thread. */
  Session session(FloatType compute);

  /** Rows of a batch beyond those of its first sequence. */
  int batchRows();

  /** Bytes of the device's memory, where weights lie in one's own. */
  OptionalLong deviceBytes();
}
