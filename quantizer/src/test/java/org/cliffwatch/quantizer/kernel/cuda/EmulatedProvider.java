package org.cliffwatch.quantizer.kernel.cuda;

import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.BackendProvider;
import org.cliffwatch.quantizer.kernel.BackendUnavailableException;
import org.cliffwatch.quantizer.kernel.KernelIdentity;

/** The {@code cuda} backend's code on a device that the host's C++ compiler emulates. */
public final class EmulatedProvider implements BackendProvider {
  /** Set to false: there is none. */
  public static final String PROPERTY = "cliffwatch.emulation";

  /** Enough for any model of a test. */
  private static final long MEMORY_BYTES = 1L << 32;

  private DeviceBackend backend;

  @Override
  public String name() {
    return "emulated";
  }

  @Override
  public synchronized String kernel() {
    return open(null).kernel();
  }

  @Override
  public synchronized Backend open(String kernel) {
    if (backend == null) {
      backend = CudaProvider.opened(name(), device(MEMORY_BYTES));
    }
    if (kernel != null) {
      KernelIdentity.of(kernel).require(backend.kernel());
    }
    return backend;
  }

  /**
   * @param bytes of memory
   * @throws BackendUnavailableException where it was switched off, or there is no C++ compiler
   */
  static Device device(long bytes) {
    if (System.getProperty(PROPERTY, "true").equals("false")) {
      throw new BackendUnavailableException("it was switched off");
    }
    return new EmulatedDevice(bytes);
  }
}
