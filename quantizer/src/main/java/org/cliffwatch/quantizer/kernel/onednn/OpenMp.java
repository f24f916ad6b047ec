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
  private static final String NAME = "omp_set_num_threads";
  private static final ThreadLocal<Boolean> SINGLE = ThreadLocal.withInitial(() -> false);

  /** Null where the environment says it all. */
  private static volatile Call call;

  private OpenMp() {}

  /** A function from int to void, called by its address: no preset has OpenMP's by name. */
  private static final class Call extends SetNumThreads {
    Call(Pointer address) {
      put(address);
    }
  }

  /**
   * Finds OpenMP's function; oneDNN is loaded.
   *
   * @throws BackendUnavailableException where there is none
   */
  static synchronized void find() {
    if (call != null || "1".equals(System.getenv("OMP_NUM_THREADS"))) {
      return;
    }
    // That of the copy of OpenMP, among several that may be loaded, which the library is bound to.
    Loader.loadGlobal(Loader.load(dnnl.class));
    Pointer address = Loader.addressof(NAME);
    if (address == null) {
      throw new BackendUnavailableException(
          "OpenMP's "
              + NAME
              + " was not found beside oneDNN; set OMP_NUM_THREADS=1 before starting Java");
    }
    call = new Call(address);
  }

  /** Whatever the calling thread makes or runs from now on has one thread. */
  static void single() {
    if (!SINGLE.get()) {
      if (call != null) {
        call.call(1);
      }
      SINGLE.set(true);
    }
  }
}
