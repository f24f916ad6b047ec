package org.cliffwatch.jobs.predict;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class PowerLawTest {
  /** Costs span seven powers of ten: the smallest hardly count in squares. */
  private static final double TOLERANCE = 1e-4;

  @ParameterizedTest
  @EnumSource
  void exponentsAreFoundAgain(PowerLaw.Form form) {
    for (double sign : new double[] {1, -1}) {
      PowerLaw truth =
          new PowerLaw(
              form, sign, Math.log(0.3), -0.4, 0.55, form == PowerLaw.Form.KUMAR ? -0.7 : -3);
      List<PowerLaw.Point> points = new ArrayList<>();
      for (double parameters : new double[] {3e5, 1e6, 4e6}) {
        for (double steps : new double[] {100, 1000, 5000}) {
          for (double bits : new double[] {2, 3, 4, 8}) {
            PowerLaw.Point point = new PowerLaw.Point(parameters, steps, bits, 0);
            points.add(new PowerLaw.Point(parameters, steps, bits, truth.predict(point)));
          }
        }
      }
      PowerLaw found = PowerLaw.fit(form, points);
      assertThat(found.sign()).isEqualTo(sign);
      assertThat(found.parameters()).isCloseTo(truth.parameters(), within(TOLERANCE));
      assertThat(found.steps()).isCloseTo(truth.steps(), within(TOLERANCE));
      assertThat(found.bits()).isCloseTo(truth.bits(), within(TOLERANCE));
      assertThat(found.predict(points.get(5))).isCloseTo(points.get(5).cost(), within(TOLERANCE));
      assertThat(PowerLaw.fit(points).form()).isEqualTo(form);
    }
  }

  /** One size, one step, one width: nothing to find but the mean. */
  @Test
  void whatNeverVariesHasNoExponent() {
    List<PowerLaw.Point> points =
        List.of(new PowerLaw.Point(1e6, 100, 8, 0.02), new PowerLaw.Point(1e6, 100, 8, 0.04));
    for (PowerLaw.Form form : PowerLaw.Form.values()) {
      assertThat(PowerLaw.fit(form, points).predict(points.get(0)))
          .isCloseTo(0.03, within(TOLERANCE));
    }
    assertThat(
            PowerLaw.fit(PowerLaw.Form.KUMAR, List.of(new PowerLaw.Point(1e6, 100, 8, 0)))
                .predict(points.get(0)))
        .isZero();
  }
}
