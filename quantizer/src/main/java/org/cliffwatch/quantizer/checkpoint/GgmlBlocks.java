package org.cliffwatch.quantizer.checkpoint;

import org.cliffwatch.quantizer.kernel.Half;

/**
 * The block formats of GGUF, widened to float32 in the same order of operations as the reference
 * dequantizer ({@code gguf/quants.py} of ggml-org/llama.cpp), so with the same bits. A scale is
 * stored as binary16, little-endian.
 *
 * <p>Formats of 32 elements have one scale d, and the {@code _1} kinds a minimum m: {@code d · q}
 * or {@code d · q + m}. Formats of 256 ("K") have a scale for every 16 or 32 elements, itself an
 * integer of 6 or 8 bits times d, and subtract a minimum likewise made from dmin.
 */
final class GgmlBlocks {
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
