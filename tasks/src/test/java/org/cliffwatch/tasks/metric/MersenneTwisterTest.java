package org.cliffwatch.tasks.metric;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Expected draws are CPython 3.11's {@code random.Random}. */
class MersenneTwisterTest {
  @Test
  void drawsPythonsBits() {
    MersenneTwister random = new MersenneTwister(0);
    assertThat(Integer.toUnsignedLong(random.nextInt())).isEqualTo(3626764237L);
    assertThat(Integer.toUnsignedLong(random.nextInt())).isEqualTo(1654615998L);
    assertThat(Integer.toUnsignedLong(random.nextInt())).isEqualTo(3255389356L);
  }

  @Test
  void drawsPythonsDoubles() {
    MersenneTwister random = new MersenneTwister(7);
    assertThat(random.nextDouble()).isEqualTo(0.32383276483316237);
    assertThat(random.nextDouble()).isEqualTo(0.15084917392450192);
    assertThat(random.nextDouble()).isEqualTo(0.6509344730398537);
  }

  @Test
  void keepsDrawingPastItsState() {
    MersenneTwister random = new MersenneTwister(99);
    for (int i = 0; i < 1000; i++) {
      random.nextDouble();
    }
    assertThat(random.nextDouble()).isEqualTo(0.7806087097699812);
  }

  @Test
  void picksAsChoicesDoes() {
    int[] picked = new int[8];
    new MersenneTwister(3).choices(1000, picked);
    assertThat(picked).containsExactly(237, 544, 369, 603, 625, 65, 13, 837);
  }

  /** Over blocks' ends, from an odd place, and where high bits decide half of the time. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 500, 5153, 1 << 20, (1 << 26) - 1, 1 << 26})
  void choosesWhatDoublesSay(int population) {
    MersenneTwister random = new MersenneTwister(population);
    MersenneTwister doubles = new MersenneTwister(population);
    for (int length : new int[] {1, 311, 312, 313, 5000}) {
      int[] picked = new int[length];
      random.choices(population, picked);
      for (int pick : picked) {
        assertThat(pick).isEqualTo((int) (doubles.nextDouble() * population));
      }
      assertThat(random.nextInt()).isEqualTo(doubles.nextInt());
    }
    assertThatThrownBy(() -> random.choices(population + (1 << 26), new int[1]))
        .isInstanceOf(IllegalArgumentException.class);
  }

  /** A second draw follows, since what a draw takes from the generator is in the ones after it. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '~',
      value = {
        "1234 ~ 5 ~ 5 ~ [3, 0, 4, 2, 1] ~ [0, 4, 1]",
        "1234 ~ 21 ~ 3 ~ [14, 3, 0] ~ [2, 18, 1]",
        "1234 ~ 85 ~ 6 ~ [56, 14, 0, 11, 74, 4] ~ [10, 12, 45]",
        "1234 ~ 86 ~ 6 ~ [56, 14, 0, 11, 74, 4] ~ [85, 10, 12]",
        "1234 ~ 86 ~ 22 ~ [56, 14, 0, 11, 74, 4, 10, 12, 45, 30, 2, 3, 75, 44, 61, 59, 19, 82, 23, 84, 1, 64] ~ [62, 31, 8]",
        "1234 ~ 1000 ~ 25 ~ [989, 796, 451, 119, 7, 92, 932, 965, 961, 826, 596, 35, 687, 709, 85, 100, 784, 363, 242, 17, 31, 807, 16, 354, 663] ~ [638, 495, 630]",
        "1234 ~ 39905 ~ 10 ~ [28883, 7657, 490, 5940, 38156, 2288, 5500, 6450, 23241, 15519] ~ [1142, 2019, 1038]",
        "0 ~ 2147483647 ~ 4 ~ [1813382118, 827307999, 1627694678, 1911784257] ~ [903170602, 86939546, 556019485]",
        "1 ~ 1 ~ 1 ~ [0] ~ [0]",
        "7 ~ 3 ~ 0 ~ [] ~ []",
      })
  void samplesAsPythonDoes(int seed, int population, int count, String first, String second) {
    MersenneTwister random = new MersenneTwister(seed);
    assertThat(Arrays.toString(random.sample(population, count))).isEqualTo(first);
    assertThat(Arrays.toString(random.sample(population, Math.min(count, 3)))).isEqualTo(second);
  }

  @Test
  void cannotSampleMoreThanThereAre() {
    assertThatThrownBy(() -> new MersenneTwister(1).sample(3, 4))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
