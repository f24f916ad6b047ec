package org.cliffwatch.quantizer.kernel.cuda;

import org.cliffwatch.quantizer.kernel.Constants;
import org.cliffwatch.quantizer.kernel.Table;

/** Values in device memory. */
record DeviceConstants(Device.Memory memory, int length) implements Constants, Table {
  /** 0 where there are none. */
  static long address(Constants constants) {
    return constants == null ? 0 : ((DeviceConstants) constants).memory.address();
  }

  @Override
  public void close() {
    memory.close();
  }
}
