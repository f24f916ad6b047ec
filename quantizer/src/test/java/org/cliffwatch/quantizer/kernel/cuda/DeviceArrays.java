package org.cliffwatch.quantizer.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * Arrays in a device's memory and a stream, for tests that launch kernels themselves. What kernels
 * only read ends with its last value; what they write is followed by bytes that must stay.
 */
final class DeviceArrays implements AutoCloseable {
  /** What outputs are full of, before and after. */
  private static final byte UNTOUCHED = 0x5a;

  private static final int AFTER_BYTES = 256;

  private final Device device;
  private final Stream stream;
  private final List<Device.Memory> taken = new ArrayList<>();

  DeviceArrays(Device device) {
    this.device = device;
    this.stream = device.stream();
  }

  /** (rows, stride) of a type, and what must stay after them. */
  record Rows(long address, Storage storage, int rows, int width, int stride) {
    long bytes() {
      return (long) rows * stride * storage.bytes();
    }
  }

  Stream stream() {
    return stream;
  }

  private long holding(ByteBuffer values) {
    Device.Memory memory = device.allocate(values.flip().limit());
    taken.add(memory);
    stream.upload(values, memory.address());
    return memory.address();
  }

  private static ByteBuffer direct(long bytes) {
    return ByteBuffer.allocateDirect(Math.toIntExact(bytes)).order(ByteOrder.nativeOrder());
  }

  long of(int... values) {
    ByteBuffer to = direct(4L * values.length);
    to.asIntBuffer().put(values);
    return holding(to.position(to.limit()));
  }

  long of(float... values) {
    ByteBuffer to = direct(4L * values.length);
    to.asFloatBuffer().put(values);
    return holding(to.position(to.limit()));
  }

  long of(byte... values) {
    return holding(direct(values.length).put(values));
  }

  /** Of what a kernel writes. */
  long output(long bytes) {
    ByteBuffer to = direct(bytes + AFTER_BYTES);
    while (to.hasRemaining()) {
      to.put(UNTOUCHED);
    }
    return holding(to);
  }

  /** What {@link #output} holds; nothing after it has changed. */
  ByteBuffer read(long output, long bytes) {
    ByteBuffer from = direct(bytes + AFTER_BYTES);
    stream.download(output, from.position(0));
    from.position(0);
    for (int i = Math.toIntExact(bytes); i < from.limit(); i++) {
      assertThat(from.get(i)).as("byte %s after the end", i - bytes).isEqualTo(UNTOUCHED);
    }
    return from.limit(Math.toIntExact(bytes));
  }

  int[] readInts(long output, int count) {
    int[] values = new int[count];
    read(output, 4L * count).asIntBuffer().get(values);
    return values;
  }

  float[] readFloats(long output, int count) {
    float[] values = new float[count];
    read(output, 4L * count).asFloatBuffer().get(values);
    return values;
  }

  double[] readDoubles(long output, int count) {
    double[] values = new double[count];
    read(output, 8L * count).asDoubleBuffer().get(values);
    return values;
  }

  byte[] readBytes(long output, int count) {
    byte[] values = new byte[count];
    read(output, count).get(values);
    return values;
  }

  private static int stride(int width) {
    return DeviceRows.roundUp(width, DeviceRows.STEP);
  }

  /** Rows to be read: zeros after their width, nothing after the last. */
  Rows input(Storage storage, int rows, float[] values) {
    return rows(storage, rows, values, 0);
  }

  /** Rows to be read and written. */
  Rows inPlace(Storage storage, int rows, float[] values) {
    return rows(storage, rows, values, AFTER_BYTES);
  }

  private Rows rows(Storage storage, int rows, float[] values, int after) {
    int width = values.length / rows;
    int stride = stride(width);
    ByteBuffer to = direct((long) rows * stride * storage.bytes() + after);
    for (int r = 0; r < rows; r++) {
      for (int i = 0; i < stride; i++) {
        storage.put(to, i < width ? values[r * width + i] : 0);
      }
    }
    while (to.hasRemaining()) {
      to.put(UNTOUCHED);
    }
    return new Rows(holding(to), storage, rows, width, stride);
  }

  /** Rows to be written, full of what is no zero. */
  Rows output(Storage storage, int rows, int width) {
    int stride = stride(width);
    return new Rows(output((long) rows * stride * storage.bytes()), storage, rows, width, stride);
  }

  /** (rows, width) of {@link #output} or {@link #inPlace} rows, whose other columns are zeros. */
  float[] read(Rows from) {
    ByteBuffer bytes = read(from.address(), from.bytes());
    float[] values = new float[from.rows() * from.width()];
    for (int r = 0; r < from.rows(); r++) {
      for (int i = 0; i < from.stride(); i++) {
        float value = from.storage().get(bytes);
        if (i < from.width()) {
          values[r * from.width() + i] = value;
        } else {
          assertThat(value).as("padding, row %s, column %s", r, i).isZero();
        }
      }
    }
    return values;
  }

  @Override
  public void close() {
    stream.close();
    taken.forEach(Device.Memory::close);
  }
}
