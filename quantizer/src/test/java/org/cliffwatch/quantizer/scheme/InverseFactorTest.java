package org.cliffwatch.quantizer.scheme;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.SplittableRandom;
import java.util.concurrent.ForkJoinPool;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class InverseFactorTest {
  /** Of 1, the diagonal of the identity: condition numbers here are below 1000. */
  private static final double IDENTITY = 1e-10;

  private static Panels matrix(int n) {
    SplittableRandom random = new SplittableRandom(n);
    float[] x = new float[2 * n * n];
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) random.nextGaussian();
    }
    GramMatrix gram = new GramMatrix(n);
    gram.add(x, 2 * n);
    Panels h = Panels.triangle(n);
    for (int j = 0; j < n; j++) {
      for (int i = 0; i <= j; i++) {
        h.set(i, j, gram.get(i, j) / n + (i == j ? 0.1 : 0));
      }
    }
    return h;
  }

  /** H UᵀU = 1 is H Uᵀ = U⁻¹, so U H Uᵀ = 1. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 15, 16, 17, 32, 33, 100})
  void isTheFactorOfTheInverse(int n) {
    Panels h = matrix(n);
    Panels u = matrix(n);
    assertThat(InverseFactor.replace(u, n)).isTrue();
    for (int a = 0; a < n; a++) {
      assertThat(u.get(a, a)).isPositive();
      for (int b = 0; b < n; b++) {
        double sum = 0;
        for (int i = a; i < n; i++) {
          for (int j = b; j < n; j++) {
            sum += u.get(a, i) * h.get(Math.min(i, j), Math.max(i, j)) * u.get(b, j);
          }
        }
        assertThat(sum).as("%s, %s", a, b).isCloseTo(a == b ? 1 : 0, Offset.offset(IDENTITY));
      }
    }
  }

  @Test
  void threadsMakeNoDifference() {
    int n = 150;
    Panels one = matrix(n);
    Panels many = matrix(n);
    ForkJoinPool single = new ForkJoinPool(1);
    single.submit(() -> InverseFactor.replace(one, n)).join();
    single.shutdown();
    ForkJoinPool several = new ForkJoinPool(4);
    several.submit(() -> InverseFactor.replace(many, n)).join();
    several.shutdown();
    for (int j = 0; j < n; j++) {
      for (int i = 0; i <= j; i++) {
        assertThat(many.get(i, j)).as("%s, %s", i, j).isEqualTo(one.get(i, j));
      }
    }
  }

  @Test
  void indefiniteAndSingularAreRefused() {
    Panels indefinite = matrix(40);
    indefinite.set(3, 30, 100);
    assertThat(InverseFactor.replace(indefinite, 40)).isFalse();
    Panels singular = Panels.triangle(3);
    for (int j = 0; j < 3; j++) {
      for (int i = 0; i <= j; i++) {
        // 0.1, 0.2, 0.3 times themselves: what rounding leaves of the pivots is not their value.
        singular.set(i, j, 0.01 * (i + 1) * (j + 1));
      }
    }
    assertThat(InverseFactor.replace(singular, 3)).isFalse();
  }
}
