package org.cliffwatch.quantizer.kernel.cuda;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.function.Consumer;
import org.cliffwatch.quantizer.kernel.WeightRows;
import org.cliffwatch.quantizer.scheme.QuantizedWeight;
import org.cliffwatch.quantizer.scheme.Schemes;

/**
 * Writes weights to device memory, rows and columns padded with zeros to multiples of {@link
 * DeviceRows#STEP}, a staging buffer at a time.
 */
final class Packing {
  private static final int STAGING_BYTES = 1 << 24;

  private final Device device;
  private final Stream stream;

  /** One for all weights; direct memory is freed too late to make one each. */
  private ByteBuffer staging;

  Packing(Device device) {
    this.device = device;
    this.stream = device.stream();
  }

  /** Writes a row of so many bytes at the buffer's position. */
  private interface RowWriter {
    void write(int row, ByteBuffer to);
  }

  /** A float matrix, every value rounded to the type; what does not fit it is refused. */
  Device.Memory weight(WeightRows weight, Storage storage) {
    float[] row = new float[weight.columns()];
    return matrix(
        weight.rows(),
        padded(weight.columns()) * storage.bytes(),
        (r, to) -> {
          weight.row(r, row);
          Schemes.round(weight, r, row, storage.type());
          put(row, storage, to);
        });
  }

  /** A float matrix, every value rounded to the type, infinite if it is too large. */
  Device.Memory table(WeightRows table, Storage storage) {
    float[] row = new float[table.columns()];
    return matrix(
        table.rows(),
        padded(table.columns()) * storage.bytes(),
        (r, to) -> {
          table.row(r, row);
          put(row, storage, to);
        });
  }

  private static void put(float[] row, Storage storage, ByteBuffer to) {
    for (float value : row) {
      storage.put(to, value);
    }
  }

  /** Codes, a byte each, of weights of equal columns one after another. */
  Device.Memory codes(List<QuantizedWeight> weights) {
    int columns = weights.get(0).columns();
    int rows = weights.stream().mapToInt(weight -> padded(weight.rows())).sum();
    int rowBytes = padded(columns);
    return filled(
        (long) rows * rowBytes,
        memory -> {
          long address = memory.address();
          for (QuantizedWeight weight : weights) {
            write(
                address,
                weight.rows(),
                rowBytes,
                (r, to) -> to.put(weight.codes(), r * columns, columns));
            address += (long) padded(weight.rows()) * rowBytes;
          }
        });
  }

  /** Codes of at most 4 bits, two a byte, the first in the low half. */
  Device.Memory nibbles(QuantizedWeight weight) {
    int columns = weight.columns();
    byte[] codes = weight.codes();
    return matrix(
        weight.rows(),
        padded(columns) / 2,
        (r, to) -> {
          for (int c = 0; c < columns; c += 2) {
            int low = codes[r * columns + c] & 0xf;
            int high = c + 1 < columns ? codes[r * columns + c + 1] << 4 : 0;
            to.put((byte) (low | high));
          }
        });
  }

  /** A vector; 0 values where it is null are no memory: null. */
  Device.Memory vector(float[] values, Storage storage) {
    if (values == null) {
      return null;
    }
    return matrix(1, padded(values.length) * storage.bytes(), (r, to) -> put(values, storage, to));
  }

  private Device.Memory matrix(int rows, int rowBytes, RowWriter writer) {
    return filled(
        (long) padded(rows) * rowBytes, memory -> write(memory.address(), rows, rowBytes, writer));
  }

  private Device.Memory filled(long bytes, Consumer<Device.Memory> writer) {
    Device.Memory memory = device.allocate(bytes);
    try {
      writer.accept(memory);
      return memory;
    } catch (RuntimeException | Error e) {
      memory.close();
      throw e;
    }
  }

  private synchronized void write(long address, int rows, int rowBytes, RowWriter writer) {
    int together = Math.max(1, STAGING_BYTES / rowBytes);
    if (staging == null || staging.capacity() < rowBytes) {
      staging = DeviceSession.direct(Math.max(STAGING_BYTES, rowBytes));
    }
    for (int first = 0; first < rows; first += together) {
      int count = Math.min(together, rows - first);
      for (int r = 0; r < count; r++) {
        staging.position(r * rowBytes);
        writer.write(first + r, staging);
        while (staging.position() < (r + 1) * rowBytes) {
          staging.put((byte) 0);
        }
      }
      staging.position(0).limit(count * rowBytes);
      stream.upload(staging, address + (long) first * rowBytes);
      staging.clear();
    }
    stream.synchronize();
  }

  static int padded(int n) {
    return DeviceRows.roundUp(n, DeviceRows.STEP);
  }
}
