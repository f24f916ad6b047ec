package org.cliffwatch.quantizer.kernel.cuda;

import org.cliffwatch.quantizer.kernel.Backend;
import org.cliffwatch.quantizer.kernel.BackendProvider;
import org.cliffwatch.quantizer.kernel.BackendUnavailableException;
import org.cliffwatch.quantizer.kernel.ExactnessTest;
import org.cliffwatch.quantizer.kernel.KernelDigest;
import org.cliffwatch.quantizer.kernel.KernelIdentity;

/** The {@code cuda} backend: needs an NVIDIA GPU, its driver, and the toolkit's libraries. */
public final class CudaProvider implements BackendProvider {
  /** Which GPU: its number as CUDA counts those the process may see. 0 unless it is set. */
  public static final String DEVICE_PROPERTY = "cliffwatch.cuda.device";

  private DeviceBackend backend;

  @Override
  public String name() {
    return "cuda";
  }

  @Override
  public synchronized String kernel() {
    return open(null).kernel();
  }

  @Override
  public synchronized Backend open(String kernel) {
    if (backend == null) {
      backend = opened(name(), device());
    }
    if (kernel != null) {
      KernelIdentity.of(kernel).require(backend.kernel());
    }
    return backend;
  }

  private static Device device() {
    try {
      return NvidiaDevice.open(Integer.getInteger(DEVICE_PROPERTY, 0));
    } catch (NoClassDefFoundError e) {
      throw new BackendUnavailableException("the preset of CUDA is not on the class path", e);
    }
  }

  /** A device's backend under its whole identity, its integer products tested. */
  static DeviceBackend opened(String name, Device device) {
    DeviceBackend tried = new DeviceBackend(name, device.kernel(), device);
    ExactnessTest.require(tried);
    KernelIdentity own = KernelIdentity.of(device.kernel()).withDigest(KernelDigest.of(tried));
    return tried.withKernel(own.toString());
  }
}
