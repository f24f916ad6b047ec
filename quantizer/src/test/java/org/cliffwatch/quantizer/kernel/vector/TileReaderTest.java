package org.cliffwatch.quantizer.kernel.vector;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Sums of slices beside sums of longs, rounded once. */
class TileReaderTest {
  private static final int LARGEST = 1 << 24;
  private static final int SENTINEL = 77;

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 7, 63})
  void slicesAreJoinedAsIntegers(int slices) {
    SplittableRandom random = new SplittableRandom(slices);
    for (int n : new int[] {1, 7, 8, 15, 16, 17, 33, 100}) {
      ByteBuffer acc =
          ByteBuffer.allocateDirect(Float.BYTES * (slices * n + 2)).order(ByteOrder.LITTLE_ENDIAN);
      acc.putFloat(0, SENTINEL);
      acc.putFloat(Float.BYTES * (slices * n + 1), SENTINEL);
      long[] sums = new long[n];
      for (int s = 0; s < slices; s++) {
        for (int i = 0; i < n; i++) {
          int value =
              switch (i % 4) {
                case 0 -> LARGEST - random.nextInt(3);
                case 1 -> s % 2 == 0 ? LARGEST : -LARGEST + 1;
                case 2 -> random.nextInt(-2, 3);
                default -> random.nextInt(-LARGEST, LARGEST + 1);
              };
          sums[i] += value;
          acc.putFloat(Float.BYTES * (1 + s * n + i), value);
        }
      }
      TileReader.joinSlices(acc, Float.BYTES, n, slices);
      for (int i = 0; i < n; i++) {
        assertThat(acc.getFloat(Float.BYTES * (1 + i))).as("%s of %s", i, n).isEqualTo(sums[i]);
      }
      assertThat(acc.getFloat(0)).isEqualTo(SENTINEL);
      assertThat(acc.getFloat(Float.BYTES * (slices * n + 1))).isEqualTo(SENTINEL);
    }
  }
}
