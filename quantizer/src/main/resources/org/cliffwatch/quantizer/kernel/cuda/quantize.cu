// Rows to 8-bit codes, sums of codes to rows, and what follows a product and reads nothing else.

constexpr float LEVELS = 127.0f;

// Vectorwise.java's scale of a row whose largest magnitude has these bits; NaN if that is not finite.
__device__ __forceinline__ float scale_of(unsigned magnitude) {
  if (magnitude >= INFINITE) return not_a_number();
  float scale = __uint_as_float(magnitude) / LEVELS;
  return scale == 0.0f ? 1.0f : scale;
}

// A division, and no product with the inverse: ties stay ties. 0 where the scale is NaN.
__device__ __forceinline__ signed char code_of(float value, float scale) {
  if (scale != scale) return 0;
  // Only a subnormal scale, itself rounded, can lead beyond the levels.
  float code = rintf(value / scale);
  return (signed char)(code > LEVELS ? LEVELS : code < -LEVELS ? -LEVELS : code);
}

__device__ __forceinline__ unsigned magnitude_of(float value) {
  return __float_as_uint(value) & MAGNITUDE;
}

template <typename T>
__device__ __forceinline__ unsigned magnitude_of(Four<T> values) {
  unsigned max = 0;
  for (int k = 0; k < 4; k++) {
    unsigned bits = magnitude_of(widen(values.at[k]));
    max = bits > max ? bits : max;
  }
  return max;
}

// The scale and codes of this block's row, whose columns from `width` on are zeros, with zeros up to the
// codes' stride. max: the bits of the largest magnitude that the thread has seen.
template <typename T>
__device__ __forceinline__ void put_codes(const T* row, int width, unsigned max, signed char* codes, int stride,
                                          float* scales) {
  __shared__ unsigned partial[WARPS];
  float scale = scale_of(block_max(max, partial));
  if (threadIdx.x == 0) scales[blockIdx.x] = scale;
  codes += (long long)blockIdx.x * stride;
  for (int column = 4 * threadIdx.x; column < stride; column += COLUMNS) {
    Four<signed char> four_codes = {};
    if (column < width) {
      Four<T> values = four(row, column);
      for (int k = 0; k < 4; k++) {
        if (column + k < width) four_codes.at[k] = code_of(widen(values.at[k]), scale);
      }
    }
    put(codes, column, four_codes);
  }
}

// A row's codes and scale. Grid: rows.
template <typename T>
__device__ void quantize(const T* x, int xStride, int width, signed char* codes, int codesStride, float* scales) {
  const T* row = x + (long long)blockIdx.x * xStride;
  unsigned max = 0;
  for (int column = 4 * threadIdx.x; column < xStride; column += COLUMNS) {
    unsigned bits = magnitude_of(four(row, column));
    max = bits > max ? bits : max;
  }
  put_codes(row, width, max, codes, codesStride, scales);
}

#define QUANTIZE(T, suffix)                                                                        \
  LAUNCHED quantize_##suffix(const T* x, int xStride, int width, signed char* codes,               \
                             int codesStride, float* scales) {                                     \
    quantize(x, xStride, width, codes, codesStride, scales);                                       \
  }
EACH_TYPE(QUANTIZE)

// sum * row scale * weight scale + bias, each rounded, in this order; bias may be null.
__device__ __forceinline__ float dequantized(int sum, float rowScale, const float* weightScales, const float* bias,
                                             int column) {
  float value = (float)sum * rowScale * weightScales[column];
  return bias == nullptr ? value : value + bias[column];
}

// Grid: rows, columns of the stride.
template <typename T>
__device__ void dequantize(const int* sums, int sumsStride, const float* rowScales, const float* weightScales,
                           const float* bias, int width, T* y, int stride) {
  int column = own_column();
  if (column >= stride) return;
  Four<int> row = four(sums + (long long)blockIdx.x * sumsStride, column);
  float rowScale = rowScales[blockIdx.x];
  Four<T> values;
  for (int k = 0; k < 4; k++) {
    bool real = column + k < width;
    values.at[k] = narrow<T>(real ? dequantized(row.at[k], rowScale, weightScales, bias, column + k) : 0.0f);
  }
  put(y + (long long)blockIdx.x * stride, column, values);
}

#define DEQUANTIZE(T, suffix)                                                                    \
  LAUNCHED dequantize_##suffix(const int* sums, int sumsStride, const float* rowScales,          \
                               const float* weightScales, const float* bias, int width, T* y,    \
                               int stride) {                                                     \
    dequantize(sums, sumsStride, rowScales, weightScales, bias, width, y, stride);               \
  }
EACH_TYPE(DEQUANTIZE)

// x += what dequantize gives, both narrowed. Grid: rows, columns of the stride.
template <typename T>
__device__ void dequantize_add(const int* sums, int sumsStride, const float* rowScales, const float* weightScales,
                               const float* bias, int width, T* x, int stride) {
  int column = own_column();
  if (column >= stride) return;
  Four<int> row = four(sums + (long long)blockIdx.x * sumsStride, column);
  float rowScale = rowScales[blockIdx.x];
  T* to = x + (long long)blockIdx.x * stride;
  Four<T> values = four(to, column);
  for (int k = 0; k < 4; k++) {
    float sum = 0.0f;
    if (column + k < width) {
      T addend = narrow<T>(dequantized(row.at[k], rowScale, weightScales, bias, column + k));
      sum = widen(values.at[k]) + widen(addend);
    }
    values.at[k] = narrow<T>(sum);
  }
  put(to, column, values);
}

#define DEQUANTIZE_ADD(T, suffix)                                                                \
  LAUNCHED dequantize_add_##suffix(const int* sums, int sumsStride, const float* rowScales,      \
                                   const float* weightScales, const float* bias, int width,      \
                                   T* x, int stride) {                                           \
    dequantize_add(sums, sumsStride, rowScales, weightScales, bias, width, x, stride);           \
  }
EACH_TYPE(DEQUANTIZE_ADD)

// What `term` makes of four columns at a time, quantized by way of shared memory.
template <typename T, typename Term>
__device__ __forceinline__ void quantize_terms(int width, signed char* codes, int codesStride, float* scales,
                                               Term term) {
  DYNAMIC_SHARED(T, row);
  unsigned max = 0;
  for (int column = 4 * threadIdx.x; column < width; column += COLUMNS) {
    Four<T> values = term(column);
    unsigned bits = magnitude_of(values);
    max = bits > max ? bits : max;
    put(row, column, values);
  }
  put_codes(row, width, max, codes, codesStride, scales);
}

// A row of f(dequantized), quantized: the bits of dequantize, activate and quantize one after another.
// Grid: rows; dynamic shared memory: a row of T, its width rounded up to four.
template <typename T>
__device__ void dequantize_activate_quantize(int f, const int* sums, int sumsStride, const float* rowScales,
                                             const float* weightScales, const float* bias, int width,
                                             signed char* codes, int codesStride, float* scales) {
  const int* from = sums + (long long)blockIdx.x * sumsStride;
  float rowScale = rowScales[blockIdx.x];
  quantize_terms<T>(width, codes, codesStride, scales, [=](int column) {
    Four<int> sum = four(from, column);
    Four<T> values;
    for (int k = 0; k < 4; k++) {
      float value = 0.0f;
      if (column + k < width) {
        value = widen(narrow<T>(dequantized(sum.at[k], rowScale, weightScales, bias, column + k)));
        value = activated(f, value);
      }
      values.at[k] = narrow<T>(value);
    }
    return values;
  });
}

#define DEQUANTIZE_ACTIVATE_QUANTIZE(T, suffix)                                                   \
  LAUNCHED dequantize_activate_quantize_##suffix(                                                 \
      int f, const int* sums, int sumsStride, const float* rowScales, const float* weightScales,  \
      const float* bias, int width, signed char* codes, int codesStride, float* scales) {         \
    dequantize_activate_quantize<T>(f, sums, sumsStride, rowScales, weightScales, bias, width,    \
                                    codes, codesStride, scales);                                  \
  }
EACH_TYPE(DEQUANTIZE_ACTIVATE_QUANTIZE)

// As dequantize_activate_quantize, of f(gate) * up.
template <typename T>
__device__ void dequantize_activate_gated_quantize(int f, const int* gateSums, const int* upSums, int sumsStride,
                                                   const float* rowScales, const float* gateScales,
                                                   const float* upScales, const float* gateBias, const float* upBias,
                                                   int width, signed char* codes, int codesStride, float* scales) {
  const int* gates = gateSums + (long long)blockIdx.x * sumsStride;
  const int* ups = upSums + (long long)blockIdx.x * sumsStride;
  float rowScale = rowScales[blockIdx.x];
  quantize_terms<T>(width, codes, codesStride, scales, [=](int column) {
    Four<int> gate = four(gates, column);
    Four<int> up = four(ups, column);
    Four<T> values;
    for (int k = 0; k < 4; k++) {
      float value = 0.0f;
      if (column + k < width) {
        value = widen(narrow<T>(dequantized(gate.at[k], rowScale, gateScales, gateBias, column + k)));
        value = activated(f, value);
        value *= widen(narrow<T>(dequantized(up.at[k], rowScale, upScales, upBias, column + k)));
      }
      values.at[k] = narrow<T>(value);
    }
    return values;
  });
}

#define DEQUANTIZE_ACTIVATE_GATED_QUANTIZE(T, suffix)                                              \
  LAUNCHED dequantize_activate_gated_quantize_##suffix(                                            \
      int f, const int* gateSums, const int* upSums, int sumsStride, const float* rowScales,       \
      const float* gateScales, const float* upScales, const float* gateBias, const float* upBias,  \
      int width, signed char* codes, int codesStride, float* scales) {                             \
    dequantize_activate_gated_quantize<T>(f, gateSums, upSums, sumsStride, rowScales, gateScales,  \
                                          upScales, gateBias, upBias, width, codes, codesStride,   \
                                          scales);                                                 \
  }
EACH_TYPE(DEQUANTIZE_ACTIVATE_GATED_QUANTIZE)

// w[r, c] = code * scale of the row. Codes of 8 bits a byte each, of 4 bits two, the first in the low half.
// Grid: rows.
LAUNCHED unpack_codes(const signed char* codes, int codesStride, int bits, const float* scales, int columns, float* w,
                      int stride) {
  const signed char* row = codes + (long long)blockIdx.x * codesStride;
  float* to = w + (long long)blockIdx.x * stride;
  float scale = scales[blockIdx.x];
  for (int c = threadIdx.x; c < stride; c += THREADS) {
    int code = 0;
    if (c < columns) {
      // Shifted up as unsigned and down as signed: the half's sign is the code's.
      code = bits == 8 ? row[c] : (int)((unsigned)row[c / 2] << (c % 2 == 0 ? 28 : 24)) >> 28;
    }
    to[c] = (float)code * scale;
  }
}
