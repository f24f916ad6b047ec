package org.cliffwatch.quantizer.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.cliffwatch.quantizer.kernel.reference.ScalarOperations;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every fast backend's attention beside the scalar one. */
@Tag("gpu")
@ParameterizedClass
@MethodSource("org.cliffwatch.quantizer.kernel.OfferedBackends#fast")
class AttentionTest {
  /** Of averages of values of magnitude one: float32 dot products of up to 128 terms. */
  private static final float TOLERANCE = 5e-6f;

  private final HostOperations scalar = new ScalarOperations();
  private final HostOperations fast;
  private final boolean slow;

  AttentionTest(String backend) {
    fast = Backends.open(backend).operations();
    slow = backend.equals("emulated");
  }

  static List<AttentionShape> shapes() {
    float[] alibi = {0.5f, 0.25f, 0.125f, 0.0625f};
    return List.of(
        new AttentionShape(4, 4, 8, 0.35f, 0, null, 0),
        new AttentionShape(4, 4, 16, 0.25f, 5, null, 0),
        new AttentionShape(4, 4, 24, 0.2f, 0, alibi, 0),
        new AttentionShape(4, 2, 80, 0.11f, 0, null, 30),
        new AttentionShape(9, 3, 64, 0.125f, 0, null, 0),
        new AttentionShape(9, 3, 64, 0.125f, 40, null, 0),
        new AttentionShape(4, 1, 128, 0.09f, 1, alibi, 50),
        new AttentionShape(1, 1, 5, 1, 3, null, 0));
  }

  /** Two trees: a prefix with three children, one of them with two more, and a run alone. */
  private static final TokenRuns FOREST =
      forest(new int[] {37, 5, 1, 18, 3, 9, 70}, -1, 0, 0, 1, 1, 0, -1);

  private static TokenRuns forest(int[] lengths, int... parent) {
    int[] start = new int[lengths.length + 1];
    int[] position = new int[lengths.length];
    for (int run = 0; run < lengths.length; run++) {
      start[run + 1] = start[run] + lengths[run];
      position[run] = parent[run] < 0 ? 0 : position[parent[run]] + lengths[parent[run]];
    }
    return new TokenRuns(start, parent, position);
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void equalsTheScalarOne(AttentionShape shape) {
    Inputs in = new Inputs(shape, FOREST.rows(), 5);
    float[] expected = in.apply(scalar, FOREST);
    float[] found = in.apply(fast, FOREST);
    for (int i = 0; i < expected.length; i++) {
      assertThat(Math.abs(found[i] - expected[i]))
          .as("value %s: %s beside %s", i, found[i], expected[i])
          .isLessThan(TOLERANCE);
    }
  }

  /** Every run's sequence by itself, unshared, gives the bits it has in the forest. */
  @ParameterizedTest
  @MethodSource("shapes")
  void sharingAPrefixChangesNoBit(AttentionShape shape) {
    Inputs in = new Inputs(shape, FOREST.rows(), 6);
    float[] shared = in.apply(fast, FOREST);
    int width = shape.heads() * shape.headSize();
    for (int run = 0; run < FOREST.runs(); run++) {
      int[] rows = rowsOf(run);
      for (int length : new int[] {rows.length, rows.length - 1}) {
        if (length == 0) {
          continue;
        }
        float[] alone = in.rows(rows, length).apply(fast, forest(new int[] {length}, -1));
        for (int t = 0; t < length; t++) {
          for (int i = 0; i < width; i++) {
            assertThat(alone[t * width + i]).isEqualTo(shared[rows[t] * width + i]);
          }
        }
      }
    }
  }

  private static int[] rowsOf(int run) {
    List<Integer> rows = new ArrayList<>();
    for (int at = run; at >= 0; at = FOREST.parent()[at]) {
      for (int row = FOREST.start()[at + 1] - 1; row >= FOREST.start()[at]; row--) {
        rows.add(0, row);
      }
    }
    return rows.stream().mapToInt(Integer::intValue).toArray();
  }

  /** The first calls are interpreted, the last compiled. */
  @Test
  void compilingChangesNoBit() {
    AttentionShape shape = shapes().get(4);
    Inputs in = new Inputs(shape, FOREST.rows(), 7);
    float[] cold = in.apply(fast, FOREST);
    for (int i = 0; i < (slow ? 3 : 300); i++) {
      assertThat(in.apply(fast, FOREST)).isEqualTo(cold);
    }
  }

  @Test
  void notANumberStaysInItsSequence() {
    AttentionShape shape = shapes().get(4);
    Inputs in = new Inputs(shape, FOREST.rows(), 8);
    float[] clean = in.apply(fast, FOREST);
    int bad = FOREST.start()[3] + 2;
    in.k[bad * 3 * 64] = Float.NaN;
    float[] found = in.apply(fast, FOREST);
    int width = 9 * 64;
    assertThat(found[(bad + 1) * width]).isNaN();
    for (int row = 0; row < FOREST.rows(); row++) {
      if (row < FOREST.start()[3] || row >= FOREST.start()[4]) {
        assertThat(found[row * width]).isEqualTo(clean[row * width]);
      }
    }
  }

  /** A score that is not finite makes NaN of its row's head, and only of that. */
  @ParameterizedTest
  @MethodSource("shapes")
  void scoresThatOverflow(AttentionShape shape) {
    int width = shape.heads() * shape.headSize();
    int row = FOREST.start()[3] + 7;
    int at = row * width + (shape.heads() - 1) * shape.headSize();
    for (float odd :
        new float[] {Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.NaN, 3e38f}) {
      for (HostOperations operations : List.of(scalar, fast)) {
        Inputs in = new Inputs(shape, FOREST.rows(), 9);
        float[] clean = in.apply(operations, FOREST);
        in.q[at] = odd;
        // Each key of this head is so large that its product with 3e38 overflows float32.
        for (int k = shape.keyHeads() - 1; k < FOREST.rows() * shape.keyHeads(); k++) {
          if (odd == 3e38f) {
            in.k[k * shape.headSize()] = 1e3f;
          }
        }
        float[] found = in.apply(operations, FOREST);
        boolean overflows = odd != 3e38f || operations == fast;
        for (int i = at; i < at + shape.headSize(); i++) {
          assertThat(Float.isNaN(found[i])).as("%s", odd).isEqualTo(overflows);
        }
        if (odd != 3e38f) {
          System.arraycopy(clean, at, found, at, shape.headSize());
          assertThat(found).isEqualTo(clean);
        }
      }
    }
  }

  @Test
  void infiniteKeysAndValuesShow() {
    AttentionShape shape = shapes().get(4);
    int bad = FOREST.start()[6] + 3;
    for (HostOperations operations : List.of(scalar, fast)) {
      for (float odd : new float[] {Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
        Inputs in = new Inputs(shape, FOREST.rows(), 8);
        float[] clean = in.apply(operations, FOREST);
        in.v[bad * 3 * 64 + 5] = odd;
        float[] found = in.apply(operations, FOREST);
        assertThat(found[(bad + 1) * 9 * 64 + 5]).isEqualTo(odd);
        assertThat(found[(bad - 1) * 9 * 64 + 5]).isEqualTo(clean[(bad - 1) * 9 * 64 + 5]);
        in = new Inputs(shape, FOREST.rows(), 8);
        in.k[bad * 3 * 64 + 5] = odd;
        found = in.apply(operations, FOREST);
        assertThat(found[(bad + 1) * 9 * 64]).isNaN();
        assertThat(found[(bad - 1) * 9 * 64]).isEqualTo(clean[(bad - 1) * 9 * 64]);
      }
    }
  }

  private static final class Inputs {
    private final AttentionShape shape;
    private final float[] q;
    private final float[] k;
    private final float[] v;

    Inputs(AttentionShape shape, int rows, int seed) {
      SplittableRandom random = new SplittableRandom(seed);
      this.shape = shape;
      this.q = normals(random, rows * shape.heads() * shape.headSize());
      this.k = normals(random, rows * shape.keyHeads() * shape.headSize());
      this.v = normals(random, rows * shape.keyHeads() * shape.headSize());
    }

    private Inputs(AttentionShape shape, float[] q, float[] k, float[] v) {
      this.shape = shape;
      this.q = q;
      this.k = k;
      this.v = v;
    }

    Inputs rows(int[] rows, int length) {
      return new Inputs(shape, pick(q, rows, length), pick(k, rows, length), pick(v, rows, length));
    }

    private static float[] pick(float[] x, int[] rows, int length) {
      int width = x.length / FOREST.rows();
      float[] picked = new float[length * width];
      for (int t = 0; t < length; t++) {
        System.arraycopy(x, rows[t] * width, picked, t * width, width);
      }
      return picked;
    }

    float[] apply(HostOperations operations, TokenRuns runs) {
      float[] y = new float[q.length];
      operations.attention(q, k, v, runs, shape, y);
      return y;
    }

    private static float[] normals(SplittableRandom random, int n) {
      float[] values = new float[n];
      for (int i = 0; i < n; i++) {
        values[i] = (float) random.nextGaussian();
      }
      return values;
    }
  }
}
