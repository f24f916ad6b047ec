package org.cliffwatch.quantizer.kernel.vector;

import static org.cliffwatch.quantizer.kernel.vector.VectorMath.LANES;
import static org.cliffwatch.quantizer.kernel.vector.VectorMath.load;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.LogitTransform;

/**
 * How the vocabulary projection's products become logits.
 *
 * @param bias (vocabulary) or null
 * @param type what the logits are rounded to
 * @param transform of the rounded logits
 */
public record Logits(float[] bias, FloatType type, LogitTransform transform) {
  private static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;

  /**
   * Turns a block of a row's products into logits, in place.
   *
   * @param at byte of the first product
   * @param n products
   * @param firstToken the first product's token
   */
  public void finish(ByteBuffer products, int at, int n, int firstToken) {
    int whole = n - n % LANES;
    if (bias != null) {
      for (int i = 0; i < whole; i += LANES) {
        FloatVector logits = load(products, at + Float.BYTES * i).add(load(bias, firstToken + i));
        logits.intoByteBuffer(products, at + Float.BYTES * i, ORDER);
      }
      for (int i = whole; i < n; i++) {
        int byteAt = at + Float.BYTES * i;
        products.putFloat(byteAt, products.getFloat(byteAt) + bias[firstToken + i]);
      }
    }
    VectorRounding.round(type, products, at, n);
    if (transform.equals(LogitTransform.NONE)) {
      return;
    }
    scale(products, at, whole);
    if (transform.softCap() != 0) {
      cap(products, at, whole);
    }
    for (int i = whole; i < n; i++) {
      int byteAt = at + Float.BYTES * i;
      products.putFloat(byteAt, transform.apply(products.getFloat(byteAt), type));
    }
  }

  private void scale(ByteBuffer logits, int at, int n) {
    float factor = transform.factor();
    for (int i = at; i < at + Float.BYTES * n; i += Float.BYTES * LANES) {
      load(logits, i).mul(factor).intoByteBuffer(logits, i, ORDER);
    }
    VectorRounding.round(type, logits, at, n);
  }

  /** A loop a step, so that each can be rounded. */
  private void cap(ByteBuffer logits, int at, int n) {
    float softCap = transform.softCap();
    int end = at + Float.BYTES * n;
    for (int i = at; i < end; i += Float.BYTES * LANES) {
      FloatVector logit = load(logits, i);
      // An infinite logit would be capped to a plausible one: it less itself is NaN.
      logit.div(softCap).add(logit.sub(logit)).intoByteBuffer(logits, i, ORDER);
    }
    VectorRounding.round(type, logits, at, n);
    for (int i = at; i < end; i += Float.BYTES * LANES) {
      VectorMath.tanh(load(logits, i)).intoByteBuffer(logits, i, ORDER);
    }
    VectorRounding.round(type, logits, at, n);
    for (int i = at; i < end; i += Float.BYTES * LANES) {
      load(logits, i).mul(softCap).intoByteBuffer(logits, i, ORDER);
    }
    VectorRounding.round(type, logits, at, n);
  }
}
