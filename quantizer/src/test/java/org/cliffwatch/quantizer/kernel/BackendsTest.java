package org.cliffwatch.quantizer.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import java.util.Set;
import org.cliffwatch.quantizer.InvalidInputException;
import org.junit.jupiter.api.Test;

class BackendsTest {
  private static final Backends.Offer BOTH =
      new Backends.Offer(
          Map.of("onednn", "onednn-3.11-avx2", "reference", "reference-1"), Map.of());
  private static final Backends.Offer INEXACT =
      new Backends.Offer(Map.of("reference", "reference-1"), Map.of("onednn", "not exact"));

  @Test
  void autoPrefersOneDnnWhereItIsExact() {
    assertThat(Backends.choose("auto", BOTH)).isEqualTo("onednn");
    assertThat(Backends.choose("auto", INEXACT)).isEqualTo("reference");
    assertThat(Backends.choose("reference", BOTH)).isEqualTo("reference");
  }

  @Test
  void aMissingBackendIsAnErrorWithItsReason() {
    assertThatThrownBy(() -> Backends.choose("onednn", INEXACT))
        .isInstanceOf(InvalidInputException.class)
        .hasMessage("backend onednn is not available here: not exact");
    assertThatThrownBy(() -> Backends.open("cuda"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("it is not on the class path");
    assertThatThrownBy(() -> Backends.choose("auto", new Backends.Offer(Map.of(), Map.of())))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("backend onednn is not available here")
        .hasMessageContaining("backend reference is not available here");
  }

  @Test
  void onlyWhoGetsLessThanTheBestIsTold() {
    assertThat(Backends.passedOver("onednn", BOTH)).isEmpty();
    assertThat(Backends.passedOver("reference", BOTH)).isEmpty();
    assertThat(Backends.passedOver("reference", INEXACT))
        .contains(
            "backend reference is used, many times slower and with other scores:"
                + " backend onednn is not available here: not exact");
  }

  @Test
  void opensAtAKernelIdentity() {
    Backend onednn = Backends.open("onednn");
    assertThat(onednn.kernel()).startsWith("onednn-3.11-");
    assertThat(Backends.openKernel(onednn.kernel())).isSameAs(onednn);
    for (String bad :
        new String[] {"onednn-9.9-avx2", "onednn-3.11-avx1024", "onednn-3.11-sse41"}) {
      assertThatThrownBy(() -> Backends.openKernel(bad))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("onednn");
    }
    String reference = Backends.open("reference").kernel();
    assertThat(Backends.openKernel(reference).kernel()).isEqualTo(reference);
  }

  @Test
  void instructionSetsOfProcessorFlags() {
    Set<String> zen4 =
        Set.of(
            "sse4_1",
            "avx",
            "avx2",
            "fma",
            "avx512f",
            "avx512bw",
            "avx512vl",
            "avx512dq",
            "avx512_vnni",
            "avx512_bf16");
    assertThat(InstructionSet.of(zen4)).contains(InstructionSet.AVX512_BF16);
    assertThat(InstructionSet.of(Set.of("sse4_1", "avx", "avx2", "fma")))
        .contains(InstructionSet.AVX2);
    assertThat(InstructionSet.of(Set.of())).isEmpty();
    assertThat(InstructionSet.of("amx_int8")).contains(InstructionSet.AMX_INT8);
    assertThat(InstructionSet.of("mmx")).isEmpty();
  }

  @Test
  void theInstructionSetAllMachinesHave() {
    assertThat(InstructionSet.common(InstructionSet.AMX_INT8, InstructionSet.AVX512_BF16))
        .contains(InstructionSet.AVX512_BF16);
    assertThat(InstructionSet.common(InstructionSet.AVX2_VNNI, InstructionSet.AVX512_VNNI))
        .contains(InstructionSet.AVX2);
  }
}
