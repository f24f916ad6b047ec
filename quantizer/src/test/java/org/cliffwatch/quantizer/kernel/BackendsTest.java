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
    assertThatThrownBy(() -> Backends.open("tpu"))
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
    assertThat(onednn.kernel()).matches("onednn-3\\.11-[a-z0-9_]+-[0-9a-f]{8}");
    assertThat(Backends.openKernel(onednn.kernel())).isSameAs(onednn);
    for (String bad :
        new String[] {"onednn-9.9-avx2", "onednn-3.11-avx1024", "onednn-3.11-sse41"}) {
      assertThatThrownBy(() -> Backends.openKernel(bad))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("onednn");
    }
    String reference = Backends.open("reference").kernel();
    assertThat(reference).matches("reference-nd4j-1\\.0\\.0-M2\\.1-[0-9a-f]{8}");
    assertThat(Backends.openKernel(reference).kernel()).isEqualTo(reference);
  }

  /** As identities were spelled before they had a digest, and as people pin them. */
  @Test
  void anIdentityWithoutADigestMeansAny() {
    for (String backend : new String[] {"onednn", "reference"}) {
      String whole = Backends.open(backend).kernel();
      String old = whole.substring(0, whole.lastIndexOf('-'));
      assertThat(Backends.openKernel(old).kernel()).isEqualTo(whole);
      assertThatThrownBy(() -> Backends.openKernel(old + "-00000000"))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("found kernel " + whole + ", expected " + old + "-00000000")
          .hasMessageContaining("products round otherwise here");
    }
  }

  @Test
  void readsIdentities() {
    KernelIdentity whole = KernelIdentity.of("onednn-3.11-avx512_vnni-5e0c61f2");
    assertThat(whole.backend()).isEqualTo("onednn");
    assertThat(whole.library()).isEqualTo("onednn-3.11");
    assertThat(whole.instructionSet()).contains(InstructionSet.AVX512_VNNI);
    assertThat(whole.digest()).contains("5e0c61f2");
    assertThat(whole.within(InstructionSet.AVX2)).hasToString("onednn-3.11-avx2");
    KernelIdentity reference = KernelIdentity.of("reference-nd4j-1.0.0-M2.1");
    assertThat(reference.backend()).isEqualTo("reference");
    assertThat(reference.library()).isEqualTo("reference-nd4j-1.0.0-M2.1");
    assertThat(reference.within(InstructionSet.AVX2)).isEqualTo(reference);
    for (String spelled :
        new String[] {
          "onednn-3.11-avx512_vnni-5e0c61f2",
          "onednn-3.11-avx2",
          "reference-nd4j-1.0.0-M2.1",
          "reference-nd4j-1.0.0-M2.1-01234567",
          "lm-evaluation-harness-0.4.13",
          "cuda",
          ""
        }) {
      assertThat(KernelIdentity.of(spelled)).hasToString(spelled);
    }
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
