package org.cliffwatch.quantizer.kernel.cuda;

import org.bytedeco.cuda.global.cublas;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.cuda.global.nvrtc;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;

/** What calls of CUDA's libraries share. */
final class Cuda {
  private Cuda() {}

  /** Memory of the device as the libraries take it. */
  static final class Address extends Pointer {
    Address(long address) {
      this.address = address;
    }
  }

  static Pointer pointer(long address) {
    return address == 0 ? null : new Address(address);
  }

  /** Of the runtime. */
  static void check(int status, String call) {
    if (status != cudart.cudaSuccess) {
      throw failed(call, cudart.cudaGetErrorString(status).getString(), status);
    }
  }

  /** Of the driver. */
  static void checkDriver(int status, String call) {
    if (status != cudart.CUDA_SUCCESS) {
      BytePointer message = new BytePointer((Pointer) null);
      String text =
          cudart.cuGetErrorString(status, message) == cudart.CUDA_SUCCESS
              ? message.getString()
              : "unknown error";
      throw failed(call, text, status);
    }
  }

  static void checkCublas(int status, String call) {
    if (status != cublas.CUBLAS_STATUS_SUCCESS) {
      throw failed(call, "cuBLAS status", status);
    }
  }

  static void checkNvrtc(int status, String call) {
    if (status != nvrtc.NVRTC_SUCCESS) {
      throw failed(call, nvrtc.nvrtcGetErrorString(status).getString(), status);
    }
  }

  private static IllegalStateException failed(String call, String message, int status) {
    return new IllegalStateException("%s: %s (%s)".formatted(call, message, status));
  }
}
