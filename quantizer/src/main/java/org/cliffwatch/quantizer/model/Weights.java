package org.cliffwatch.quantizer.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.cliffwatch.quantizer.kernel.Projection;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.scheme.CalibratedWeight;
import org.cliffwatch.quantizer.scheme.Findings;

/**
 * A decoder's tensors by role, shapes checked, matrices not yet read. What a role's absence means
 * is said there; everything else is present.
 *
 * @param tokens (vocabulary, embedding width)
 * @param positions (positions, hidden), or null: none are learned
 * @param embeddingNorm after the token embedding, or null (BLOOM has one)
 * @param projectIn embedding width to hidden, or null
 * @param layers the blocks
 * @param finalNorm after the last block, or null
 * @param projectOut hidden to embedding width, or null
 * @param head embedding width to vocabulary
 */
record Weights(
    WeightRows tokens,
    WeightRows positions,
    Norm embeddingNorm,
    Projection projectIn,
    List<Layer> layers,
    Norm finalNorm,
    Projection projectOut,
    Projection head) {

  /**
   * @param name of its tensors, before {@code .weight} and {@code .bias}; null where it has none
   * @param weight (width)
   * @param bias (width), or null
   * @param offset what is added to every weight, after it is rounded to the compute type (Gemma: 1)
   */
  record Norm(String name, float[] weight, float[] bias, float offset) {
    Norm(String name, float[] weight, float[] bias) {
      this(name, weight, bias, 0);
    }

    /** With outputs divided by a factor each. */
    Norm dividedBy(float[] divisor) {
      float[] divided = new float[weight.length];
      float[] dividedBias = bias == null ? null : new float[bias.length];
      for (int i = 0; i < divided.length; i++) {
        divided[i] = (weight[i] + offset) / divisor[i];
        if (bias != null) {
          dividedBias[i] = bias[i] / divisor[i];
        }
      }
      return new Norm(name, divided, dividedBias);
    }
  }

  /**
   * A block's norms of whole rows, each null where a family has none.
   *
   * @param attention of what attention is given, or after it: {@link Architecture.Residual}
   * @param attentionOut of what attention gives, before it joins the residual stream
   * @param feedForward as {@code attention}; null where parallel halves share that
   * @param feedForwardOut as {@code attentionOut}
   */
  record Norms(Norm attention, Norm attentionOut, Norm feedForward, Norm feedForwardOut) {
    Norms(Norm attention, Norm feedForward) {
      this(attention, null, feedForward, null);
    }
  }

  /**
   * One block.
   *
   * @param queryNorm of every head's query, (head size), of all of them as one, (heads · head
   *     size), or null
   * @param keyNorm the same of keys
   */
  record Layer(
      Norms norms,
      Projection query,
      Projection key,
      Projection value,
      Projection attentionOutput,
      Norm queryNorm,
      Norm keyNorm,
      FeedForward feedForward) {

    /** A block whose feed-forward is not gated and whose heads are not normalized. */
    static Layer plain(
        Norm attentionNorm,
        Projection query,
        Projection key,
        Projection value,
        Projection attentionOutput,
        Norm feedForwardNorm,
        Projection up,
        Projection down) {
      return new Layer(
          new Norms(attentionNorm, feedForwardNorm),
          query,
          key,
          value,
          attentionOutput,
          null,
          null,
          FeedForward.dense(null, up, down));
    }

    /**
     * The same with a change to every norm and linear layer that calibration may find something
     * for.
     *
     * @param number of the layer, by which {@link LayerNames} begin
     */
    Layer map(int number, Change<Norm> norm, Change<Projection> linear) {
      LayerNames names = new LayerNames(number);
      List<Expert> experts = new ArrayList<>();
      for (int e = 0; e < feedForward.experts().size(); e++) {
        Expert expert = feedForward.experts().get(e);
        LayerNames.Expert own = names.expert(feedForward.router() == null ? -1 : e);
        experts.add(
            new Expert(
                linear.ofNullable(own.gate(), expert.gate()),
                linear.of(own.up(), expert.up()),
                linear.of(own.down(), expert.down())));
      }
      return new Layer(
          new Norms(
              norm.ofNullable(names.attentionNorm(), norms.attention()),
              norms.attentionOut(),
              norm.ofNullable(names.feedForwardNorm(), norms.feedForward()),
              norms.feedForwardOut()),
          linear.of(names.query(), query),
          linear.of(names.key(), key),
          linear.of(names.value(), value),
          linear.of(names.attentionOutput(), attentionOutput),
          queryNorm,
          keyNorm,
          new FeedForward(linear.ofNullable(names.router(), feedForward.router()), experts));
    }

    /** The same with what calibration found. */
    Layer calibrated(int number, Findings findings) {
      return map(
          number,
          (name, norm) -> findings.outputDivisor(name).map(norm::dividedBy).orElse(norm),
          (name, linear) -> calibrated(name, linear, findings));
    }

    private static Projection calibrated(String name, Projection linear, Findings findings) {
      float[] divisor = findings.outputDivisor(name).orElse(null);
      float[] bias = linear.bias();
      if (divisor != null && bias != null) {
        bias = bias.clone();
        for (int i = 0; i < bias.length; i++) {
          bias[i] /= divisor[i];
        }
      }
      return new Projection(new CalibratedWeight(linear.weight(), name, findings), bias);
    }

    /**
     * The norms whose output linear layers read and nothing else does: a factor on a channel of
     * such a norm can be taken out of the same input of each of those layers.
     *
     * @param residual how the halves of the block join the residual stream
     */
    List<FoldableNorm> foldableNorms(Architecture.Residual residual) {
      List<Projection> attention = List.of(query, key, value);
      List<Projection> inner = feedForward.inputs();
      List<FoldableNorm> all =
          switch (residual) {
            case BEFORE -> foldable(attention, inner);
            case PARALLEL ->
                norms.feedForward() == null
                    ? List.of(
                        new FoldableNorm(
                            norms.attention(),
                            Stream.concat(attention.stream(), inner.stream()).toList()))
                    : foldable(attention, inner);
            case AFTER, FROM_NORMALIZED -> List.of(); // the residual stream is what they give
          };
      return all.stream().filter(foldable -> foldable.norm() != null).toList();
    }

    private List<FoldableNorm> foldable(List<Projection> attention, List<Projection> inner) {
      return List.of(
          new FoldableNorm(norms.attention(), attention),
          new FoldableNorm(norms.feedForward(), inner));
    }
  }

  /** A change of something that has a name. */
  interface Change<T> {
    T of(String name, T before);

    /** Of what a block may lack. */
    default T ofNullable(String name, T before) {
      return before == null ? null : of(name, before);
    }
  }

  /** A norm and every linear layer that reads its output. */
  record FoldableNorm(Norm norm, List<Projection> consumers) {}

  /**
   * What rows go through after attention.
   *
   * @param router hidden to experts: each row goes through the few that it chooses. Null: every row
   *     goes through the only one
   */
  record FeedForward(Projection router, List<Expert> experts) {
    static FeedForward dense(Projection gate, Projection up, Projection down) {
      return new FeedForward(null, List.of(new Expert(gate, up, down)));
    }

    /** What reads the rows that come in. */
    List<Projection> inputs() {
      Stream<Projection> experts = this.experts.stream().flatMap(e -> Stream.of(e.gate(), e.up()));
      return Stream.concat(Stream.ofNullable(router), experts).filter(Objects::nonNull).toList();
    }
  }

  /**
   * @param gate null where the feed-forward is not gated
   */
  record Expert(Projection gate, Projection up, Projection down) {}

  /** A decoder whose embeddings have the hidden width and no norm of their own. */
  static Weights of(
      WeightRows tokens,
      WeightRows positions,
      List<Layer> layers,
      Norm finalNorm,
      Projection head) {
    return new Weights(tokens, positions, null, null, layers, finalNorm, null, head);
  }
}
