package org.cliffwatch.quantizer.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.cliffwatch.quantizer.kernel.cuda.EmulatedProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Kernels in JVMs of their own: what a process can be only once, the instruction set, the width of
 * vectors and OpenMP's threads.
 */
class KernelForkTest {
  private static final int MINUTES = 5;
  private static final String VECTORS = "--add-modules=jdk.incubator.vector";

  @TempDir Path folder;

  private record Fork(int exitCode, String output) {
    List<String> scores() {
      return output
          .lines()
          .filter(line -> line.startsWith(ForkedKernel.SCORES))
          .map(line -> line.substring(ForkedKernel.SCORES.length()))
          .toList();
    }
  }

  private Fork fork(List<String> options, List<String> arguments)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-Xmx1g", "-Djava.io.tmpdir=" + folder));
    // Depends on none of what is tried here.
    command.add("-D" + EmulatedProvider.PROPERTY + "=false");
    command.addAll(options);
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add(ForkedKernel.class.getName());
    command.addAll(arguments);
    Path output = folder.resolve("output");
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output.toFile());
    builder.environment().remove("OMP_NUM_THREADS");
    Process process = builder.start();
    assertThat(process.waitFor(MINUTES, TimeUnit.MINUTES)).isTrue();
    return new Fork(process.exitValue(), Files.readString(output, StandardCharsets.UTF_8));
  }

  /** Fewer lanes, other compilers: the same identity and every bit the same. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "-XX:MaxVectorSize=32",
        "-XX:MaxVectorSize=16",
        "-XX:UseAVX=2",
        "-XX:TieredStopAtLevel=1"
      })
  void noBitDependsOnTheJvmsVectorsOrCompiler(String option)
      throws IOException, InterruptedException {
    Backend own = Backends.open("onednn");
    Fork fork = fork(List.of(VECTORS, option), List.of(own.kernel()));
    assertThat(fork.exitCode()).as(fork.output()).isZero();
    List<String> expected = new ArrayList<>(List.of(own.kernel()));
    expected.addAll(ForkedKernel.scores(own, folder));
    assertThat(fork.scores()).isEqualTo(expected);
  }

  /** With nothing in the environment that says so. */
  @Test
  void aProductStartsNoThreads() throws IOException, InterruptedException {
    Fork fork =
        fork(List.of(VECTORS), List.of(Backends.open("onednn").kernel(), ForkedKernel.THREADS));
    assertThat(fork.exitCode()).as(fork.output()).isZero();
    assertThat(fork.scores().get(1)).isEqualTo("1");
  }

  @Test
  void autoThatLandsOnReferenceSaysWhy() throws IOException, InterruptedException {
    Fork fork = fork(List.of(), List.of(Backends.AUTO));
    assertThat(fork.exitCode()).as(fork.output()).isZero();
    assertThat(fork.scores().get(0)).startsWith("reference-");
    assertThat(fork.scores().get(1))
        .isEqualTo(
            "backend reference is used, many times slower and with other scores: backend onednn is"
                + " not available here: Java was started without --add-modules"
                + " jdk.incubator.vector");
  }

  /** Kernels below this machine's own, from AVX2 on. */
  static List<InstructionSet> lesser() {
    InstructionSet own =
        KernelIdentity.of(Backends.open("onednn").kernel()).instructionSet().orElseThrow();
    return Arrays.stream(InstructionSet.values())
        .filter(set -> set != own && own.includes(set) && set.includes(InstructionSet.AVX2))
        .toList();
  }

  /**
   * Tests that need the shared material are skipped here where they are in this JVM. A processor of
   * the lowest set has none below.
   */
  @ParameterizedTest(allowZeroInvocations = true)
  @MethodSource("lesser")
  void goldensHoldWithLowerInstructionSets(InstructionSet set)
      throws IOException, InterruptedException {
    String kernel = "onednn-3.11-" + set.spelled();
    List<String> arguments =
        new ArrayList<>(
            List.of(
                kernel,
                "org.cliffwatch.quantizer.model.VariantGoldenTest",
                "org.cliffwatch.quantizer.kernel.VectorwiseGoldenTest",
                "org.cliffwatch.quantizer.kernel.LinearTest",
                "org.cliffwatch.quantizer.kernel.onednn.MatmulCheckTest"));
    if (set == InstructionSet.AVX2) {
      // Half a minute: the variants have each family's operations already.
      arguments.add("org.cliffwatch.quantizer.model.FamilyGoldenTest");
    }
    Fork fork = fork(List.of(VECTORS), arguments);
    assertThat(fork.exitCode()).as(fork.output()).isZero();
    assertThat(fork.scores().get(0)).startsWith(kernel + "-");
    assertThat(fork.output()).contains(" tests passed");
  }
}
