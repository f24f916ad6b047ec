package org.cliffwatch.quantizer.kernel.onednn;

import org.bytedeco.dnnl.global.dnnl;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.openblas.presets.openblas_nolapack.SetNumThreads;
import org.cliffwatch.quantizer.kernel.BackendUnavailableException;

/**
 * Keeps oneDNN's OpenMP to one thread a caller: the threads of a process share the packed weights,
 * one stream of products each, and products that started threads of their own would fight over the
 * same cores. OpenMP reads {@code OMP_NUM_THREADS} when it is loaded, so from here it is told by a
 * call, once on every thread: the number belongs to the thread that sets it.
 */
final class OpenMp {
  private static final String CALL = "omp_set_num_threads";
  private static final ThreadLocal<Boolean> SINGLE = ThreadLocal.withInitial(() -> false);

  private OpenMp() {}

  /** OpenMP's own function, by its address: no preset has it by name. */
  private static final class Call extends SetNumThreads {
    static final Call INSTANCE = new Call();

    private Call() {
      // The library's own copy of OpenMP, whichever of the loaded ones that is.
      Loader.loadGlobal(Loader.load(dnnl.class));
      Pointer address = Loader.addressof(CALL);
      if (address == null) {
        throw new BackendUnavailableException(
            "OpenMP's "
                + CALL
                + " was not found beside oneDNN; set OMP_NUM_THREADS=1 before starting Java");
      }
      put(address);
    }
  }

  /** Whatever the calling thread makes or runs from now on has one thread. */
  static void single() {
    if (!SINGLE.get()) {
      if (!"1".equals(System.getenv("OMP_NUM_THREADS"))) {
        Call.INSTANCE.call(1);
      }
      SINGLE.set(true);
    }
  }
}
