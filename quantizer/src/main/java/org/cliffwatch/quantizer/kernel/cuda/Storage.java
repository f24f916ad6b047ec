package org.cliffwatch.quantizer.kernel.cuda;

import java.nio.ByteBuffer;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.Half;

/** How a compute type's values lie in device memory, and the products there are of them. */
enum Storage {
  F32(FloatType.FLOAT32, "f32", 4, ProductType.FLOAT32, ProductType.FLOAT32) {
    @Override
    void put(ByteBuffer to, float value) {
      to.putFloat(value);
    }

    @Override
    float get(ByteBuffer from) {
      return from.getFloat();
    }
  },
  BF16(FloatType.BFLOAT16, "bf16", 2, ProductType.BFLOAT16, ProductType.BFLOAT16_TO_FLOAT32) {
    @Override
    void put(ByteBuffer to, float value) {
      to.putShort((short) (Float.floatToRawIntBits(FloatType.BFLOAT16.round(value)) >>> 16));
    }

    @Override
    float get(ByteBuffer from) {
      return Float.intBitsToFloat(from.getShort() << 16);
    }
  },
  F16(FloatType.FLOAT16, "f16", 2, ProductType.FLOAT16, ProductType.FLOAT16_TO_FLOAT32) {
    @Override
    void put(ByteBuffer to, float value) {
      to.putShort(Half.bits(FloatType.FLOAT16.round(value)));
    }

    @Override
    float get(ByteBuffer from) {
      return Half.widen(from.getShort());
    }
  };

  private final FloatType type;
  private final String suffix;
  private final int bytes;
  private final ProductType product;
  private final ProductType sums;

  Storage(FloatType type, String suffix, int bytes, ProductType product, ProductType sums) {
    this.type = type;
    this.suffix = suffix;
    this.bytes = bytes;
    this.product = product;
    this.sums = sums;
  }

  static Storage of(FloatType type) {
    for (Storage storage : values()) {
      if (storage.type == type) {
        return storage;
      }
    }
    throw new IllegalArgumentException(type.toString());
  }

  FloatType type() {
    return type;
  }

  /** What the names of kernels over this type end with. */
  String suffix() {
    return suffix;
  }

  /** Of one value. */
  int bytes() {
    return bytes;
  }

  /** The product whose results are of this type. */
  ProductType product() {
    return product;
  }

  /** The product whose results are as they were summed. */
  ProductType sums() {
    return sums;
  }

  /** Rounds a value to the type and writes it. */
  abstract void put(ByteBuffer to, float value);

  abstract float get(ByteBuffer from);
}
