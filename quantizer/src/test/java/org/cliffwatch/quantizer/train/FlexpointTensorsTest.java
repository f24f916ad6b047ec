package org.cliffwatch.quantizer.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Random;
import org.cliffwatch.quantizer.scheme.Autoflex;
import org.cliffwatch.quantizer.scheme.Flexpoint;
import org.cliffwatch.quantizer.train.FlexpointTensors.Stored;
import org.junit.jupiter.api.Test;

class FlexpointTensorsTest {
  private static final Flexpoint FLEX16_5 = new Flexpoint(16, 5);
  private static final ModelShape SHAPE = new ModelShape(10, 16, 1, 2, 16, 0.5f);
  private static final int TENSORS = 3;
  private static final int USE = 5;

  private final FlexpointTensors tensors = new FlexpointTensors(FLEX16_5, SHAPE, TENSORS);

  private static float[] normal(int n, float size) {
    Random random = new Random(4);
    float[] x = new float[n];
    for (int i = 0; i < n; i++) {
      x[i] = size * (float) random.nextGaussian();
    }
    return x;
  }

  @Test
  void lanesRoundAsTheFormatDoes() {
    float[] odd = {
      0, -0f, 0.5f, 1.5f, 2.5f, -0.5f, 32766.5f, 32767.4f, 32768, -32768.4f, -32769, 3
    };
    for (int n : new int[] {1, 7, 8, 9, 12}) {
      for (float scale : new float[] {1, 0x1p-14f, 0x1p-31f}) {
        float[] x = new float[n];
        int most = 0;
        for (int i = 0; i < n; i++) {
          x[i] = odd[odd.length - n + i] * scale;
          most = Math.max(most, Math.abs(FLEX16_5.mantissa(x[i], scale)));
        }
        float[] rounded = x.clone();
        assertThat(Lanes.round(FLEX16_5, scale, rounded, n)).isEqualTo(most);
        for (int i = 0; i < n; i++) {
          assertThat(rounded[i]).isEqualTo(FLEX16_5.mantissa(x[i], scale) * scale);
        }
      }
    }
    float[] endless = {Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY};
    assertThat(Lanes.round(FLEX16_5, 1, endless, 2)).isEqualTo(32768);
    assertThat(endless).containsExactly(32767, -32768);
    float[] nan = {Float.NaN, 1, 1, 1, 1, 1, 1, 1, Float.NaN};
    Lanes.round(FLEX16_5, 1, nan, nan.length);
    assertThat(nan[0]).isNaN();
    assertThat(nan[8]).isNaN();
  }

  /** Both slices count, in whatever order, and the next step's exponent is Algorithm 2's. */
  @Test
  void aUsesExponentFollowsTheLargestOfAllSlices() {
    float[] first = normal(100, 1);
    float magnitude = Lanes.largestMagnitude(first, 100);
    Autoflex expected = Autoflex.initialized(FLEX16_5, magnitude);
    tensors.slice(0).round(USE, first.clone(), 100);
    tensors.initialized();
    float[] kept = first.clone();
    tensors.slice(1).round(USE, kept, 100);
    float[] larger = normal(100, 1.5f);
    int most = FLEX16_5.mantissa(Lanes.largestMagnitude(larger, 100), expected.scale());
    tensors.slice(0).round(USE, larger, 100);
    for (int i = 0; i < 100; i++) {
      assertThat(kept[i])
          .isEqualTo(FLEX16_5.mantissa(first[i], expected.scale()) * expected.scale());
    }
    Training.Exponents fit = tensors.endStep();
    expected.update(most);
    assertThat(fit.overflows()).isZero();
    int bits = Integer.SIZE - Integer.numberOfLeadingZeros(most);
    assertThat(fit.unusedBits().get(15 - bits)).isEqualTo(1);
    float[] next = first.clone();
    tensors.slice(0).round(USE, next, 100);
    assertThat(next[3]).isEqualTo(FLEX16_5.mantissa(first[3], expected.scale()) * expected.scale());
  }

  @Test
  void whatGrowsTooFastIsCutOffAndCounted() {
    float[] x = {1, -0.5f};
    tensors.slice(0).round(USE, x, 2);
    tensors.initialized();
    float[] grown = {64, 0.5f};
    tensors.slice(0).round(USE, grown, 2);
    assertThat(grown[0]).isLessThan(64);
    assertThat(grown[1]).isEqualTo(0.5f);
    assertThat(tensors.endStep().overflows()).isEqualTo(1);
  }

  @Test
  void zerosNeedNoExponentAndGetOneWithTheirFirstNumber() {
    float[] zeros = new float[9];
    tensors.slice(0).round(USE, zeros, 9);
    tensors.initialized();
    tensors.slice(0).round(USE, zeros, 9);
    assertThat(tensors.endStep().overflows()).isZero();
    assertThat(tensors.isInitialized()).isFalse();
    float[] some = {0, 1e-4f};
    tensors.slice(1).round(USE, some, 2);
    tensors.initialized();
    tensors.endStep();
    assertThat(tensors.isInitialized()).isTrue();

    tensors.store(Stored.WEIGHT, 2, zeros);
    tensors.endStep();
    assertThat(tensors.isInitialized()).isTrue();
    assertThatThrownBy(() -> tensors.slice(0).round(USE + 1, some, 2))
        .isInstanceOf(IllegalStateException.class);
  }

  /** A moment far below its tensor's largest does not become 0. */
  @Test
  void rootsAreRoundedUp() {
    float[] square = {1, 1e-12f, 0, 0.25f};
    tensors.storeRoot(1, square);
    float scale = Autoflex.initialized(FLEX16_5, 1).scale();
    assertThat(square).containsExactly(1, scale * scale, 0, 0.25f);
  }

  @Test
  void itGoesOnFromItsState() {
    tensors.slice(0).round(USE, normal(50, 3), 50);
    tensors.initialized();
    for (int step = 1; step < 20; step++) {
      tensors.slice(0).round(USE, normal(50, 3f + step), 50);
      tensors.store(Stored.MEAN, 0, normal(50, 1f / step));
      tensors.endStep();
    }
    FlexpointTensors again = new FlexpointTensors(FLEX16_5, SHAPE, TENSORS);
    again.restore(tensors.json());
    assertThat(again.json()).isEqualTo(tensors.json());
    for (FlexpointTensors each : List.of(tensors, again)) {
      each.slice(0).round(USE, normal(50, 30), 50);
      each.store(Stored.MEAN, 0, normal(50, 0.1f));
      each.endStep();
    }
    assertThat(again.json()).isEqualTo(tensors.json());
    assertThatThrownBy(() -> again.restore("{\"exponents_and_maxima\": [null]}"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("found 1 exponents, expected");
  }
}
