package org.cliffwatch.quantizer.kernel.cuda;

import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.util.ArrayList;
import java.util.List;
import org.cliffwatch.quantizer.kernel.BackendUnavailableException;

/** The devices that tests run on: the emulated one, and a GPU where there is one. */
final class Devices {
  private static final long MEMORY_BYTES = 1L << 31;

  private static List<DeviceBackend> opened;
  private static String reasons = "";

  private Devices() {}

  /** A source of parameters; none where there is neither a C++ compiler nor a GPU: skipped. */
  static synchronized List<DeviceBackend> all() {
    if (opened == null) {
      opened = new ArrayList<>();
      try {
        Device emulated = EmulatedProvider.device(MEMORY_BYTES);
        opened.add(new DeviceBackend("emulated", emulated.kernel(), emulated));
      } catch (BackendUnavailableException e) {
        reasons += e.getMessage() + "; ";
      }
      try {
        NvidiaDevice gpu = NvidiaDevice.open(0);
        opened.add(new DeviceBackend("cuda", gpu.kernel(), gpu));
      } catch (BackendUnavailableException e) {
        reasons += e.getMessage();
      }
    }
    assumeFalse(opened.isEmpty(), reasons);
    return opened;
  }
}
