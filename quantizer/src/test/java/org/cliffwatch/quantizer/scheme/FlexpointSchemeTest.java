package org.cliffwatch.quantizer.scheme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.IntConsumer;
import java.util.stream.Stream;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.MatrixRows;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FlexpointSchemeTest {
  private record Groups(List<Group> groups) implements CalibrationBlock {
    @Override
    public List<Foldable> foldables() {
      return List.of();
    }

    @Override
    public int leastChanging(Foldable foldable, List<Map<String, WeightRows>> candidates) {
      throw new IllegalStateException();
    }

    @Override
    public void inParallel(int n, IntConsumer work) {
      throw new IllegalStateException();
    }
  }

  private static Precision flexpoint(int bits) {
    Precision precision = new Precision("x", "flexpoint", bits, bits, FloatType.FLOAT32, Map.of());
    Schemes.of(precision).check(precision);
    return precision;
  }

  /** Layers that share inputs, a number a sample; 0: the sample has none. */
  private static CalibrationBlock.Group group(Precision precision, float[] x, String... names) {
    InputStatistics inputs =
        new InputStatistics(names[0], 1, Schemes.of(precision).statistics(precision));
    for (float each : x) {
      inputs.add(new float[] {each}, each == 0 ? 0 : 1);
    }
    return new CalibrationBlock.Group(
        Stream.of(names).map(name -> new CalibrationBlock.Layer(name, weight(name, 1))).toList(),
        inputs);
  }

  private static MatrixRows weight(String name, float... values) {
    return new MatrixRows(name, 1, values.length, values);
  }

  private static float inputScale(Findings findings, String layer) {
    return findings.numbers(layer, Findings.INPUT_SCALE).orElseThrow()[0];
  }

  @ParameterizedTest
  @ValueSource(ints = {8, 12, 16})
  void everyUseHasWhatAutoflexPredicts(int bits) {
    Precision precision = flexpoint(bits);
    SplittableRandom random = new SplittableRandom(bits);
    float[] attention = new float[128];
    float[] expert = new float[128];
    for (int s = 0; s < attention.length; s++) {
      attention[s] = (float) -Math.exp(random.nextGaussian() * 0.4);
      expert[s] = random.nextInt(3) == 0 ? 0 : (float) (Math.exp(random.nextGaussian()) / 50);
    }
    Findings findings = new Findings();
    Schemes.of(precision)
        .calibrate(
            new Groups(
                List.of(
                    group(precision, attention, "query", "key", "value"),
                    group(precision, expert, "expert"),
                    group(precision, new float[128], "never"))),
            precision,
            findings);
    assertThat(inputScale(findings, "query")).isEqualTo(predicted(bits, attention));
    assertThat(inputScale(findings, "key")).isEqualTo(inputScale(findings, "query"));
    assertThat(inputScale(findings, "value")).isEqualTo(inputScale(findings, "query"));
    assertThat(inputScale(findings, "expert")).isEqualTo(predicted(bits, expert));
    assertThat(inputScale(findings, "expert")).isLessThan(inputScale(findings, "query"));
    assertThat(inputScale(findings, "never")).isEqualTo(inputScale(findings, "query"));
  }

  private static float predicted(int bits, float[] samples) {
    AutoflexTest.Paper paper = new AutoflexTest.Paper(bits);
    boolean isFirst = true;
    for (float sample : samples) {
      if (sample != 0) {
        if (isFirst) {
          paper.initialize(Math.abs(sample));
          isFirst = false;
        }
        paper.update(paper.run(Math.abs(sample)));
      }
    }
    return (float) paper.kappa;
  }

  private static WeightRows calibrated(MatrixRows weight) {
    Findings findings = new Findings();
    findings.put("layer", Findings.INPUT_SCALE, 0.125f);
    return new CalibratedWeight(weight, "layer", findings);
  }

  @ParameterizedTest
  @ValueSource(ints = {8, 9, 16})
  void weightsHaveTheExponentOfTheirLargest(int bits) {
    SplittableRandom random = new SplittableRandom(1);
    float[] values = new float[1000];
    double largest = 0;
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (random.nextGaussian() * 0.02);
      largest = Math.max(largest, Math.abs(values[i]));
    }
    AutoflexTest.Paper paper = new AutoflexTest.Paper(bits);
    paper.initialize(largest);
    Precision precision = flexpoint(bits);
    LinearForm form = Schemes.of(precision).prepare(calibrated(weight("w", values)), precision);
    float[] found = new float[values.length];
    if (form instanceof LinearForm.IntegerProduct integers) {
      integers.weight().dequantize(0, found);
      assertThat(integers.weight().scales()).containsExactly((float) paper.kappa);
    } else {
      ((LinearForm.Floating) form).weight().row(0, found);
    }
    assertThat(form)
        .isInstanceOf(bits == 8 ? LinearForm.IntegerProduct.class : LinearForm.Floating.class);
    for (int i = 0; i < values.length; i++) {
      double expected = Math.rint(values[i] / paper.kappa) * paper.kappa;
      assertThat((double) found[i]).isEqualTo(expected + 0.0);
    }
    RowQuantizer inputs = form.inputs();
    float[] x = {0.0625f, 0.1875f, 1e9f, -1e9f};
    float[] quantized = new float[4];
    inputs.apply(x, 0, 4, quantized, 0);
    float end = 1 << (bits - 1);
    assertThat(quantized).containsExactly(0, 0.25f, (end - 1) / 8, -end / 8);
  }

  @Test
  void aWeightBeyondTheLargestScaleSaturates() {
    Precision precision = flexpoint(8);
    LinearForm.IntegerProduct form =
        (LinearForm.IntegerProduct)
            Schemes.of(precision).prepare(calibrated(weight("w", 1, -300, 300)), precision);
    assertThat(form.weight().codes()).containsExactly(1, -128, 127);
    assertThat(form.weight().scales()).containsExactly(1);
  }

  @Test
  void aWeightThatIsNotFiniteIsNamed() {
    Precision precision = flexpoint(16);
    assertThatThrownBy(
            () -> Schemes.of(precision).prepare(calibrated(weight("w", 1, Float.NaN)), precision))
        .isInstanceOf(InvalidInputException.class)
        .hasMessage("w: row 0, column 1: found NaN, expected a finite weight");
  }

  /** 16 bits are two bytes, but float32 in memory. */
  @Test
  void bitsAreThoseOfMantissas() {
    Scheme scheme = Schemes.of(flexpoint(16));
    assertThat(scheme.bits(100, flexpoint(16))).isEqualTo(16);
    assertThat(scheme.packedBits(100, flexpoint(16))).isEqualTo(32);
    assertThat(scheme.packedBits(100, flexpoint(8))).isEqualTo(8);
    assertThat(scheme.multipliesIntegers(flexpoint(16))).isFalse();
    assertThat(flexpoint(16).keepsInputs()).isFalse();
  }
}
