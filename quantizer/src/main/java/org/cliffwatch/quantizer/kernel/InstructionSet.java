package org.cliffwatch.quantizer.kernel;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * The x86 instruction sets a kernel's results depend on, as oneDNN ranks them. Each includes those
 * whose bits it has (dnnl_types.h, {@code dnnl_cpu_isa_t}).
 */
public enum InstructionSet {
  SSE41(0x1, "sse4_1"),
  AVX(0x3, "sse4_1 avx"),
  AVX2(0x7, "sse4_1 avx avx2 fma"),
  AVX2_VNNI(0xf, "sse4_1 avx avx2 fma avx_vnni"),
  AVX2_VNNI_2(0x1f, "sse4_1 avx avx2 fma avx_vnni avx_vnni_int8 avx_ne_convert"),
  AVX512(0x27, "avx2 fma avx512f avx512bw avx512vl avx512dq"),
  AVX512_VNNI(0x67, "avx2 fma avx512f avx512bw avx512vl avx512dq avx512_vnni"),
  AVX512_BF16(0xe7, "avx2 fma avx512f avx512bw avx512vl avx512dq avx512_vnni avx512_bf16"),
  AVX512_FP16(
      0x1ef,
      "avx2 fma avx512f avx512bw avx512vl avx512dq avx512_vnni avx512_bf16 avx_vnni avx512_fp16"),
  AMX_INT8(
      0xfef,
      "avx2 fma avx512f avx512bw avx512vl avx512dq avx512_vnni avx512_bf16 avx_vnni avx512_fp16"
          + " amx_tile amx_int8 amx_bf16"),
  AMX_FP16(
      0x1fef,
      "avx2 fma avx512f avx512bw avx512vl avx512dq avx512_vnni avx512_bf16 avx_vnni avx512_fp16"
          + " amx_tile amx_int8 amx_bf16 amx_fp16");

  private final int mask;
  private final Set<String> flags;

  InstructionSet(int mask, String flags) {
    this.mask = mask;
    this.flags = Set.of(flags.split(" ", -1));
  }

  /** oneDNN's number. */
  public int mask() {
    return mask;
  }

  /** As kernel identities spell it: {@code avx512_vnni}. */
  public String spelled() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** Whether products of int8 are added in 32 bits, and not in pairs in 16 first. */
  public boolean hasVnni() {
    return includes(AVX2_VNNI) || includes(AVX512_VNNI);
  }

  public boolean includes(InstructionSet other) {
    return (mask & other.mask) == other.mask;
  }

  /** The set of that spelling. */
  public static Optional<InstructionSet> of(String spelled) {
    return Arrays.stream(values()).filter(isa -> isa.spelled().equals(spelled)).findFirst();
  }

  /** The largest set within oneDNN's number. */
  public static Optional<InstructionSet> within(int mask) {
    return Arrays.stream(values())
        .filter(isa -> (mask & isa.mask) == isa.mask)
        .max(Comparator.comparingInt(isa -> isa.mask));
  }

  /** The largest set that both have. */
  public static Optional<InstructionSet> common(InstructionSet a, InstructionSet b) {
    return within(a.mask & b.mask);
  }

  /**
   * The largest set of a processor: a pure function of its facts.
   *
   * @param processor flags as {@code /proc/cpuinfo} lists them
   */
  public static Optional<InstructionSet> of(Set<String> processor) {
    return Arrays.stream(values())
        .filter(isa -> processor.containsAll(isa.flags))
        .max(Comparator.comparingInt(isa -> isa.mask));
  }

  /** The largest set of this machine; empty where the system does not tell. */
  public static Optional<InstructionSet> ofThisMachine() {
    try (Stream<String> lines = Files.lines(Path.of("/proc/cpuinfo"))) {
      return lines
          .filter(line -> line.startsWith("flags"))
          .findFirst()
          .flatMap(
              line -> of(Set.of(line.substring(line.indexOf(':') + 1).trim().split(" +", -1))));
    } catch (IOException e) {
      return Optional.empty();
    }
  }
}
