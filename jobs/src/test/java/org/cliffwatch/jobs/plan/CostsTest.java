package org.cliffwatch.jobs.plan;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.junit.jupiter.api.Test;

class CostsTest {
  private static final Precision FP32 = Precisions.packaged().named("fp32");

  private static Costs of(double... tokensAnItem) {
    return new Costs(tokensAnItem, tokensAnItem, 4, null, Map.of());
  }

  @Test
  void ofLongItemsFewAreScoredTogether() {
    Costs costs = of(0, 100, 256, 5000, 1e6);

    assertThat(costs.together(0, 64)).as("items without text").isEqualTo(64);
    assertThat(costs.together(1, 64)).isEqualTo(64);
    assertThat(costs.together(2, 64)).as("as many tokens as may be").isEqualTo(64);
    assertThat(costs.together(3, 64)).as("pages of WikiText-2").isEqualTo(3);
    assertThat(costs.together(3, 2)).isEqualTo(2);
    assertThat(costs.together(4, 64)).as("longer than what is scored together").isEqualTo(1);
  }

  @Test
  void aTokenOfALongTextCostsMoreUpToTheWindow() {
    Costs costs = of(80, 8192, 1e6);
    CheckpointSize small = new CheckpointSize(135_000_000, 8192);
    CheckpointSize large = new CheckpointSize(7_000_000_000L, 8192);

    assertThat(costs.pass(small, FP32, 1) / costs.pass(small, FP32, 0))
        .as("attention is more than half")
        .isBetween(2.0, 3.0);
    assertThat(costs.pass(large, FP32, 1) / costs.pass(large, FP32, 0))
        .as("products with weights are most")
        .isBetween(1.2, 1.6);
    assertThat(costs.pass(small, FP32, 2)).isEqualTo(costs.pass(small, FP32, 1));
  }
}
