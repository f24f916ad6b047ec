package org.cliffwatch.quantizer.kernel.vector;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.scheme.Element;
import org.cliffwatch.quantizer.scheme.RowQuantizer;
import org.cliffwatch.quantizer.scheme.RowQuantizer.Scaling;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Beside {@link RowQuantizer#apply} and {@link RowQuantizer#codes}, every bit. */
class VectorQuantizerTest {
  private static final int[] SIZES = {1, 7, 8, 15, 16, 17, 31, 32, 33, 48, 63, 65, 96, 127, 576};

  private static final float[] ODD = {
    Float.NaN,
    Float.POSITIVE_INFINITY,
    Float.NEGATIVE_INFINITY,
    Float.MAX_VALUE,
    -Float.MAX_VALUE,
    Float.MIN_VALUE,
    -Float.MIN_NORMAL,
    0x1p-126f * 190,
    65504,
    65519.996f,
    65520,
    -0f,
    6,
    -5.998047f,
    5.9980464f,
    448 * 8,
    464 * 8
  };

  static Stream<RowQuantizer> widened() {
    return Stream.of(Element.values())
        .flatMap(
            element ->
                Stream.of(
                    RowQuantizer.dynamic(element, true, 0),
                    RowQuantizer.dynamic(element, true, 24),
                    RowQuantizer.dynamic(element, false, 0),
                    RowQuantizer.fixed(element, 0.037f, 0),
                    RowQuantizer.fixed(element, 0.25f, 3),
                    new RowQuantizer(element, true, 32, Scaling.FLOOR, 0, 0),
                    new RowQuantizer(element, true, 32, Scaling.CEIL, 0, 0),
                    new RowQuantizer(element, true, 32, Scaling.RCEIL, 0, 0),
                    new RowQuantizer(element, true, 32, Scaling.EVEN, 0, 0),
                    new RowQuantizer(element, true, 16, Scaling.GLOBAL, 300, 0),
                    new RowQuantizer(element, true, 16, Scaling.ROW_GLOBAL, 0, 0)));
  }

  @ParameterizedTest
  @MethodSource("widened")
  void widensAsTheReference(RowQuantizer quantizer) {
    for (int n : SIZES) {
      for (float[] row : rows(n, quantizer.element())) {
        float[] expected = new float[n + 2];
        quantizer.apply(row, 1, n, expected, 1);
        float[] found = new float[n + 2];
        VectorQuantizer.apply(quantizer, row, 1, n, found, 1);
        assertThat(bits(found)).as("%d of %s", n, quantizer).isEqualTo(bits(expected));
      }
    }
  }

  static Stream<RowQuantizer> coded() {
    return Stream.of(
        RowQuantizer.dynamic(Element.INT8, true, 0),
        RowQuantizer.dynamic(Element.INT8_SYMMETRIC, true, 0),
        RowQuantizer.fixed(Element.INT8, 0.02f, 0),
        RowQuantizer.fixed(Element.INT8_SYMMETRIC, 0.02f, 0),
        RowQuantizer.withOutliers(6),
        RowQuantizer.withOutliers(6.001f),
        RowQuantizer.withOutliers(0x1p-20f),
        RowQuantizer.withOutliers(Float.POSITIVE_INFINITY));
  }

  @ParameterizedTest
  @MethodSource("coded")
  void codesAsTheReference(RowQuantizer quantizer) {
    for (int n : SIZES) {
      for (float[] row : rows(n, Element.INT8)) {
        byte[] expected = new byte[n];
        float scale = quantizer.codes(row, 1, n, expected, 0);
        float[] found = new float[n];
        Arrays.fill(found, 99);
        float foundScale = VectorQuantizer.codes(quantizer, row, 1, n, found);
        assertThat(Float.floatToIntBits(foundScale)).isEqualTo(Float.floatToIntBits(scale));
        for (int i = 0; i < n; i++) {
          assertThat(found[i]).as("%d of %s", i, quantizer).isEqualTo(expected[i]);
        }
      }
    }
  }

  /** As the definition, on both sides of the least one, of any sign. */
  @Test
  void theLeastOutlierIsTheLeast() {
    for (float threshold :
        new float[] {6, 6.001f, 5.9999f, 0x1p-20f, 65504, Float.POSITIVE_INFINITY}) {
      RowQuantizer quantizer = RowQuantizer.withOutliers(threshold);
      float least = quantizer.leastOutlier();
      for (float sign : new float[] {1, -1}) {
        assertThat(quantizer.isOutlier(sign * least)).isTrue();
        assertThat(quantizer.isOutlier(sign * Math.nextDown(least))).isFalse();
      }
      assertThat(FloatType.FLOAT16.round(least)).isGreaterThanOrEqualTo(threshold);
    }
  }

  /** Rows from place 1 on: of many sizes, of zeros, of ties, of odd values. */
  private static List<float[]> rows(int n, Element element) {
    SplittableRandom random = new SplittableRandom(n);
    float[] normal = new float[n + 1];
    float[] wide = new float[n + 1];
    float[] ties = new float[n + 1];
    float[] subnormal = new float[n + 1];
    for (int i = 1; i <= n; i++) {
      normal[i] = (float) random.nextGaussian();
      wide[i] = (float) (random.nextGaussian() * Math.pow(10, random.nextInt(-30, 30)));
      ties[i] = (i % 61 - 30.5f) * Math.scalb(1f, -element.places());
      subnormal[i] = Float.intBitsToFloat(random.nextInt(1 << random.nextInt(1, 25)));
    }
    List<float[]> rows = new ArrayList<>(List.of(new float[n + 1], normal, wide, ties, subnormal));
    for (float odd : ODD) {
      float[] row = normal.clone();
      row[1 + random.nextInt(n)] = odd;
      rows.add(row);
      float[] withTwo = wide.clone();
      withTwo[1 + random.nextInt(n)] = odd;
      rows.add(withTwo);
    }
    return rows;
  }

  /** A NaN is one whatever its bits. */
  private static int[] bits(float[] x) {
    int[] bits = new int[x.length];
    for (int i = 0; i < x.length; i++) {
      bits[i] = Float.floatToIntBits(x[i]);
    }
    return bits;
  }
}
