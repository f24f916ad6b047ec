package org.cliffwatch.quantizer.kernel.cuda;

import org.cliffwatch.quantizer.kernel.Rows;

/**
 * Rows in device memory, (capacity, stride) of a storage type. Columns from {@code width} on are
 * zeros to products: whatever writes a row writes them.
 */
final class DeviceRows implements Rows {
  /** Products take widths in multiples of so many. */
  static final int STEP = 16;

  private final Device.Memory memory;
  private final int width;

  DeviceRows(Device device, Storage storage, int capacity, int width) {
    long rows = (long) roundUp(capacity, device.tileRows());
    this.memory = device.allocate(rows * roundUp(width, STEP) * storage.bytes());
    this.width = width;
  }

  static int roundUp(int n, int step) {
    return Math.multiplyExact((n + step - 1) / step, step);
  }

  long address() {
    return memory.address();
  }

  /** Values from one row to the next. */
  int stride() {
    return roundUp(width, STEP);
  }

  @Override
  public int width() {
    return width;
  }

  @Override
  public void close() {
    memory.close();
  }
}
