package org.cliffwatch.quantizer.checkpoint;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.cliffwatch.quantizer.kernel.FloatType;
import org.cliffwatch.quantizer.kernel.Half;

/**
 * How the elements of a tensor are stored: {@link #blockElements()} of them in {@link
 * #blockBytes()} bytes, little-endian.
 */
public enum StorageType {
  F32(1, 4) {
    @Override
    void widen(byte[] bytes, float[] out, int at, int blocks) {
      for (int i = 0; i < blocks; i++) {
        out[at + i] = (float) FLOAT.get(bytes, 4 * i);
      }
    }

    @Override
    boolean holds(float value) {
      return true;
    }

    @Override
    void narrow(float value, ByteBuffer out) {
      out.putFloat(value);
    }
  },
  F16(1, 2) {
    @Override
    void widen(byte[] bytes, float[] out, int at, int blocks) {
      for (int i = 0; i < blocks; i++) {
        out[at + i] = Half.widen((short) SHORT.get(bytes, 2 * i));
      }
    }

    @Override
    boolean holds(float value) {
      return FloatType.FLOAT16.round(value) == value;
    }

    @Override
    void narrow(float value, ByteBuffer out) {
      out.putShort(Half.bits(value));
    }
  },
  BF16(1, 2) {
    @Override
    void widen(byte[] bytes, float[] out, int at, int blocks) {
      for (int i = 0; i < blocks; i++) {
        out[at + i] = Float.intBitsToFloat((short) SHORT.get(bytes, 2 * i) << 16);
      }
    }

    @Override
    boolean holds(float value) {
      return (Float.floatToRawIntBits(value) & 0xffff) == 0;
    }

    @Override
    void narrow(float value, ByteBuffer out) {
      out.putShort((short) (Float.floatToRawIntBits(value) >>> 16));
    }
  },
  // Blocks of GGUF.
  Q4_0(32, 18, GgmlBlocks::q4Zero),
  Q4_1(32, 20, GgmlBlocks::q4One),
  Q5_0(32, 22, GgmlBlocks::q5Zero),
  Q5_1(32, 24, GgmlBlocks::q5One),
  Q8_0(32, 34, GgmlBlocks::q8Zero),
  Q4_K(256, 144, GgmlBlocks::q4K),
  Q5_K(256, 176, GgmlBlocks::q5K),
  Q6_K(256, 210, GgmlBlocks::q6K),
  Q2_K(256, 84, GgmlBlocks::q2K),
  Q3_K(256, 110, GgmlBlocks::q3K),
  IQ4_NL(32, 18, GgmlBlocks::iq4Nl),
  IQ4_XS(256, 136, GgmlBlocks::iq4Xs),
  TQ1_0(256, 54, GgmlBlocks::tq1Zero),
  TQ2_0(256, 66, GgmlBlocks::tq2Zero),
  MXFP4(32, 17, GgmlBlocks::mxfp4),
  NVFP4(64, 36, GgmlBlocks::nvfp4),
  // Types that occur beside the weights (masks, position ids) and are carried, but not widened.
  F64(1, 8),
  I64(1, 8),
  I32(1, 4),
  I16(1, 2),
  I8(1, 1),
  U64(1, 8),
  U32(1, 4),
  U16(1, 2),
  U8(1, 1),
  BOOL(1, 1),
  F8_E4M3(1, 1),
  F8_E5M2(1, 1);

  private static final VarHandle FLOAT =
      MethodHandles.byteArrayViewVarHandle(float[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle SHORT =
      MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);

  private final int blockElements;
  private final int blockBytes;
  private final Block block;

  StorageType(int blockElements, int blockBytes) {
    this(blockElements, blockBytes, null);
  }

  StorageType(int blockElements, int blockBytes, Block block) {
    this.blockElements = blockElements;
    this.blockBytes = blockBytes;
    this.block = block;
  }

  /** Widens one block at {@code bytes[from ..]} to {@code out[at ..]}. */
  private interface Block {
    void widen(byte[] bytes, int from, float[] out, int at);
  }

  /** Elements that share a block: 1 for plain numbers, 32 to 256 for GGUF's quantized types. */
  public int blockElements() {
    return blockElements;
  }

  /** Bytes of a block. */
  public int blockBytes() {
    return blockBytes;
  }

  /** Whether safetensors files have it, under this name. */
  boolean isSafetensors() {
    return blockElements == 1;
  }

  /** Whether elements can be read as float32. */
  public boolean isWeight() {
    return ordinal() < F64.ordinal();
  }

  /**
   * Widens {@code blocks} blocks from the start of {@code bytes} to {@code out[at ..]}, exactly.
   */
  void widen(byte[] bytes, float[] out, int at, int blocks) {
    if (block == null) {
      throw new UnsupportedOperationException(name());
    }
    for (int i = 0; i < blocks; i++) {
      block.widen(bytes, i * blockBytes, out, at + i * blockElements);
    }
  }

  /** Whether a finite float32 can be stored in this type, F32, F16 or BF16, to the bit. */
  boolean holds(float value) {
    throw new UnsupportedOperationException(name());
  }

  /** Appends an element that this type {@link #holds}. */
  void narrow(float value, ByteBuffer out) {
    throw new UnsupportedOperationException(name());
  }
}
