package org.cliffwatch.jobs.plan;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;

class CostsTest {
  @Test
  void ofLongItemsFewAreScoredTogether() {
    Costs costs = new Costs(new double[] {0, 100, 256, 5000, 1e6}, 4, null, Map.of());

    assertThat(costs.together(0, 64)).as("items without text").isEqualTo(64);
    assertThat(costs.together(1, 64)).isEqualTo(64);
    assertThat(costs.together(2, 64)).as("as many tokens as may be").isEqualTo(64);
    assertThat(costs.together(3, 64)).as("pages of WikiText-2").isEqualTo(3);
    assertThat(costs.together(3, 2)).isEqualTo(2);
    assertThat(costs.together(4, 64)).as("longer than what is scored together").isEqualTo(1);
  }
}
