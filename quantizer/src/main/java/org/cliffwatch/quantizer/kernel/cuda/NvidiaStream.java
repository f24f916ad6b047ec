package org.cliffwatch.quantizer.kernel.cuda;

import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import org.bytedeco.cuda.cublas.cublasLtMatmulAlgo_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulDescOpaque_t;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.cuda.global.cublas;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;

/** A CUDA stream, with a workspace of cuBLASLt's of its own: shared ones change bits. */
final class NvidiaStream implements Stream {
  private static final int MOST_ARGUMENTS = 32;

  /** In a row, to tell which algorithm is the fastest. */
  private static final int TIMED_PRODUCTS = 5;

  private final NvidiaDevice device;
  private final CUstream_st stream = new CUstream_st();
  private final Device.Memory workspace;

  /** Values of a kernel's arguments, and where each lies. */
  private final BytePointer values = new BytePointer(MOST_ARGUMENTS * (long) Long.BYTES);

  private final PointerPointer<Pointer> arguments = new PointerPointer<>(MOST_ARGUMENTS);

  /** What is multiplied by one weight: its bias is part of the description. */
  private record Weighted(NvidiaProduct product, long bias) {}

  private final Map<Weighted, cublasLtMatmulDescOpaque_t> descriptions = new HashMap<>();
  private final IntPointer integerOne = new IntPointer(1).put(1);
  private final IntPointer integerZero = new IntPointer(1).put(0);
  private final FloatPointer one = new FloatPointer(1).put(1);
  private final FloatPointer zero = new FloatPointer(1).put(0);
  private boolean closed;

  NvidiaStream(NvidiaDevice device) {
    this.device = device;
    device.use();
    Cuda.check(
        cudart.cudaStreamCreateWithFlags(stream, cudart.cudaStreamNonBlocking),
        "cudaStreamCreateWithFlags");
    this.workspace = device.allocate(NvidiaProduct.WORKSPACE_BYTES);
    for (int i = 0; i < MOST_ARGUMENTS; i++) {
      arguments.put(i, values.getPointer((long) i * Long.BYTES));
    }
  }

  @Override
  public void upload(ByteBuffer from, long to) {
    device.use();
    Cuda.check(
        cudart.cudaMemcpyAsync(
            Cuda.pointer(to),
            new BytePointer(from.slice()),
            from.remaining(),
            cudart.cudaMemcpyHostToDevice,
            stream),
        "cudaMemcpyAsync");
  }

  @Override
  public void download(long from, ByteBuffer to) {
    device.use();
    Cuda.check(
        cudart.cudaMemcpyAsync(
            new BytePointer(to.slice()),
            Cuda.pointer(from),
            to.remaining(),
            cudart.cudaMemcpyDeviceToHost,
            stream),
        "cudaMemcpyAsync");
    synchronize();
  }

  @Override
  public void copy(long from, long to, long bytes) {
    device.use();
    Cuda.check(
        cudart.cudaMemcpyAsync(
            Cuda.pointer(to), Cuda.pointer(from), bytes, cudart.cudaMemcpyDeviceToDevice, stream),
        "cudaMemcpyAsync");
  }

  @Override
  public void launch(
      String kernel, int gridX, int gridY, int threads, int sharedBytes, Object... given) {
    for (int i = 0; i < given.length; i++) {
      long at = (long) i * Long.BYTES;
      if (given[i] instanceof Long value) {
        values.putLong(at, value);
      } else if (given[i] instanceof Integer value) {
        values.putInt(at, value);
      } else {
        values.putFloat(at, (Float) given[i]);
      }
    }
    device.use();
    Cuda.checkDriver(
        cudart.cuLaunchKernel(
            device.function(kernel),
            gridX,
            gridY,
            1,
            threads,
            1,
            1,
            sharedBytes,
            stream,
            arguments,
            null),
        "cuLaunchKernel " + kernel);
  }

  @Override
  public void multiply(Device.Product product, int rows, long x, long weight, long bias, long y) {
    NvidiaProduct p = (NvidiaProduct) product;
    if (bias != 0 && !p.type().biased()) {
      throw new IllegalArgumentException(p.type() + " adds no bias");
    }
    cublasLtMatmulDescOpaque_t description =
        descriptions.computeIfAbsent(
            new Weighted(p, bias), weighted -> p.description(weighted.bias()));
    int all = DeviceRows.roundUp(rows, device.tileRows());
    device.use();
    cublasLtMatmulAlgo_t algorithm =
        p.algorithm(
            all, bias != 0, measured -> seconds(p, description, all, x, weight, y, measured));
    multiply(p, description, all, x, weight, y, algorithm);
  }

  private void multiply(
      NvidiaProduct p,
      cublasLtMatmulDescOpaque_t description,
      int rows,
      long x,
      long weight,
      long y,
      cublasLtMatmulAlgo_t algorithm) {
    boolean integer = p.type() == ProductType.INT8;
    Cuda.checkCublas(
        cublas.cublasLtMatmul(
            device.cublasLt(),
            description,
            integer ? integerOne : one,
            Cuda.pointer(weight),
            p.weight(),
            Cuda.pointer(x),
            p.x(rows),
            integer ? integerZero : zero,
            Cuda.pointer(y),
            p.y(rows),
            Cuda.pointer(y),
            p.y(rows),
            algorithm,
            Cuda.pointer(workspace.address()),
            workspace.bytes(),
            stream),
        "cublasLtMatmul " + p.type());
  }

  private double seconds(
      NvidiaProduct p,
      cublasLtMatmulDescOpaque_t description,
      int rows,
      long x,
      long weight,
      long y,
      cublasLtMatmulAlgo_t algorithm) {
    multiply(p, description, rows, x, weight, y, algorithm);
    synchronize();
    long start = System.nanoTime();
    for (int i = 0; i < TIMED_PRODUCTS; i++) {
      multiply(p, description, rows, x, weight, y, algorithm);
    }
    synchronize();
    return (System.nanoTime() - start) / 1e9;
  }

  @Override
  public void synchronize() {
    device.use();
    Cuda.check(cudart.cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    try {
      synchronize();
    } finally {
      workspace.close();
      cudart.cudaStreamDestroy(stream);
      for (Pointer each : new Pointer[] {values, arguments, integerOne, integerZero, one, zero}) {
        each.close();
      }
    }
  }
}
