package org.cliffwatch.quantizer.kernel.cuda;

import org.cliffwatch.quantizer.InvalidInputException;

/**
 * What holds memory and runs kernels and products: an NVIDIA GPU or, in tests, its emulation by the
 * host's C++ compiler. Addresses are the device's. Safe for concurrent use.
 */
interface Device {
  /** The complaint that a device has less memory free than was asked for. */
  static InvalidInputException outOfMemory(String device, long wanted, long free) {
    return new InvalidInputException(
        "%s: found %s bytes of memory free, expected %s more".formatted(device, free, wanted));
  }

  /** As its maker calls it: {@code NVIDIA H200}. */
  String name();

  /** What results depend on, a {@code KernelIdentity} without digest: {@code cuda-13.1.0-sm_90}. */
  String kernel();

  /** Bytes of its memory. */
  long bytes();

  /** The rows that are multiplied come in multiples of so many: buffers have room for them. */
  int tileRows();

  /** Bytes of dynamic shared memory a block can have. */
  int sharedBytes();

  /**
   * Takes memory, all zero, at an address that is a multiple of 256.
   *
   * @param bytes at least 1
   * @throws InvalidInputException naming what was wanted and what is free
   */
  Memory allocate(long bytes);

  /** A queue of work of its own. */
  Stream stream();

  /**
   * Prepares the products of one weight's shape: the same sums in the same order for every row,
   * whatever the number of rows.
   *
   * @param outputs a multiple of 16
   * @param inputs a multiple of 16
   */
  Product product(ProductType type, int outputs, int inputs);

  /** Memory of the device, freed once. */
  interface Memory extends AutoCloseable {
    long address();

    long bytes();

    @Override
    void close();
  }

  /** Prepared by {@link Device#product}, for any stream of that device. */
  interface Product {}
}
