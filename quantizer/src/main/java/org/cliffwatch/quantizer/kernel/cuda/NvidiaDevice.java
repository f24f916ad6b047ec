package org.cliffwatch.quantizer.kernel.cuda;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.bytedeco.cuda.cublas.cublasLtContext;
import org.bytedeco.cuda.cudart.CUfunc_st;
import org.bytedeco.cuda.cudart.CUmod_st;
import org.bytedeco.cuda.cudart.cudaDeviceProp;
import org.bytedeco.cuda.global.cublas;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.SizeTPointer;
import org.cliffwatch.quantizer.kernel.BackendUnavailableException;

/** A GPU by CUDA's runtime, NVRTC and cuBLASLt. */
final class NvidiaDevice implements Device {
  /** The driver that came with CUDA 13.0. */
  private static final int DRIVER = 13_000;

  /** Compute capability 8.0: bfloat16 products. */
  private static final int ARCHITECTURE = 80;

  /** Of a block's shared memory what kernels declare, at most. */
  private static final int STATIC_SHARED_BYTES = 8 << 10;

  private final int ordinal;
  private final String name;
  private final String architecture;
  private final int sharedBytes;
  private final cublasLtContext cublasLt = new cublasLtContext();
  private final CUmod_st module = new CUmod_st();
  private final Map<String, CUfunc_st> functions = new ConcurrentHashMap<>();
  private final Map<String, NvidiaProduct> products = new ConcurrentHashMap<>();

  private NvidiaDevice(int ordinal) {
    this.ordinal = ordinal;
    use();
    try (cudaDeviceProp properties = new cudaDeviceProp()) {
      Cuda.check(cudart.cudaGetDeviceProperties(properties, ordinal), "cudaGetDeviceProperties");
      name = properties.name().getString();
    }
    int version =
        10 * attribute(cudart.cudaDevAttrComputeCapabilityMajor)
            + attribute(cudart.cudaDevAttrComputeCapabilityMinor);
    if (version < ARCHITECTURE) {
      throw new BackendUnavailableException(
          "%s: found compute capability %s.%s, expected at least 8.0"
              .formatted(name, version / 10, version % 10));
    }
    architecture = "sm_" + version;
    sharedBytes = attribute(cudart.cudaDevAttrMaxSharedMemoryPerBlockOptin) - STATIC_SHARED_BYTES;
    Cuda.checkCublas(cublas.cublasLtCreate(cublasLt), "cublasLtCreate");
    try (BytePointer code = KernelSources.compiled(architecture)) {
      Cuda.checkDriver(cudart.cuModuleLoadData(module, code), "cuModuleLoadData");
    }
  }

  /**
   * Opens a GPU.
   *
   * @param ordinal its number, as CUDA counts those it may see
   * @throws BackendUnavailableException where there is none, or the driver is too old
   */
  static NvidiaDevice open(int ordinal) {
    CudaLibraries.load();
    try {
      int[] found = new int[1];
      int status = cudart.cudaGetDeviceCount(found);
      if (status != cudart.cudaSuccess) {
        throw new BackendUnavailableException(
            "no GPU: " + cudart.cudaGetErrorString(status).getString());
      }
      if (ordinal < 0 || ordinal >= found[0]) {
        throw new BackendUnavailableException(
            "GPU %s was asked for, found %s".formatted(ordinal, found[0]));
      }
      int[] driver = new int[1];
      Cuda.check(cudart.cudaDriverGetVersion(driver), "cudaDriverGetVersion");
      if (driver[0] < DRIVER) {
        throw new BackendUnavailableException(
            "the NVIDIA driver is too old: found one for CUDA %s.%s, expected at least 13.0"
                .formatted(driver[0] / 1000, driver[0] % 1000 / 10));
      }
      return new NvidiaDevice(ordinal);
    } catch (LinkageError e) {
      throw new BackendUnavailableException("CUDA's libraries do not load: " + e.getMessage(), e);
    }
  }

  private int attribute(int which) {
    int[] value = new int[1];
    Cuda.check(cudart.cudaDeviceGetAttribute(value, which, ordinal), "cudaDeviceGetAttribute");
    return value[0];
  }

  /** Makes this the calling thread's device. */
  void use() {
    Cuda.check(cudart.cudaSetDevice(ordinal), "cudaSetDevice");
  }

  cublasLtContext cublasLt() {
    return cublasLt;
  }

  CUfunc_st function(String kernel) {
    return functions.computeIfAbsent(
        kernel,
        wanted -> {
          CUfunc_st function = new CUfunc_st();
          Cuda.checkDriver(
              cudart.cuModuleGetFunction(function, module, wanted),
              "cuModuleGetFunction " + wanted);
          if (wanted.startsWith("attention") || wanted.startsWith("dequantize_activate")) {
            Cuda.checkDriver(
                cudart.cuFuncSetAttribute(
                    function, cudart.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, sharedBytes),
                "cuFuncSetAttribute " + wanted);
          }
          return function;
        });
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public String kernel() {
    long version = cublas.cublasLtGetVersion();
    return "cuda-%s.%s.%s-%s"
        .formatted(version / 10_000, version % 10_000 / 100, version % 100, architecture);
  }

  @Override
  public long bytes() {
    return memory(false);
  }

  private long memory(boolean isFree) {
    use();
    try (SizeTPointer free = new SizeTPointer(1);
        SizeTPointer all = new SizeTPointer(1)) {
      Cuda.check(cudart.cudaMemGetInfo(free, all), "cudaMemGetInfo");
      return isFree ? free.get() : all.get();
    }
  }

  @Override
  public int tileRows() {
    return NvidiaProduct.TILE_ROWS;
  }

  @Override
  public int sharedBytes() {
    return sharedBytes;
  }

  @Override
  public Memory allocate(long bytes) {
    use();
    Pointer pointer = new Pointer();
    int status = cudart.cudaMalloc(pointer, bytes);
    if (status == cudart.cudaErrorMemoryAllocation) {
      cudart.cudaGetLastError();
      throw Device.outOfMemory(name, bytes, memory(true));
    }
    Cuda.check(status, "cudaMalloc");
    Allocated memory = new Allocated(pointer.address(), bytes);
    // Streams of ours do not wait for the default one.
    Cuda.check(cudart.cudaMemset(pointer, 0, bytes), "cudaMemset");
    Cuda.check(cudart.cudaDeviceSynchronize(), "cudaDeviceSynchronize");
    return memory;
  }

  private final class Allocated implements Memory {
    private final long address;
    private final long bytes;
    private final AtomicBoolean freed = new AtomicBoolean();

    Allocated(long address, long bytes) {
      this.address = address;
      this.bytes = bytes;
    }

    @Override
    public long address() {
      return address;
    }

    @Override
    public long bytes() {
      return bytes;
    }

    @Override
    public void close() {
      if (freed.compareAndSet(false, true)) {
        use();
        Cuda.check(cudart.cudaFree(Cuda.pointer(address)), "cudaFree");
      }
    }
  }

  @Override
  public Stream stream() {
    return new NvidiaStream(this);
  }

  @Override
  public NvidiaProduct product(ProductType type, int outputs, int inputs) {
    use();
    return products.computeIfAbsent(
        type + " " + outputs + " " + inputs,
        shape -> new NvidiaProduct(cublasLt, type, outputs, inputs));
  }
}
