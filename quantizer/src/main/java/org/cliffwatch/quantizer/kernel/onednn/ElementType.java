package org.cliffwatch.quantizer.kernel.onednn;

import static org.bytedeco.dnnl.global.dnnl.dnnl_bf16;
import static org.bytedeco.dnnl.global.dnnl.dnnl_f16;
import static org.bytedeco.dnnl.global.dnnl.dnnl_f32;
import static org.bytedeco.dnnl.global.dnnl.dnnl_s4;
import static org.bytedeco.dnnl.global.dnnl.dnnl_s8;

import java.nio.ByteBuffer;
import org.cliffwatch.quantizer.kernel.Half;

/** How a value of a matrix is stored. */
enum ElementType {
  /** Two a byte, the first in the low half. */
  INT4(4, dnnl_s4) {
    @Override
    void put(ByteBuffer out, int index, float value) {
      int other = out.get(index / 2) & (index % 2 == 0 ? 0xf0 : 0x0f);
      int code = ((int) value & 0xf) << (index % 2 * 4);
      out.put(index / 2, (byte) (other | code));
    }
  },
  INT8(8, dnnl_s8) {
    @Override
    void put(ByteBuffer out, int index, float value) {
      out.put(index, (byte) value);
    }
  },
  BFLOAT16(16, dnnl_bf16) {
    @Override
    void put(ByteBuffer out, int index, float value) {
      out.putShort(Short.BYTES * index, (short) (Float.floatToRawIntBits(value) >>> 16));
    }
  },
  FLOAT16(16, dnnl_f16) {
    @Override
    void put(ByteBuffer out, int index, float value) {
      out.putShort(Short.BYTES * index, Half.bits(value));
    }
  },
  FLOAT32(32, dnnl_f32) {
    @Override
    void put(ByteBuffer out, int index, float value) {
      out.putFloat(Float.BYTES * index, value);
    }
  };

  private final int bits;
  private final int code;

  ElementType(int bits, int code) {
    this.bits = bits;
    this.code = code;
  }

  int bits() {
    return bits;
  }

  /** oneDNN's {@code dnnl_data_type_t}. */
  int code() {
    return code;
  }

  /** Stores a finite value, which the type holds exactly, as element {@code index}. */
  abstract void put(ByteBuffer out, int index, float value);
}
