package org.cliffwatch.tasks.metric;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;

/**
 * The metrics a task may name, with lm-evaluation-harness's names and formulas; ll is an item's
 * log-likelihood in nats.
 */
public enum Metric {
  /** Share of items whose likeliest choice is gold; of greedy ones for {@code loglikelihood}. */
  ACC(true),
  /** {@link #ACC} with ll divided by the choice's code points. */
  ACC_NORM(true),
  /** {@link #ACC} with ll divided by the choice's UTF-8 bytes. */
  ACC_BYTES(true),
  /**
   * Mean over items of the right answers' share of the choices' probability: Σ exp(ll) over the
   * right ones / Σ exp(ll) over all (TruthfulQA's MC2, Lin et al. 2022; lm-evaluation-harness 0.4
   * calls it acc).
   */
  MC2(true),
  /** exp(−Σ ll / items). */
  PERPLEXITY(false),
  /** exp(−Σ ll / Σ words). */
  WORD_PERPLEXITY(false),
  /** exp(−Σ ll / Σ bytes). */
  BYTE_PERPLEXITY(false),
  /** −Σ ll / (Σ bytes · ln 2). */
  BITS_PER_BYTE(false),
  /**
   * Mean over items of exp(ll / bytes) of the reference, its leading space included. The paper that
   * reports "Likelihood (bytes)" (Ahmadian et al. 2023, Table 3) prints no formula; this one gives
   * every item the same weight, as an accuracy does.
   */
  BYTE_LIKELIHOOD(true),
  /**
   * Mean over the scored tokens of KL(baseline ‖ precision), nats: of all choices' tokens, as often
   * as a choice has them. With {@link #TOP1_AGREEMENT} from Dutta et al. 2024, "Accuracy is Not All
   * You Need"; the mean is llama.cpp's ({@code --kl-divergence}).
   */
  KL(false),
  /** Share of the scored tokens at which baseline and precision find the same token likeliest. */
  TOP1_AGREEMENT(true);

  private final boolean higherIsBetter;

  Metric(boolean higherIsBetter) {
    this.higherIsBetter = higherIsBetter;
  }

  /** The names of the metrics that a task may have, as tables spell them. */
  public static List<String> names() {
    return ofTasks().map(Metric::toString).toList();
  }

  /** The metric of a name that a task may have. */
  public static Optional<Metric> named(String name) {
    return ofTasks().filter(metric -> metric.toString().equals(name)).findFirst();
  }

  private static Stream<Metric> ofTasks() {
    return Arrays.stream(values()).filter(metric -> !metric.isDivergence());
  }

  /** Whether this compares two models' distributions, rather than answers with the truth. */
  public boolean isDivergence() {
    return this == KL || this == TOP1_AGREEMENT;
  }

  public boolean higherIsBetter() {
    return higherIsBetter;
  }

  /** Whether this is a share of right items, in [0, 1]. */
  public boolean isAccuracy() {
    return this == ACC || this == ACC_NORM || this == ACC_BYTES;
  }

  /**
   * Whether this is a share or a likelihood, in [0, 1]: differences are told in percentage points.
   */
  public boolean isShare() {
    return isAccuracy() || this == MC2 || this == BYTE_LIKELIHOOD || this == TOP1_AGREEMENT;
  }

  /**
   * What an item adds to the metric: the metric is {@link #aggregate} of the items' sums of
   * contribution and weight. For comparisons that pair or draw items.
   */
  public double contribution(ItemResult result) {
    MetricState state = of(result);
    return state instanceof ItemValues values ? values.sum(0) : state.value();
  }

  /** The divisor an item adds: 1, or the words or bytes of its text. */
  public double weight(ItemResult result) {
    return of(result) instanceof ItemValues values ? values.weight(0) : 1;
  }

  /** The state over no items. */
  public MetricState empty() {
    return isAccuracy() ? new Proportion(this, 0, 0) : ItemValues.empty(this);
  }

  /**
   * The state over one item.
   *
   * @throws IllegalArgumentException if the item's output type has no such metric
   */
  public MetricState of(ItemResult result) {
    ChoiceScore first = result.choices().get(0);
    double logLikelihood = first.logLikelihood();
    return switch (this) {
      case ACC -> proportion(result, result.correct());
      case ACC_NORM -> proportion(result, result.correctNorm());
      case ACC_BYTES -> proportion(result, result.correctBytes());
      case MC2 -> ItemValues.of(this, result.item(), result.rightMass(), 1);
      case PERPLEXITY -> ItemValues.of(this, result.item(), logLikelihood, 1);
      case WORD_PERPLEXITY -> ItemValues.of(this, result.item(), logLikelihood, first.words());
      case BYTE_PERPLEXITY, BITS_PER_BYTE ->
          ItemValues.of(this, result.item(), logLikelihood, first.bytes());
      case BYTE_LIKELIHOOD ->
          ItemValues.of(this, result.item(), Math.exp(logLikelihood / first.bytes()), 1);
      case KL -> divergence(result, Divergence::kl);
      case TOP1_AGREEMENT -> divergence(result, Divergence::top1Agreed);
    };
  }

  /** The state over many items; how the list is cut or ordered makes no difference. */
  public MetricState over(List<ItemResult> results) {
    int n = results.size();
    return switch (n) {
      case 0 -> empty();
      case 1 -> of(results.get(0));
      default -> over(results.subList(0, n / 2)).merge(over(results.subList(n / 2, n)));
    };
  }

  /** The metric of a sum of contributions and a sum of weights. */
  public double aggregate(double total, double weights) {
    double mean = total / weights;
    return switch (this) {
      case PERPLEXITY, WORD_PERPLEXITY, BYTE_PERPLEXITY -> Math.exp(-mean);
      case BITS_PER_BYTE -> -mean / Math.log(2);
      default -> mean;
    };
  }

  /** How {@link #aggregate} grows with the weighted mean of contributions, at that mean. */
  public double slope(double mean) {
    return switch (this) {
      case PERPLEXITY, WORD_PERPLEXITY, BYTE_PERPLEXITY -> -Math.exp(-mean);
      case BITS_PER_BYTE -> -1 / Math.log(2);
      default -> 1;
    };
  }

  private MetricState divergence(ItemResult result, ToDoubleFunction<Divergence> of) {
    double sum = 0;
    long tokens = 0;
    for (ChoiceScore choice : result.choices()) {
      if (choice.divergence() == null) {
        throw new IllegalArgumentException(
            "item " + result.item() + " was not compared with a baseline");
      }
      sum += of.applyAsDouble(choice.divergence());
      tokens += choice.tokens();
    }
    return ItemValues.of(this, result.item(), sum, tokens);
  }

  private MetricState proportion(ItemResult result, Boolean correct) {
    if (correct == null) {
      throw new IllegalArgumentException(
          this + " is not a metric of a " + result.outputType() + " task");
    }
    return new Proportion(this, correct ? 1 : 0, 1);
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
