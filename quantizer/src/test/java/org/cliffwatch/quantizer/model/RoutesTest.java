package org.cliffwatch.quantizer.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class RoutesTest {
  private static final double ROUNDING = 1e-7;

  private static Architecture.Experts experts(int count, int chosen, boolean isNormalized) {
    return new Architecture.Experts(count, chosen, 8, isNormalized, true);
  }

  @Test
  void theLargestOfEachRowLargestFirstAndOfEqualOnesTheFirst() {
    float[] logits = {
      1, 3, 2, 3, //
      0, 0, 0, 0, //
      -1, -2, -3, 4,
    };
    Routes routes = Routes.of(experts(4, 2, false), logits, 3);
    assertThat(routes.through(0)).containsExactly(1, 2);
    assertThat(routes.through(1)).containsExactly(0, 1);
    assertThat(routes.through(2)).isEmpty();
    assertThat(routes.through(3)).containsExactly(0, 2);
    // Row 0: experts 1 and 3; row 1: 0 and 1; row 2: 3 and 0.
    assertThat(routes.slots()).containsExactly(2, 4, 0, 3, 5, 1);
    assertThat(routes.first(3)).isEqualTo(4);
  }

  @Test
  void weightsAreTheSoftmaxOrSumToOne() {
    float[] logits = {0, (float) Math.log(2), (float) Math.log(5)};
    float[] plain = Routes.of(experts(3, 2, false), logits, 1).weights();
    assertThat((double) plain[0]).isCloseTo(5 / 8.0, within(ROUNDING));
    assertThat((double) plain[1]).isCloseTo(2 / 8.0, within(ROUNDING));
    float[] normalized = Routes.of(experts(3, 2, true), logits, 1).weights();
    assertThat((double) normalized[0]).isCloseTo(5 / 7.0, within(ROUNDING));
    assertThat((double) normalized[1]).isCloseTo(2 / 7.0, within(ROUNDING));
  }

  @Test
  void largeLogitsDoNotOverflow() {
    float[] weights = Routes.of(experts(2, 2, true), new float[] {-3e38f, 3e38f}, 1).weights();
    assertThat(weights).containsExactly(1, 0);
  }

  @Test
  void whatIsNotFiniteIsNoPlausibleWeightAndTouchesNoOtherRow() {
    float infinity = Float.POSITIVE_INFINITY;
    float[][] rows = {
      {Float.NaN, 1, 2},
      {1, Float.NaN, 2},
      {2, 1, Float.NaN},
      {infinity, 1, 2},
      {1, 2, infinity},
      {-infinity, -infinity, -infinity}
    };
    for (float[] row : rows) {
      float[] logits = {row[0], row[1], row[2], 1, 2, 3};
      for (boolean isNormalized : new boolean[] {false, true}) {
        Routes routes = Routes.of(experts(3, 2, isNormalized), logits, 2);
        assertThat(routes.weights()[0]).isNaN();
        assertThat(routes.weights()[1]).isNaN();
        assertThat(routes.weights()[2] + routes.weights()[3]).isBetween(0.9f, 1.0001f);
      }
    }
    float[] beside = Routes.of(experts(3, 2, true), new float[] {-infinity, 1, 1}, 1).weights();
    assertThat(beside).containsExactly(0.5f, 0.5f);
  }
}
