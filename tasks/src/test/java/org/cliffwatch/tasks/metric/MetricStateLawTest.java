package org.cliffwatch.tasks.metric;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What makes a metric safe to compute in parts: the laws of a commutative monoid, and more. */
class MetricStateLawTest {
  private static final long SEED = 6;
  private static final int[] SIZES = {0, 1, 2, 3, 7, 8, 15, 16, 17, 63, 65};

  private static OutputType outputType(Metric metric) {
    return switch (metric) {
      case ACC, ACC_NORM, ACC_BYTES, MC2, KL, TOP1_AGREEMENT -> OutputType.MULTIPLE_CHOICE;
      case PERPLEXITY, BYTE_LIKELIHOOD -> OutputType.LOGLIKELIHOOD;
      case WORD_PERPLEXITY, BYTE_PERPLEXITY, BITS_PER_BYTE -> OutputType.LOGLIKELIHOOD_ROLLING;
    };
  }

  private static List<ItemResult> results(Metric metric, int items, Random random) {
    OutputType type = outputType(metric);
    int choices = type == OutputType.MULTIPLE_CHOICE ? 3 : 1;
    List<ItemResult> results = new ArrayList<>();
    for (int item = 0; item < items; item++) {
      List<ChoiceScore> scores = new ArrayList<>();
      for (int i = 0; i < choices; i++) {
        int tokens = 1 + random.nextInt(9);
        scores.add(
            new ChoiceScore(
                -50 * random.nextDouble() / 3,
                tokens,
                1 + random.nextInt(40),
                1 + random.nextInt(20),
                1 + random.nextInt(80),
                random.nextBoolean(),
                random.nextBoolean(),
                new Divergence(random.nextDouble(), random.nextInt(tokens + 1))));
      }
      results.add(
          new ItemResult(
              type, item, type == OutputType.MULTIPLE_CHOICE ? random.nextInt(3) : null, scores));
    }
    return results;
  }

  @ParameterizedTest
  @EnumSource
  void anyShardingInAnyOrderGivesTheSameState(Metric metric) {
    Random random = new Random(SEED);
    for (int size : SIZES) {
      List<ItemResult> results = results(metric, size, random);
      MetricState whole = metric.over(results);
      assertThat(whole.items()).isEqualTo(size);
      for (int shards : new int[] {1, 2, 7, 31}) {
        List<ItemResult> shuffled = new ArrayList<>(results);
        Collections.shuffle(shuffled, random);
        List<MetricState> states = new ArrayList<>();
        for (int shard = 0; shard < shards; shard++) {
          int from = size * shard / shards;
          states.add(metric.over(shuffled.subList(from, size * (shard + 1) / shards)));
        }
        Collections.shuffle(states, random);
        MetricState merged = states.stream().reduce(metric.empty(), MetricState::merge);
        assertThat(merged).as("%s, %d items, %d shards", metric, size, shards).isEqualTo(whole);
        assertThat(Double.doubleToLongBits(merged.value()))
            .isEqualTo(Double.doubleToLongBits(whole.value()));
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void mergeIsCommutativeAndAssociativeWithAnIdentity(Metric metric) {
    List<ItemResult> results = results(metric, 33, new Random(SEED));
    MetricState a = metric.over(results.subList(0, 5));
    MetricState b = metric.over(results.subList(5, 20));
    MetricState c = metric.over(results.subList(20, 33));
    assertThat(a.merge(b)).isEqualTo(b.merge(a));
    assertThat(a.merge(b).merge(c)).isEqualTo(a.merge(b.merge(c)));
    assertThat(a.merge(metric.empty())).isEqualTo(a);
    assertThat(metric.empty().merge(a)).isEqualTo(a);
    assertThat(a).isNotEqualTo(b);
  }

  @ParameterizedTest
  @EnumSource
  void overNoItemsThereIsNoValue(Metric metric) {
    MetricState empty = metric.empty();
    assertThat(empty.items()).isZero();
    assertThat(empty.value()).isNaN();
    assertThat(empty.stderr()).isEmpty();
    assertThat(empty.interval().low()).isNaN();
    assertThat(empty.interval().high()).isNaN();
  }

  @ParameterizedTest
  @EnumSource
  void statesTravel(Metric metric) throws Exception {
    MetricState state = metric.over(results(metric, 9, new Random(SEED)));
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(state);
    }
    try (ObjectInputStream in =
        new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
      assertThat(in.readObject()).isEqualTo(state);
    }
  }

  @Test
  void refusesToMixMetricsOrCountAnItemTwice() {
    Random random = new Random(SEED);
    MetricState acc = Metric.ACC.over(results(Metric.ACC, 3, random));
    MetricState norm = Metric.ACC_NORM.over(results(Metric.ACC_NORM, 3, random));
    MetricState perplexity = Metric.PERPLEXITY.over(results(Metric.PERPLEXITY, 3, random));
    assertThatThrownBy(() -> acc.merge(norm)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> acc.merge(perplexity)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> perplexity.merge(perplexity))
        .hasMessageContaining("item 0 is in both states");
  }
}
