package org.cliffwatch.quantizer.kernel.cuda;

import java.nio.ByteBuffer;
import org.cliffwatch.quantizer.kernel.cuda.Device.Product;

/**
 * Work on a device, done in the order it is given; used by one thread at a time. Only {@link
 * #download} and {@link #synchronize} wait. An error of the device shows at the latest there.
 */
interface Stream extends AutoCloseable {
  /**
   * Copies to the device; the buffer may be changed afterwards.
   *
   * @param from direct, its bytes from position to limit
   */
  void upload(ByteBuffer from, long to);

  /**
   * Copies from the device and waits for it.
   *
   * @param to direct, filled from position to limit
   */
  void download(long from, ByteBuffer to);

  /** Copies within the device; the ranges do not overlap. */
  void copy(long from, long to, long bytes);

  /**
   * Runs a kernel.
   *
   * @param kernel its name in the sources
   * @param sharedBytes dynamic shared memory a block
   * @param arguments Long for addresses and 64-bit integers, Integer, Float
   */
  void launch(
      String kernel, int gridX, int gridY, int threads, int sharedBytes, Object... arguments);

  /**
   * y = x Wᵀ + bias, row-major without gaps.
   *
   * @param rows at least 1; x and y have room for this rounded up to the device's tiles
   * @param x (rows, inputs)
   * @param weight (outputs, inputs)
   * @param bias (outputs) of y's type, or 0; always 0 where the product has no bias
   * @param y (rows, outputs), overwritten
   */
  void multiply(Product product, int rows, long x, long weight, long bias, long y);

  /** Waits for all work given. */
  void synchronize();

  /** Waits, and frees what the stream holds. */
  @Override
  void close();
}
