package org.cliffwatch.quantizer.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.cliffwatch.quantizer.InvalidInputException;
import org.cliffwatch.quantizer.kernel.Backends;
import org.cliffwatch.quantizer.kernel.MatrixRows;
import org.cliffwatch.quantizer.kernel.OfferedBackends;
import org.cliffwatch.quantizer.kernel.Projection;
import org.cliffwatch.quantizer.scheme.Precision;
import org.cliffwatch.quantizer.scheme.Precisions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

@Tag("gpu")
class DeviceTest {
  @Test
  void aGpuIsTheCudaBackend() {
    assumeTrue(OfferedBackends.gpu(), "there is no GPU");
    assertThat(Backends.open("cuda").kernel()).matches("cuda-[0-9.]+-sm_[0-9]+-[0-9a-f]{8}");
  }

  /** Library products too: the GPU's are cuBLASLt's. */
  @ParameterizedTest
  @MethodSource("org.cliffwatch.quantizer.kernel.cuda.Devices#all")
  void aRowsProductIsTheSameWhateverIsBesideIt(DeviceBackend backend) {
    SplittableRandom random = new SplittableRandom(1);
    int inputs = 272;
    int outputs = 144;
    float[] w = new float[outputs * inputs];
    for (int i = 0; i < w.length; i++) {
      w[i] = (float) random.nextGaussian();
    }
    MatrixRows weight = new MatrixRows("w", outputs, inputs, w);
    float[] x = new float[300 * inputs];
    for (String name : List.of("fp32", "bf16", "fp16", "w8", "w4", "w8a8")) {
      Precision precision = Precisions.packaged().named(name);
      for (int i = 0; i < x.length; i++) {
        x[i] = precision.compute().round((float) random.nextGaussian());
      }
      try (DeviceLinear layer = backend.linear(List.of(new Projection(weight, null)), precision)) {
        float[] all = new float[300 * outputs];
        layer.apply(x, 300, all);
        for (int[] part : new int[][] {{0, 1}, {7, 40}, {131, 132}, {100, 300}}) {
          int rows = part[1] - part[0];
          float[] some = new float[rows * outputs];
          layer.apply(Arrays.copyOfRange(x, part[0] * inputs, part[1] * inputs), rows, some);
          assertThat(some)
              .as("%s, rows %s", name, Arrays.toString(part))
              .isEqualTo(Arrays.copyOfRange(all, part[0] * outputs, part[1] * outputs));
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("org.cliffwatch.quantizer.kernel.cuda.Devices#all")
  void tooLittleMemoryIsAnErrorWithBothNumbers(DeviceBackend backend) {
    Device device = backend.device();
    assertThatThrownBy(() -> device.allocate(1L << 50))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining(device.name())
        .hasMessageContaining("expected " + (1L << 50) + " more");
    try (Device.Memory memory = device.allocate(1 << 20)) {
      assertThat(memory.address() % 256).isZero();
    }
  }

  @Test
  void aKernelOfAnotherNameIsRefused() {
    assertThatThrownBy(() -> Backends.openKernel("emulated-9"))
        .hasMessageContaining("backend emulated is not available here");
  }
}
