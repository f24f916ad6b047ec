package org.cliffwatch.quantizer.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

class KernelDigestTest {
  /** A backend of which one value of one precision's products is a bit off. */
  private static Backend off(Backend real, String precision) {
    return new PlantedBackend(
        real,
        (projections, asked) -> {
          Linear linear = real.linear(projections, asked);
          return asked.name().equals(precision) ? new OffLinear(linear) : linear;
        });
  }

  private record OffLinear(Linear real) implements Linear {
    @Override
    public int inputs() {
      return real.inputs();
    }

    @Override
    public int[] outputs() {
      return real.outputs();
    }

    @Override
    public void apply(float[] x, int rows, Stopwatch watch, float[]... y) {
      real.apply(x, rows, watch, y);
      int last = y[0].length - 1;
      y[0][last] = Math.nextUp(y[0][last]);
    }

    @Override
    public long bytes() {
      return real.bytes();
    }

    @Override
    public void close() {
      real.close();
    }
  }

  @Test
  void anyBitOfAnyKindOfProductChangesIt() {
    for (String name : new String[] {"onednn", "reference"}) {
      Backend backend = Backends.open(name);
      String digest = KernelDigest.of(backend);
      assertThat(backend.kernel()).endsWith("-" + digest);
      Set<String> digests = new HashSet<>(Set.of(digest));
      for (String precision : new String[] {"fp32", "bf16", "fp16", "w8", "w4", "w8a8"}) {
        assertThat(digests.add(KernelDigest.of(off(backend, precision))))
            .as("%s %s", name, precision)
            .isTrue();
      }
    }
  }
}
