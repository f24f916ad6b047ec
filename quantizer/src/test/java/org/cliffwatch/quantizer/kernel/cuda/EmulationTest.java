package org.cliffwatch.quantizer.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.cliffwatch.quantizer.kernel.ForkedKernel;
import org.cliffwatch.quantizer.kernel.OfferedBackends;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the emulation of a device must catch and do, on kernels of its own. */
class EmulationTest {
  private static final int MINUTES = 10;

  private static final String KERNELS =
      """
      extern "C" void reverse(const int* x, int* y, int n) {
        static thread_local int shared[256];
        int i = threadIdx.x;
        shared[i] = x[i];
        __syncthreads();
        y[i] = shared[n - 1 - i];
      }
      extern "C" void sum_of_warp(const int* x, int* y) {
        int sum = x[threadIdx.x];
        for (int lane = 16; lane > 0; lane /= 2) sum += __shfl_xor_sync(~0u, sum, lane);
        y[threadIdx.x] = sum;
      }
      extern "C" void vote(const int* x, int* y) {
        y[threadIdx.x] = (int)__ballot_sync(~0u, x[threadIdx.x] % 3 == 0);
      }
      extern "C" void diverge(int* x) {
        if (threadIdx.x == 5) {
          __syncthreads();
        } else {
          x[threadIdx.x] = __shfl_sync(~0u, 1, 0);
        }
      }
      extern "C" void part_ways(int* x) {
        if (threadIdx.x < 32) {
          __syncthreads();
        } else {
          __syncthreads();
        }
      }
      extern "C" void exchange_and_vote(int* x) {
        if (threadIdx.x < 16) {
          x[threadIdx.x] = __shfl_sync(~0u, 1, 20);
        } else {
          x[threadIdx.x] = (int)__ballot_sync(~0u, true);
        }
      }
      extern "C" void leave(int* x) {
        if (threadIdx.x >= 16) return;
        x[threadIdx.x] = __shfl_sync(~0u, 1, 20);
      }
      extern "C" void remember(const int* x, int* y) {
        __shared__ int declared[32];
        DYNAMIC_SHARED(int, given);
        if (blockIdx.x == 0) {
          declared[threadIdx.x] = x[threadIdx.x];
          given[threadIdx.x] = x[threadIdx.x];
        } else {
          y[threadIdx.x] = declared[threadIdx.x] & given[threadIdx.x];
        }
      }
      """;

  @TempDir Path folder;

  @BeforeAll
  static void requireACompiler() {
    assumeTrue(OfferedBackends.names().contains("emulated"), "there is no C++ compiler");
  }

  private static int[] run(String kernel, int threads, Object... after) {
    return runBlocks(kernel, 1, threads, 0, after);
  }

  private static int[] runBlocks(
      String kernel, int blocks, int threads, int sharedBytes, Object... after) {
    Emulation emulation = Emulation.of(KERNELS, false);
    int[] x = new int[threads];
    for (int i = 0; i < threads; i++) {
      x[i] = 7 * i + 3;
    }
    try (com.sun.jna.Memory from = new com.sun.jna.Memory(4L * threads);
        com.sun.jna.Memory to = new com.sun.jna.Memory(4L * threads)) {
      from.write(0, x, 0, threads);
      List<Object> arguments = new ArrayList<>();
      arguments.add(com.sun.jna.Pointer.nativeValue(from));
      arguments.add(com.sun.jna.Pointer.nativeValue(to));
      arguments.addAll(List.of(after));
      emulation.launch(kernel, blocks, 1, threads, sharedBytes, arguments.toArray());
      return to.getIntArray(0, threads);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 31, 32, 33, 128, 256})
  void aBlockMeets(int threads) {
    int[] y = run("reverse", threads, threads);
    for (int i = 0; i < threads; i++) {
      assertThat(y[i]).isEqualTo(7 * (threads - 1 - i) + 3);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {32, 64, 256})
  void aWarpExchangesAndVotes(int threads) {
    int[] sums = run("sum_of_warp", threads);
    int[] votes = run("vote", threads);
    for (int warp = 0; warp < threads; warp += 32) {
      int sum = 0;
      int ballot = 0;
      for (int lane = 0; lane < 32; lane++) {
        sum += 7 * (warp + lane) + 3;
        ballot |= (7 * (warp + lane) + 3) % 3 == 0 ? 1 << lane : 0;
      }
      for (int lane = 0; lane < 32; lane++) {
        assertThat(sums[warp + lane]).isEqualTo(sum);
        assertThat(votes[warp + lane]).isEqualTo(ballot);
      }
    }
  }

  @Test
  void threadsThatWaitInVainAreAnError() {
    assertThatThrownBy(() -> run("diverge", 32))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("diverge, block (0, 0)")
        .hasMessageContaining("31 threads wait for their warp at kernels:")
        .hasMessageContaining("1 threads wait for the block at kernels:");
    assertThatThrownBy(() -> run("absent", 32)).hasMessageContaining("there is no kernel absent");
  }

  @Test
  void threadsThatMeetAtDifferentPlacesAreAnError() {
    assertThatThrownBy(() -> run("part_ways", 64))
        .hasMessageContaining("part_ways, block (0, 0): 32 threads wait for the block at kernels:");
    assertThatThrownBy(() -> run("exchange_and_vote", 32))
        .hasMessageContaining("16 threads wait for their warp at kernels:");
    assertThatThrownBy(() -> run("leave", 32)).hasMessageContaining("16 threads have ended");
    // What was abandoned does not show in what comes after.
    assertThat(run("reverse", 32, 32)[31]).isEqualTo(3);
  }

  /** A GPU's blocks find in shared memory what others left there. */
  @Test
  void sharedMemoryIsForgotten() {
    assertThat(runBlocks("remember", 2, 32, 32 * Integer.BYTES)).containsOnly(-1);
  }

  /** Of a last warp that is not whole, lanes that are not there do not vote. */
  @ParameterizedTest
  @ValueSource(ints = {1, 33, 255})
  void aPartOfAWarpVotes(int threads) {
    int[] votes = run("vote", threads);
    int last = (threads - 1) / 32 * 32;
    int ballot = 0;
    for (int i = last; i < threads; i++) {
      ballot |= (7 * i + 3) % 3 == 0 ? 1 << (i - last) : 0;
    }
    assertThat(votes[threads - 1]).isEqualTo(ballot);
  }

  @Test
  void aBoundTooLargeIsCaught() throws IOException, InterruptedException {
    assertThat(sanitized(PlantedBound.class, "0")).contains("launched");
    assertThat(sanitized(PlantedBound.class, "1"))
        .contains("heap-buffer-overflow")
        .contains("fill")
        .doesNotContain("launched");
  }

  /** Every kernel and launch, and a forward pass, with the bounds of every buffer watched. */
  @Test
  void kernelsStayWithinTheirMemory() throws IOException, InterruptedException {
    String output =
        sanitized(
            ForkedKernel.class,
            "emulated-1",
            DeviceSessionTest.class.getName(),
            "org.cliffwatch.quantizer.kernel.VocabularyHeadTest",
            "org.cliffwatch.quantizer.model.VariantGoldenTest");
    assertThat(output).contains(" tests passed").doesNotContain("AddressSanitizer");
  }

  /** The output of a JVM of its own, under the address sanitizer. */
  private String sanitized(Class<?> main, String... arguments)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-Xmx1g", "-D" + Emulation.SANITIZE_PROPERTY + "=true"));
    command.add("--add-modules=jdk.incubator.vector");
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
    command.addAll(List.of(arguments));
    Path output = folder.resolve("output");
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output.toFile());
    builder.environment().put("LD_PRELOAD", libraryOfTheSanitizer());
    // The JVM has its own handlers and keeps what it has.
    builder
        .environment()
        .put("ASAN_OPTIONS", "detect_leaks=0:handle_segv=0:detect_stack_use_after_return=0");
    Process process = builder.start();
    assertThat(process.waitFor(MINUTES, TimeUnit.MINUTES)).isTrue();
    return Files.readString(output, StandardCharsets.UTF_8);
  }

  private static String libraryOfTheSanitizer() throws IOException {
    Process process =
        new ProcessBuilder(Emulation.compiler(), "-print-file-name=libasan.so").start();
    return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).trim();
  }
}
