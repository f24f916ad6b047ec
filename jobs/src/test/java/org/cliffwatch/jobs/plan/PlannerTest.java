package org.cliffwatch.jobs.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Set;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.InstructionSet;
import org.junit.jupiter.api.Test;

class PlannerTest {
  private static final Planner.Offer ONE =
      new Planner.Offer("onednn-3.11-avx2-11111111", null, null);
  private static final Planner.Offer OTHER =
      new Planner.Offer("onednn-3.11-avx2-22222222", null, null);
  private static final Planner.Offer NONE = new Planner.Offer(null, null, "not available here");

  @Test
  void aRunUsesOneKernelThatSomeExecutorsHave() {
    assertThat(Planner.agreed(Set.of(ONE))).isEqualTo(ONE);
    Planner.Offer some = Planner.agreed(Set.of(ONE, NONE));
    assertThat(some.kernel()).isEqualTo(ONE.kernel());
    assertThat(some.warning())
        .isEqualTo(
            "some executors get no tasks, since they cannot be onednn-3.11-avx2-11111111: not"
                + " available here");
    assertThatThrownBy(() -> Planner.agreed(Set.of(NONE)))
        .isInstanceOf(InvalidInputException.class)
        .hasMessage("not available here");
    assertThatThrownBy(() -> Planner.agreed(Set.of(ONE, OTHER)))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("found onednn-3.11-avx2-11111111, onednn-3.11-avx2-22222222")
        .hasMessageContaining("pin one of them with 'kernel:'");
  }

  @Test
  void executorsAgreeOnWhatAllOfThemHave() {
    assertThat(Planner.common(Set.of("amx_int8", "avx512_bf16")))
        .isEqualTo(InstructionSet.AVX512_BF16);
    assertThat(Planner.common(Set.of("avx2_vnni", "avx512_vnni"))).isEqualTo(InstructionSet.AVX2);
    assertThat(Planner.common(Set.of("none", "avx512_vnni"))).isNull();
  }
}
