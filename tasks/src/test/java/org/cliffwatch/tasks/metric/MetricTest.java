package org.cliffwatch.tasks.metric;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class MetricTest {
  private static final double TOLERANCE = 1e-15;

  private static ChoiceScore choice(double logLikelihood, int characters, int bytes) {
    return new ChoiceScore(logLikelihood, 1, characters, 0, bytes, false);
  }

  private static ItemResult multipleChoice(int gold, ChoiceScore... choices) {
    return new ItemResult(OutputType.MULTIPLE_CHOICE, 0, gold, List.of(choices));
  }

  @Test
  void choosesTheFirstOfEqualMaxima() {
    ItemResult tie = multipleChoice(1, choice(-2, 4, 4), choice(-1, 2, 4), choice(-1, 2, 2));
    assertThat(tie.chosen()).isEqualTo(1);
    assertThat(tie.chosenNorm()).isEqualTo(0);
    assertThat(tie.chosenBytes()).isEqualTo(1);
    assertThat(tie.correct()).isTrue();
    assertThat(tie.correctNorm()).isFalse();
    assertThat(tie.margin()).isZero();
    assertThat(multipleChoice(0, choice(-3, 1, 1), choice(-1, 1, 1)).margin()).isEqualTo(2);
  }

  @Test
  void codePointsAndBytesAreDifferentLengths() {
    // "é" is one code point and two bytes, "ab" two of both.
    ItemResult result = multipleChoice(0, choice(-3, 1, 2), choice(-4, 2, 2));
    assertThat(result.chosenNorm()).isEqualTo(1);
    assertThat(result.chosenBytes()).isEqualTo(0);
  }

  /** numpy: -1/0 is -inf, 0/0 is NaN, and argmax takes a NaN for the largest. */
  @Test
  void emptyChoicesDivideAsNumpyDoes() {
    assertThat(multipleChoice(0, choice(-1, 0, 0), choice(-5, 1, 1)).chosenNorm()).isEqualTo(1);
    assertThat(multipleChoice(0, choice(-5, 1, 1), choice(0, 0, 0)).chosenNorm()).isEqualTo(1);
    assertThat(multipleChoice(0, choice(Double.NEGATIVE_INFINITY, 1, 1), choice(-9, 1, 1)).chosen())
        .isEqualTo(1);
    assertThat(
            multipleChoice(
                    0,
                    choice(Double.NEGATIVE_INFINITY, 1, 1),
                    choice(Double.NEGATIVE_INFINITY, 1, 1))
                .margin())
        .isZero();
  }

  @Test
  void aMissingNumberIsNeverAChoice() {
    assertThatThrownBy(() -> choice(Double.NaN, 1, 1)).hasMessageContaining("NaN");
    assertThatThrownBy(() -> multipleChoice(2, choice(-1, 1, 1), choice(-2, 1, 1)))
        .hasMessageContaining("gold 2 among 2 choices");
    assertThatThrownBy(() -> new ItemResult(OutputType.LOGLIKELIHOOD, 4, null, List.of()))
        .hasMessageContaining("item 4 has no scores");
  }

  @Test
  void greedyIsTheAccuracyOfALogLikelihoodTask() {
    ItemResult greedy =
        new ItemResult(
            OutputType.LOGLIKELIHOOD, 0, null, List.of(new ChoiceScore(-1, 1, 3, 0, 3, true)));
    assertThat(greedy.correct()).isTrue();
    assertThat(greedy.chosen()).isNull();
    assertThat(greedy.correctNorm()).isNull();
    assertThat(greedy.margin()).isInfinite();
    assertThatThrownBy(() -> Metric.ACC_NORM.of(greedy))
        .hasMessage("acc_norm is not a metric of a loglikelihood task");
  }

  @Test
  void weightedMetricsFollowTheirFormulas() {
    List<ItemResult> pages = new ArrayList<>();
    pages.add(page(0, -10, 5, 20));
    pages.add(page(1, -50, 10, 60));
    assertThat(Metric.WORD_PERPLEXITY.over(pages).value())
        .isCloseTo(Math.exp(60.0 / 15), within(1e-12));
    assertThat(Metric.BYTE_PERPLEXITY.over(pages).value())
        .isCloseTo(Math.exp(60.0 / 80), within(TOLERANCE));
    assertThat(Metric.BITS_PER_BYTE.over(pages).value())
        .isCloseTo(60.0 / 80 / Math.log(2), within(TOLERANCE));
    assertThat(Metric.BITS_PER_BYTE.over(pages).stderr()).isEmpty();
    Interval interval = Metric.BITS_PER_BYTE.over(pages).interval();
    assertThat(interval.low()).isLessThan(interval.high());
  }

  @Test
  void byteLikelihoodIsTheMeanOfTheItems() {
    List<ItemResult> items = List.of(reference(0, -4, 8), reference(1, -30, 10));
    MetricState state = Metric.BYTE_LIKELIHOOD.over(items);
    double expected = (Math.exp(-0.5) + Math.exp(-3)) / 2;
    assertThat(state.value()).isCloseTo(expected, within(TOLERANCE));
    double half = (Math.exp(-0.5) - Math.exp(-3)) / 2;
    assertThat(state.stderr().orElseThrow())
        .isCloseTo(Math.sqrt(2 * half * half) / Math.sqrt(2), within(TOLERANCE));
  }

  /** 50 of 100: Wilson's interval is (0.4038, 0.5962), Brown, Cai and DasGupta 2001. */
  @Test
  void accuraciesHaveWilsonsInterval() {
    List<ItemResult> items = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      items.add(
          new ItemResult(
              OutputType.MULTIPLE_CHOICE, i, i % 2, List.of(choice(-1, 1, 1), choice(-2, 1, 1))));
    }
    MetricState state = Metric.ACC.over(items);
    assertThat(state.value()).isEqualTo(0.5);
    assertThat(state.interval().low()).isCloseTo(0.403832, within(1e-6));
    assertThat(state.interval().high()).isCloseTo(0.596168, within(1e-6));
    assertThat(state.stderr().orElseThrow()).isCloseTo(Math.sqrt(0.25 / 99), within(TOLERANCE));
    MetricState none = Metric.ACC.over(items.subList(1, 2));
    assertThat(none.interval().low()).isZero();
    assertThat(none.interval().high()).isCloseTo(0.793450, within(1e-6));
    assertThat(none.stderr()).isEmpty();
  }

  @Test
  void divergencesAreMeansOverTheTokensOfAllChoices() {
    List<ItemResult> items =
        List.of(compared(0, 0.5, 2, 3, 1), compared(1, 0.25, 4, 5, 5), compared(2, 0, 3, 3, 3));
    MetricState kl = Metric.KL.over(items);
    assertThat(kl.value()).isCloseTo(2 * 0.75 / 20, within(TOLERANCE));
    // Residuals 0.625, −0.175, −0.45 of 20 tokens.
    assertThat(kl.stderr().orElseThrow())
        .isCloseTo(Math.sqrt(0.62375 * 3 / 2) / 20, within(TOLERANCE));
    assertThat(kl.interval().low()).isZero();
    assertThat(kl.interval().high()).isCloseTo(0.075 + 1.959964 * 0.0483639, within(1e-6));
    MetricState agreement = Metric.TOP1_AGREEMENT.over(items);
    assertThat(agreement.value()).isCloseTo(2 * 9 / 20.0, within(TOLERANCE));
    assertThat(Metric.KL.higherIsBetter()).isFalse();
    assertThat(Metric.TOP1_AGREEMENT.higherIsBetter()).isTrue();
    ItemResult alone = reference(0, -4, 8);
    assertThat(alone.isCompared()).isFalse();
    assertThatThrownBy(() -> Metric.KL.of(alone))
        .hasMessage("item 0 was not compared with a baseline");
  }

  /** No task can be asked for what only a baseline can tell. */
  @Test
  void divergencesAreNoMetricsOfTasks() {
    assertThat(Metric.named("kl")).isEmpty();
    assertThat(Metric.names()).contains("acc").doesNotContain("kl", "top1_agreement");
  }

  /** Two choices of that divergence each, of {@code tokens} and {@code moreTokens} tokens. */
  private static ItemResult compared(int item, double kl, int tokens, int moreTokens, int agreed) {
    return new ItemResult(
        OutputType.MULTIPLE_CHOICE,
        item,
        0,
        List.of(
            new ChoiceScore(-1, tokens, 1, 0, 1, false, null, new Divergence(kl, agreed)),
            new ChoiceScore(-2, moreTokens, 1, 0, 1, false, null, new Divergence(kl, agreed))));
  }

  private static ItemResult page(int item, double logLikelihood, int words, int bytes) {
    return new ItemResult(
        OutputType.LOGLIKELIHOOD_ROLLING,
        item,
        null,
        List.of(new ChoiceScore(logLikelihood, 1, bytes, words, bytes, false)));
  }

  private static ItemResult reference(int item, double logLikelihood, int bytes) {
    return new ItemResult(
        OutputType.LOGLIKELIHOOD, item, null, List.of(choice(logLikelihood, bytes, bytes)));
  }
}
