package org.cliffwatch.quantizer.kernel.reference;

import java.util.Optional;
import org.bytedeco.openblas.global.openblas_nolapack;
import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.BackendProvider;
import org.cliffwatch.quantizer.kernel.BackendUnavailableException;
import org.cliffwatch.quantizer.kernel.ExactnessTest;
import org.cliffwatch.quantizer.kernel.KernelDigest;
import org.cliffwatch.quantizer.kernel.KernelIdentity;
import org.cliffwatch.quantizer.kernel.NativeMemory;

/** The {@code reference} backend: needs ND4J's native CPU library. */
public final class ReferenceProvider implements BackendProvider {
  /** ND4J's jar does not tell its version, nor its BLAS what it chose for this processor. */
  private static final KernelIdentity LIBRARY =
      new KernelIdentity("reference-nd4j-1.0.0-M2.1", Optional.empty(), Optional.empty());

  private ReferenceBackend backend;

  @Override
  public String name() {
    return "reference";
  }

  @Override
  public synchronized String kernel() {
    if (backend == null) {
      NativeMemory.unlimited();
      try {
        ReferenceBackend opened = new ReferenceBackend(LIBRARY.toString());
        ExactnessTest.require(opened);
        // A product's bits may depend on how many threads share it; ND4J, loaded by now, takes all.
        openblas_nolapack.blas_set_num_threads(1);
        String whole = LIBRARY.withDigest(KernelDigest.of(opened)).toString();
        backend = new ReferenceBackend(whole);
      } catch (LinkageError e) {
        throw new BackendUnavailableException("ND4J's native library cannot be loaded: " + e, e);
      }
    }
    return backend.kernel();
  }

  @Override
  public synchronized Backend open(String kernel) {
    String own = kernel();
    if (kernel != null) {
      KernelIdentity.of(kernel).require(own);
    }
    return backend;
  }
}
