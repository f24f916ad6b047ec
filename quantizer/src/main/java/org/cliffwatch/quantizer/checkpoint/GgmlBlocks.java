package org.cliffwatch.quantizer.checkpoint;

import org.cliffwatch.quantizer.kernel.Half;

/**
 * The block formats of GGUF, widened to float32 in the same order of operations as the reference
 * dequantizer ({@code gguf/quants.py} of ggml-org/llama.cpp), so with the same bits. A scale is
 * stored as binary16, little-endian.
 *
 * <p>Formats of 32 elements have one scale d, and the {@code _1} kinds a minimum m: {@code d · q}
 * or {@code d · q + m}. Formats of 256 ("K") have a scale for every 16 or 32 elements, itself an
 * integer of 4 to 8 bits times d, and some subtract a minimum likewise made from dmin. The others
 * look a code of 4 bits up in a table, or are ternary.
 */
final class GgmlBlocks {
  /** What a code of 4 bits stands for in {@code IQ4_NL}: the reference's {@code kvalues}. */
  private static final int[] NON_LINEAR = {
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113
  };

  /** Twice the values of E2M1, the four bits of the OCP's microscaling formats. */
  private static final int[] TWICE_E2M1 = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

  private static final int[] POWERS_OF_3 = {1, 3, 9, 27, 81};

  private GgmlBlocks() {}

  /** d, then 32 signed bytes. */
  static void q8Zero(byte[] bytes, int from, float[] out, int at) {
    float d = half(bytes, from);
    for (int i = 0; i < 32; i++) {
      out[at + i] = bytes[from + 2 + i] * d;
    }
  }

  /** d, then 16 bytes: low halves are elements 0 to 15, high halves 16 to 31; offset by 8. */
  static void q4Zero(byte[] bytes, int from, float[] out, int at) {
    float d = half(bytes, from);
    for (int i = 0; i < 16; i++) {
      int pair = bytes[from + 2 + i];
      out[at + i] = d * (low(pair) - 8);
      out[at + 16 + i] = d * (high(pair) - 8);
    }
  }

  /** d and m, then 16 bytes as in {@link #q4Zero}, without offset. */
  static void q4One(byte[] bytes, int from, float[] out, int at) {
    float d = half(bytes, from);
    float m = half(bytes, from + 2);
    for (int i = 0; i < 16; i++) {
      int pair = bytes[from + 4 + i];
      out[at + i] = d * low(pair) + m;
      out[at + 16 + i] = d * high(pair) + m;
    }
  }

  /** d, 32 fifth bits, then 16 bytes of the lower four; offset by 16. */
  static void q5Zero(byte[] bytes, int from, float[] out, int at) {
    float d = half(bytes, from);
    int fifth = integer(bytes, from + 2);
    for (int i = 0; i < 16; i++) {
      int pair = bytes[from + 6 + i];
      out[at + i] = d * (low(pair) + 16 * bit(fifth, i) - 16);
      out[at + 16 + i] = d * (high(pair) + 16 * bit(fifth, i + 16) - 16);
    }
  }

  /** d and m, 32 fifth bits, then 16 bytes of the lower four. */
  static void q5One(byte[] bytes, int from, float[] out, int at) {
    float d = half(bytes, from);
    float m = half(bytes, from + 2);
    int fifth = integer(bytes, from + 4);
    for (int i = 0; i < 16; i++) {
      int pair = bytes[from + 8 + i];
      out[at + i] = d * (low(pair) + 16 * bit(fifth, i)) + m;
      out[at + 16 + i] = d * (high(pair) + 16 * bit(fifth, i + 16)) + m;
    }
  }

  /** d and dmin, 12 bytes of scales and minima, then 128 bytes: four times 64 elements. */
  static void q4K(byte[] bytes, int from, float[] out, int at) {
    float d = half(bytes, from);
    float dmin = half(bytes, from + 2);
    for (int group = 0; group < 8; group++) {
      float scale = d * scale(bytes, from + 4, group);
      float min = dmin * minimum(bytes, from + 4, group);
      int codes = from + 16 + 32 * (group / 2);
      int shift = 4 * (group % 2);
      for (int i = 0; i < 32; i++) {
        out[at + 32 * group + i] = scale * low(bytes[codes + i] >> shift) - min;
      }
    }
  }

  /** As {@link #q4K}, with 32 bytes of fifth bits before the codes: bit g belongs to group g. */
  static void q5K(byte[] bytes, int from, float[] out, int at) {
    float d = half(bytes, from);
    float dmin = half(bytes, from + 2);
    for (int group = 0; group < 8; group++) {
      float scale = d * scale(bytes, from + 4, group);
      float min = dmin * minimum(bytes, from + 4, group);
      int codes = from + 48 + 32 * (group / 2);
      int shift = 4 * (group % 2);
      for (int i = 0; i < 32; i++) {
        int code = low(bytes[codes + i] >> shift) + 16 * bit(bytes[from + 16 + i], group);
        out[at + 32 * group + i] = scale * code - min;
      }
    }
  }

  /** 128 bytes of low halves, 64 of high quarters, 16 signed scales, then d; offset by 32. */
  static void q6K(byte[] bytes, int from, float[] out, int at) {
    float d = half(bytes, from + 208);
    for (int group = 0; group < 8; group++) {
      // Two groups share the 32 bytes of low halves, four those of high quarters.
      int low = from + 64 * (group / 4) + 32 * (group % 2);
      int lowShift = group % 4 < 2 ? 0 : 4;
      int high = from + 128 + 32 * (group / 4);
      int highShift = 2 * (group % 4);
      for (int i = 0; i < 32; i++) {
        float scale = d * bytes[from + 192 + 2 * group + i / 16];
        int code = low(bytes[low + i] >> lowShift) + 16 * ((bytes[high + i] >> highShift) & 3);
        out[at + 32 * group + i] = scale * (code - 32);
      }
    }
  }

  /** 16 bytes of scales (low) and minima (high), 64 of codes of 2 bits, then d and dmin. */
  static void q2K(byte[] bytes, int from, float[] out, int at) {
    float d = half(bytes, from + 80);
    float dmin = half(bytes, from + 82);
    for (int i = 0; i < 256; i++) {
      int group = bytes[from + i / 16];
      float scale = d * low(group);
      float min = dmin * high(group);
      out[at + i] = scale * quarter(bytes, from + 16, i) - min;
    }
  }

  /**
   * 32 bytes of third bits, which take 4 off where they are 0, 64 of codes of 2 bits, 12 of scales
   * of 6 bits offset by 32, then d.
   */
  static void q3K(byte[] bytes, int from, float[] out, int at) {
    float d = half(bytes, from + 108);
    int scales = from + 96;
    for (int i = 0; i < 256; i++) {
      int group = i / 16;
      int lower = low(bytes[scales + group % 8] >> (group < 8 ? 0 : 4));
      int upper = (bytes[scales + 8 + group % 4] >> (2 * (group / 4))) & 3;
      float scale = d * (lower + 16 * upper - 32);
      int third = 1 - bit(bytes[from + i % 32], i / 32);
      out[at + i] = scale * (quarter(bytes, from + 32, i) - 4 * third);
    }
  }

  /** Element i of codes of 2 bits: 32 bytes hold four times 32 elements, lowest bits first. */
  private static int quarter(byte[] bytes, int codes, int i) {
    return (bytes[codes + 32 * (i / 128) + i % 32] >> (2 * (i % 128 / 32))) & 3;
  }

  /** d, then 16 bytes of codes, low halves first. */
  static void iq4Nl(byte[] bytes, int from, float[] out, int at) {
    lookedUp(half(bytes, from), NON_LINEAR, bytes, from + 2, 16, out, at);
  }

  /** d, 16 upper bits of scales, 4 bytes of their lower halves, offset by 32, then codes. */
  static void iq4Xs(byte[] bytes, int from, float[] out, int at) {
    float d = half(bytes, from);
    int upper = (bytes[from + 2] & 0xff) | (bytes[from + 3] << 8);
    for (int group = 0; group < 8; group++) {
      int lower = low(bytes[from + 4 + group / 2] >> (4 * (group % 2)));
      float scale = d * (lower + 16 * ((upper >> (2 * group)) & 3) - 32);
      lookedUp(scale, NON_LINEAR, bytes, from + 8 + 16 * group, 16, out, at + 32 * group);
    }
  }

  /** An exponent e, d = 2^(e − 128), then 16 bytes of codes, low halves first. */
  static void mxfp4(byte[] bytes, int from, float[] out, int at) {
    int e = bytes[from] & 0xff;
    float d = Float.intBitsToFloat(e < 2 ? 0x00200000 << e : (e - 1) << 23);
    lookedUp(d, TWICE_E2M1, bytes, from + 1, 16, out, at);
  }

  /** Four scales of UE4M3, halved, then four times 8 bytes of codes, low halves first. */
  static void nvfp4(byte[] bytes, int from, float[] out, int at) {
    for (int group = 0; group < 4; group++) {
      float d = halfOfUe4m3(bytes[from + group]);
      lookedUp(d, TWICE_E2M1, bytes, from + 4 + 8 * group, 8, out, at + 16 * group);
    }
  }

  /** The upper bit does not count; 0x7f is 0. */
  private static float halfOfUe4m3(byte bits) {
    int exponent = low(bits >> 3);
    int mantissa = bits & 7;
    if (bits == 0x7f) {
      return 0;
    }
    return exponent == 0 ? Math.scalb(mantissa, -10) : Math.scalb(1 + mantissa / 8f, exponent - 8);
  }

  private static void lookedUp(
      float d, int[] table, byte[] bytes, int codes, int count, float[] out, int at) {
    for (int i = 0; i < count; i++) {
      out[at + i] = d * table[low(bytes[codes + i])];
      out[at + count + i] = d * table[high(bytes[codes + i])];
    }
  }

  /** 48 bytes of five ternary digits, 4 of four, most significant first, then d. */
  static void tq1Zero(byte[] bytes, int from, float[] out, int at) {
    float d = half(bytes, from + 52);
    for (int i = 0; i < 256; i++) {
      int code;
      int digit;
      if (i < 160) {
        code = i % 32;
        digit = i / 32;
      } else if (i < 240) {
        code = 32 + (i - 160) % 16;
        digit = (i - 160) / 16;
      } else {
        code = 48 + (i - 240) % 4;
        digit = (i - 240) / 4;
      }
      int rest = (bytes[from + code] * POWERS_OF_3[digit]) & 0xff;
      out[at + i] = d * (((rest * 3) >> 8) - 1);
    }
  }

  /** 64 bytes of codes of 2 bits, offset by 1, then d. */
  static void tq2Zero(byte[] bytes, int from, float[] out, int at) {
    float d = half(bytes, from + 64);
    for (int i = 0; i < 256; i++) {
      out[at + i] = d * (quarter(bytes, from, i) - 1);
    }
  }

  /** The 6-bit scale of a group: bits 0–5 of byte g, or for g ≥ 4 put together from two bytes. */
  private static int scale(byte[] bytes, int scales, int group) {
    return group < 4
        ? bytes[scales + group] & 63
        : low(bytes[scales + 4 + group]) + ((bytes[scales + group - 4] >> 2) & 48);
  }

  private static int minimum(byte[] bytes, int scales, int group) {
    return group < 4
        ? bytes[scales + 4 + group] & 63
        : high(bytes[scales + 4 + group]) + ((bytes[scales + group] >> 2) & 48);
  }

  private static int low(int pair) {
    return pair & 15;
  }

  private static int high(int pair) {
    return (pair >> 4) & 15;
  }

  private static int bit(int bits, int i) {
    return (bits >> i) & 1;
  }

  private static float half(byte[] bytes, int at) {
    return Half.widen((short) ((bytes[at] & 0xff) | (bytes[at + 1] << 8)));
  }

  private static int integer(byte[] bytes, int at) {
    return (bytes[at] & 0xff)
        | (bytes[at + 1] & 0xff) << 8
        | (bytes[at + 2] & 0xff) << 16
        | bytes[at + 3] << 24;
  }
}
