package org.cliffwatch.quantizer.kernel.cuda;

import com.sun.jna.Function;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A device whose kernels the host's C++ compiler has compiled and whose memory is the host's:
 * everything that runs on a GPU but speed, streams and the library's products.
 */
final class EmulatedDevice implements Device {
  /** Small, so that padding matters; as much as every product needs. */
  private static final int TILE_ROWS = 32;

  /** What an H100 gives a block that asks for it. */
  private static final int SHARED_BYTES = 224_256;

  private final Emulation emulation = Emulation.ofTheKernels();
  private final long bytes;
  private final AtomicLong free;

  /**
   * @param bytes of memory
   */
  EmulatedDevice(long bytes) {
    this.bytes = bytes;
    this.free = new AtomicLong(bytes);
  }

  @Override
  public String name() {
    return "emulated device";
  }

  @Override
  public String kernel() {
    return "emulated-1";
  }

  @Override
  public long bytes() {
    return bytes;
  }

  @Override
  public int tileRows() {
    return TILE_ROWS;
  }

  @Override
  public int sharedBytes() {
    return SHARED_BYTES;
  }

  @Override
  public Memory allocate(long bytes) {
    if (bytes < 1) {
      throw new IllegalArgumentException(bytes + " bytes");
    }
    if (free.addAndGet(-bytes) < 0) {
      throw Device.outOfMemory(name(), bytes, free.addAndGet(bytes));
    }
    Pointer memory =
        (Pointer) emulation.function("device_allocate").invoke(Pointer.class, new Object[] {bytes});
    return new HostMemory(memory, bytes);
  }

  private final class HostMemory implements Memory {
    private final Pointer memory;
    private final long bytes;
    private final AtomicBoolean freed = new AtomicBoolean();

    HostMemory(Pointer memory, long bytes) {
      this.memory = memory;
      this.bytes = bytes;
    }

    @Override
    public long address() {
      if (freed.get()) {
        throw new IllegalStateException("memory used after it was freed");
      }
      return Pointer.nativeValue(memory);
    }

    @Override
    public long bytes() {
      return bytes;
    }

    @Override
    public void close() {
      if (freed.compareAndSet(false, true)) {
        emulation.function("device_free").invokeVoid(new Object[] {memory});
        free.addAndGet(bytes);
      }
    }
  }

  private record Shape(ProductType type, int outputs, int inputs) implements Product {
    Function function(Emulation emulation) {
      return emulation.function(
          switch (type) {
            case INT8 -> "multiply_int8";
            case FLOAT32 -> "multiply_f32";
            case BFLOAT16 -> "multiply_bf16";
            case FLOAT16 -> "multiply_f16";
            case BFLOAT16_TO_FLOAT32 -> "multiply_bf16_f32";
            case FLOAT16_TO_FLOAT32 -> "multiply_f16_f32";
          });
    }
  }

  @Override
  public Product product(ProductType type, int outputs, int inputs) {
    if (outputs < 1 || inputs < 1 || outputs % 16 != 0 || inputs % 16 != 0) {
      throw new IllegalArgumentException("product of (%s, %s)".formatted(outputs, inputs));
    }
    return new Shape(type, outputs, inputs);
  }

  @Override
  public Stream stream() {
    return new HostStream();
  }

  /** Does everything at once. */
  private final class HostStream implements Stream {
    private boolean closed;

    private void requireOpen() {
      if (closed) {
        throw new IllegalStateException("stream used after it was closed");
      }
    }

    @Override
    public void upload(ByteBuffer from, long to) {
      requireOpen();
      copy(address(from), to, from.remaining());
    }

    @Override
    public void download(long from, ByteBuffer to) {
      requireOpen();
      copy(from, address(to), to.remaining());
    }

    private long address(ByteBuffer direct) {
      return Pointer.nativeValue(Native.getDirectBufferPointer(direct)) + direct.position();
    }

    @Override
    public void copy(long from, long to, long bytes) {
      requireOpen();
      if (from < to + bytes && to < from + bytes && bytes > 0) {
        throw new IllegalArgumentException("a copy onto itself");
      }
      emulation
          .function("device_copy")
          .invokeVoid(new Object[] {new Pointer(to), new Pointer(from), bytes});
    }

    @Override
    public void launch(
        String kernel, int gridX, int gridY, int threads, int sharedBytes, Object... arguments) {
      requireOpen();
      if (sharedBytes > SHARED_BYTES) {
        throw new IllegalArgumentException(kernel + ": " + sharedBytes + " bytes of shared memory");
      }
      emulation.launch(kernel, gridX, gridY, threads, sharedBytes, arguments);
    }

    @Override
    public void multiply(Product product, int rows, long x, long weight, long bias, long y) {
      requireOpen();
      Shape shape = (Shape) product;
      if (rows < 1 || (bias != 0 && !shape.type().biased())) {
        throw new IllegalArgumentException("%s of %s rows, bias %s".formatted(shape, rows, bias));
      }
      // A GPU multiplies whole tiles: the padding must be there, to be read and written.
      int all = DeviceRows.roundUp(rows, TILE_ROWS);
      Object[] arguments =
          shape.type().biased()
              ? new Object[] {
                all,
                shape.outputs(),
                shape.inputs(),
                new Pointer(x),
                new Pointer(weight),
                bias == 0 ? null : new Pointer(bias),
                new Pointer(y)
              }
              : new Object[] {
                all,
                shape.outputs(),
                shape.inputs(),
                new Pointer(x),
                new Pointer(weight),
                new Pointer(y)
              };
      shape.function(emulation).invokeVoid(arguments);
    }

    @Override
    public void synchronize() {
      requireOpen();
    }

    @Override
    public void close() {
      closed = true;
    }
  }
}
