package org.cliffwatch.quantizer.kernel.cuda;

import java.util.EnumMap;
import java.util.Map;

/** Memory of a session that holds nothing from one operation to the next; grown as it is needed. */
final class Scratch implements AutoCloseable {
  /** What lies there. Each is written and read in the order of the stream. */
  enum Use {
    TOKENS,
    POSITIONS,
    TILES,
    KEY_ROWS,
    KEPT,
    GATHERED,
    SLOTS,
    WEIGHTS,
    CODES,
    CODE_SCALES,
    ACTIVATED,
    ACTIVATED_SCALES,
    SUMS,
    UPDATE,
    UNPACKED,
    LOGITS,
    FIRST_TARGET,
    TARGETS,
    MAX,
    SUM,
    BEST,
    TARGET_LOGITS
  }

  private final Device device;
  private final Map<Use, Device.Memory> memory = new EnumMap<>(Use.class);

  Scratch(Device device) {
    this.device = device;
  }

  /** An address with room for so many bytes; what lay there is lost when it has to grow. */
  long of(Use use, long bytes) {
    Device.Memory held = memory.get(use);
    if (held == null || held.bytes() < bytes) {
      if (held != null) {
        held.close();
        memory.remove(use);
      }
      held = device.allocate(Math.max(1, bytes));
      memory.put(use, held);
    }
    return held.address();
  }

  @Override
  public void close() {
    memory.values().forEach(Device.Memory::close);
    memory.clear();
  }
}
