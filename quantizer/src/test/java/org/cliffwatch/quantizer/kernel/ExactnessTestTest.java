package org.cliffwatch.quantizer.kernel;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.cliffwatch.quantizer.scheme.Vectorwise;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The start-up test lets exact backends pass, and refuses planted faults. */
class ExactnessTestTest {
  /** Sums of codes · codes, a row at a time; wrong where a test says so. */
  private interface Sum {
    int of(byte[] x, float[] weight, int row, int rows);
  }

  private static Backend backend(Sum sum) {
    return new PlantedBackend(
        Backends.open("reference"),
        (projections, precision) -> new PlantedLinear(projections.get(0).weight(), sum));
  }

  private record PlantedLinear(WeightRows weight, Sum sum) implements Linear {
    @Override
    public int inputs() {
      return weight.columns();
    }

    @Override
    public int[] outputs() {
      return new int[] {weight.rows()};
    }

    @Override
    public void apply(float[] x, int rows, Stopwatch watch, float[]... y) {
      byte[] codes = new byte[inputs()];
      float[] row = new float[inputs()];
      for (int t = 0; t < rows; t++) {
        Vectorwise.quantize(x, t * inputs(), inputs(), Vectorwise.LEVELS_8_BIT, codes, 0);
        for (int o = 0; o < weight.rows(); o++) {
          weight.row(o, row);
          y[0][t * weight.rows() + o] = sum.of(codes, row, t, rows);
        }
      }
    }

    @Override
    public long bytes() {
      return 0;
    }

    @Override
    public void close() {}
  }

  private static int exact(byte[] x, float[] weight) {
    int sum = 0;
    for (int i = 0; i < x.length; i++) {
      sum += x[i] * (int) weight[i];
    }
    return sum;
  }

  /** As instructions before VNNI: codes shifted by 128, pairs of products added in 16 bits. */
  private static int saturating(byte[] x, float[] weight) {
    int sum = 0;
    int shift = 0;
    for (int i = 0; i < x.length; i += 2) {
      int pair = (x[i] + 128) * (int) weight[i] + (x[i + 1] + 128) * (int) weight[i + 1];
      sum += Math.max(Short.MIN_VALUE, Math.min(Short.MAX_VALUE, pair));
      shift += 128 * ((int) weight[i] + (int) weight[i + 1]);
    }
    return sum - shift;
  }

  @Test
  void exactSumsPass() {
    Backend exact = backend((x, weight, row, rows) -> exact(x, weight));
    assertThatCode(() -> ExactnessTest.require(exact)).doesNotThrowAnyException();
  }

  @Test
  void saturationIsRefused() {
    refused(backend((x, weight, row, rows) -> saturating(x, weight)));
  }

  /** Wrong in one kind of tile only: the rows that a tile of this height would hold. */
  @ParameterizedTest
  @ValueSource(ints = {16, 32, 48, 64})
  void saturationInTilesOfOneHeightIsRefused(int height) {
    refused(
        backend(
            (x, weight, row, rows) ->
                rows - row / height * height >= height && rows <= 2 * height
                    ? saturating(x, weight)
                    : exact(x, weight)));
  }

  /** float32 no longer holds the sum. */
  @Test
  void roundedSumsAreRefused() {
    refused(
        backend(
            (x, weight, row, rows) -> {
              float sum = 0;
              for (int i = 0; i < x.length; i++) {
                sum += x[i] * weight[i];
              }
              return (int) sum;
            }));
  }

  private static void refused(Backend planted) {
    assertThatThrownBy(() -> ExactnessTest.require(planted))
        .isInstanceOf(BackendUnavailableException.class)
        .hasMessageContaining("integer products are not exact on this machine: row ")
        .hasMessageContaining(", expected ");
  }
}
