package org.cliffwatch.jobs.plan;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Set;
import org.cliffwatch.quantizer.kernel.InstructionSet;
import org.junit.jupiter.api.Test;

class PlannerTest {
  @Test
  void executorsAgreeOnWhatAllOfThemHave() {
    assertThat(Planner.common(Set.of("amx_int8", "avx512_bf16")))
        .isEqualTo(InstructionSet.AVX512_BF16);
    assertThat(Planner.common(Set.of("avx2_vnni", "avx512_vnni"))).isEqualTo(InstructionSet.AVX2);
    assertThat(Planner.common(Set.of("none", "avx512_vnni"))).isNull();
  }
}
