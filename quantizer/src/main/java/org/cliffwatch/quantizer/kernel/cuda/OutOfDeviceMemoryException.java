package org.cliffwatch.quantizer.kernel.cuda;

/** A device has less memory free than was asked for. */
final class OutOfDeviceMemoryException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  OutOfDeviceMemoryException(String device, long wanted, long free) {
    super("%s has %s bytes of memory free, expected %s".formatted(device, free, wanted));
  }
}
