// Operations on rows of activations: (rows, stride) of T, whose columns from `width` on are zeros. Each
// widens, computes in float32 and narrows once.

__device__ __forceinline__ unsigned long long mix(unsigned long long state) {
  unsigned long long z = state + 0x9e3779b97f4a7c15ull;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

// Nudge.java, to the bit.
__device__ __forceinline__ float nudged(float x, long long drawn) {
  double u = (double)(drawn >> 11) * 0x1p-52;
  return (float)((double)x * (1.0 + 0x1p-20 * u));
}

// FloatType.java's distance to the next value of larger magnitude.
__device__ __forceinline__ float unit_of(float x, bf16) {
  float unit = __uint_as_float(__float_as_uint(x) & INFINITE) * 0x1p-7f;
  return unit < 0x1p-133f ? 0x1p-133f : unit;
}

__device__ __forceinline__ float unit_of(float x, f16) {
  float unit = __uint_as_float(__float_as_uint(x) & INFINITE) * 0x1p-10f;
  return unit < 0x1p-24f ? 0x1p-24f : unit;
}

template <typename T>
__device__ __forceinline__ T flipped(T x, long long drawn) {
  float value = widen(x);
  if (value == 0.0f || (drawn & 63) != 0) return x;
  float unit = unit_of(value, x);
  T moved = narrow<T>(drawn < 0 ? value - unit : value + unit);
  return finite(widen(moved)) ? moved : x;
}

__device__ __forceinline__ float nudge(float x, long long drawn) { return nudged(x, drawn); }
__device__ __forceinline__ bf16 nudge(bf16 x, long long drawn) { return flipped(x, drawn); }
__device__ __forceinline__ f16 nudge(f16 x, long long drawn) { return flipped(x, drawn); }

// y[r] = table[tokens[r]], nudged if it is to be. Grid: rows.
template <typename T>
__device__ void embed(const T* table, int tableStride, const int* tokens, const int* positions, int width,
                      int isNudged, long long seeded, T* y, int stride) {
  int row = blockIdx.x;
  const T* from = table + (long long)tokens[row] * tableStride;
  T* to = y + (long long)row * stride;
  unsigned long long hash = mix(mix((unsigned long long)seeded) + (long long)positions[row]);
  hash = mix(hash + (long long)tokens[row]);
  for (int i = threadIdx.x; i < stride; i += THREADS) {
    T value = i < width ? from[i] : narrow<T>(0);
    if (isNudged && i < width) {
      value = nudge(value, (long long)mix(hash + (unsigned long long)i * 0x9e3779b97f4a7c15ull));
    }
    to[i] = value;
  }
}

#define EMBED(T, suffix)                                                                              \
  LAUNCHED embed_##suffix(const T* table, int tableStride, const int* tokens, const int* positions,   \
                          int width, int isNudged, long long seeded, T* y, int stride) {              \
    embed(table, tableStride, tokens, positions, width, isNudged, seeded, y, stride);                 \
  }
EACH_TYPE(EMBED)

// x[r] += table[positions[r] + offset]. Grid: rows.
template <typename T>
__device__ void add_table(const T* table, int tableStride, const int* positions, int offset, int width, T* x,
                          int stride) {
  int row = blockIdx.x;
  const T* from = table + (long long)(positions[row] + offset) * tableStride;
  T* to = x + (long long)row * stride;
  for (int i = threadIdx.x; i < stride; i += THREADS) {
    to[i] = narrow<T>(i < width ? widen(to[i]) + widen(from[i]) : 0.0f);
  }
}

#define ADD_TABLE(T, suffix)                                                                       \
  LAUNCHED add_table_##suffix(const T* table, int tableStride, const int* positions, int offset,   \
                              int width, T* x, int stride) {                                       \
    add_table(table, tableStride, positions, offset, width, x, stride);                            \
  }
EACH_TYPE(ADD_TABLE)

// 1 / sqrt(infinity) would make zeros of a row.
__device__ __forceinline__ float inverse_root(float square, float epsilon) {
  return finite(square) ? 1.0f / sqrtf(square + epsilon) : not_a_number();
}

// The padding after a row's last group.
template <typename T>
__device__ __forceinline__ void clear_padding(T* row, int from, int stride) {
  for (int i = from + threadIdx.x; i < stride; i += THREADS) row[i] = narrow<T>(0.0f);
}

// The sum over a group's columns of what `term` makes of each, the same to all threads. By four columns at a
// time where the width allows it: the order depends on the width alone.
template <typename T, typename Term>
__device__ __forceinline__ float sum_of(const T* from, int width, float* partial, Term term) {
  float sum = 0;
  if (width % 4 == 0) {
    for (int column = 4 * threadIdx.x; column < width; column += COLUMNS) {
      Four<T> values = four(from, column);
      for (int k = 0; k < 4; k++) sum += term(widen(values.at[k]));
    }
  } else {
    for (int i = threadIdx.x; i < width; i += THREADS) sum += term(widen(from[i]));
  }
  return block_sum(sum, partial);
}

// to = what `term` makes of each column and its place.
template <typename T, typename Term>
__device__ __forceinline__ void map(const T* from, int width, T* to, Term term) {
  if (width % 4 == 0) {
    for (int column = 4 * threadIdx.x; column < width; column += COLUMNS) {
      Four<T> values = four(from, column);
      for (int k = 0; k < 4; k++) values.at[k] = narrow<T>(term(widen(values.at[k]), column + k));
      put(to, column, values);
    }
  } else {
    for (int i = threadIdx.x; i < width; i += THREADS) to[i] = narrow<T>(term(widen(from[i]), i));
  }
}

// x / sqrt(mean(x^2) + epsilon) * weight, of each group of `width` columns. y may be x. Grid: rows, groups.
template <typename T>
__device__ void rms_norm(const T* x, int xStride, int width, const float* weight, float epsilon, T* y,
                         int yStride) {
  __shared__ float partial[WARPS];
  const T* from = x + (long long)blockIdx.x * xStride + (long long)blockIdx.y * width;
  T* row = y + (long long)blockIdx.x * yStride;
  float squares = sum_of(from, width, partial, [](float value) { return value * value; });
  float scale = inverse_root(squares / width, epsilon);
  map(from, width, row + (long long)blockIdx.y * width,
      [=](float value, int i) { return value * scale * weight[i]; });
  if (blockIdx.y == gridDim.y - 1) clear_padding(row, gridDim.y * width, yStride);
}

#define RMS_NORM(T, suffix)                                                                       \
  LAUNCHED rms_norm_##suffix(const T* x, int xStride, int width, const float* weight,             \
                             float epsilon, T* y, int yStride) {                                  \
    rms_norm(x, xStride, width, weight, epsilon, y, yStride);                                     \
  }
EACH_TYPE(RMS_NORM)

// (x - mean) / sqrt(variance + epsilon) * weight + bias; bias may be null. Grid: rows, groups.
template <typename T>
__device__ void layer_norm(const T* x, int xStride, int width, const float* weight, const float* bias,
                           float epsilon, T* y, int yStride) {
  __shared__ float partial[WARPS];
  const T* from = x + (long long)blockIdx.x * xStride + (long long)blockIdx.y * width;
  T* row = y + (long long)blockIdx.x * yStride;
  float mean = sum_of(from, width, partial, [](float value) { return value; }) / width;
  float squares =
      sum_of(from, width, partial, [=](float value) { return (value - mean) * (value - mean); });
  float scale = inverse_root(squares / width, epsilon);
  map(from, width, row + (long long)blockIdx.y * width, [=](float value, int i) {
    float normed = (value - mean) * scale * weight[i];
    return bias == nullptr ? normed : normed + bias[i];
  });
  if (blockIdx.y == gridDim.y - 1) clear_padding(row, gridDim.y * width, yStride);
}

#define LAYER_NORM(T, suffix)                                                                    \
  LAUNCHED layer_norm_##suffix(const T* x, int xStride, int width, const float* weight,          \
                               const float* bias, float epsilon, T* y, int yStride) {            \
    layer_norm(x, xStride, width, weight, bias, epsilon, y, yStride);                            \
  }
EACH_TYPE(LAYER_NORM)

// Ordinals of Activation.java.
__device__ __forceinline__ float activated(int f, float x) {
  switch (f) {
    case 0:
      // x times 0 is NaN where x is infinite: of minus infinity no plausible number.
      return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f));
    case 1: {
      float inner = 0.79788456080286536f * (x + 0.044715f * (x * x * x));
      return 0.5f * x * (1.0f + tanhf(inner));
    }
    case 2:
      return x < 0 ? 0.0f : x;
    case 3:
      // e^-x overflows only where the quotient is 0; minus infinity gives NaN.
      return finite(x) || x > 0 ? x / (1.0f + expf(-x)) : not_a_number();
    default:
      return finite(x) || x > 0 ? x / (1.0f + expf(-1.702f * x)) : not_a_number();
  }
}

// x = f(x). Grid: rows, columns of the stride.
template <typename T>
__device__ void activate(int f, T* x, int width, int stride) {
  T* row = x + (long long)blockIdx.x * stride;
  int column = own_column();
  if (column >= stride) return;
  Four<T> values = four(row, column);
  for (int k = 0; k < 4; k++) {
    values.at[k] = narrow<T>(column + k < width ? activated(f, widen(values.at[k])) : 0.0f);
  }
  put(row, column, values);
}

#define ACTIVATE(T, suffix)                                          \
  LAUNCHED activate_##suffix(int f, T* x, int width, int stride) {   \
    activate(f, x, width, stride);                                   \
  }
EACH_TYPE(ACTIVATE)

// gate = f(gate) * up, narrowed once. Grid: rows, columns of the stride.
template <typename T>
__device__ void activate_gated(int f, T* gate, const T* up, int width, int stride) {
  T* row = gate + (long long)blockIdx.x * stride;
  int column = own_column();
  if (column >= stride) return;
  Four<T> values = four(row, column);
  Four<T> factors = four(up + (long long)blockIdx.x * stride, column);
  for (int k = 0; k < 4; k++) {
    float value = activated(f, widen(values.at[k])) * widen(factors.at[k]);
    values.at[k] = narrow<T>(column + k < width ? value : 0.0f);
  }
  put(row, column, values);
}

#define ACTIVATE_GATED(T, suffix)                                                        \
  LAUNCHED activate_gated_##suffix(int f, T* gate, const T* up, int width, int stride) { \
    activate_gated(f, gate, up, width, stride);                                          \
  }
EACH_TYPE(ACTIVATE_GATED)

// x *= factor. Grid: rows, columns of the stride.
template <typename T>
__device__ void scale(T* x, float factor, int width, int stride) {
  T* row = x + (long long)blockIdx.x * stride;
  int column = own_column();
  if (column >= stride) return;
  Four<T> values = four(row, column);
  for (int k = 0; k < 4; k++) {
    values.at[k] = narrow<T>(column + k < width ? widen(values.at[k]) * factor : 0.0f);
  }
  put(row, column, values);
}

#define SCALE(T, suffix)                                                \
  LAUNCHED scale_##suffix(T* x, float factor, int width, int stride) {  \
    scale(x, factor, width, stride);                                    \
  }
EACH_TYPE(SCALE)

// x into [-bound, bound]; NaN stays. Grid: rows, columns of the stride.
template <typename T>
__device__ void clamp(T* x, float bound, int stride) {
  T* row = x + (long long)blockIdx.x * stride;
  int column = own_column();
  if (column >= stride) return;
  Four<T> values = four(row, column);
  for (int k = 0; k < 4; k++) {
    float value = widen(values.at[k]);
    if (value > bound) values.at[k] = narrow<T>(bound);
    if (value < -bound) values.at[k] = narrow<T>(-bound);
  }
  put(row, column, values);
}

#define CLAMP(T, suffix)                                       \
  LAUNCHED clamp_##suffix(T* x, float bound, int stride) {     \
    clamp(x, bound, stride);                                   \
  }
EACH_TYPE(CLAMP)

// x += y, of equal strides. Grid: rows, columns of the stride.
template <typename T>
__device__ void add(T* x, const T* y, int width, int stride) {
  T* row = x + (long long)blockIdx.x * stride;
  int column = own_column();
  if (column >= stride) return;
  Four<T> values = four(row, column);
  Four<T> addends = four(y + (long long)blockIdx.x * stride, column);
  for (int k = 0; k < 4; k++) {
    float sum = widen(values.at[k]) + widen(addends.at[k]);
    values.at[k] = narrow<T>(column + k < width ? sum : 0.0f);
  }
  put(row, column, values);
}

#define ADD(T, suffix)                                             \
  LAUNCHED add_##suffix(T* x, const T* y, int width, int stride) { \
    add(x, y, width, stride);                                      \
  }
EACH_TYPE(ADD)

// Rotates the first 2 * half values of each head by the row's position. Grid: rows.
template <typename T>
__device__ void rotate(T* x, int stride, int heads, int headSize, int half, const int* positions,
                       const float* cosines, const float* sines, int interleaved) {
  T* row = x + (long long)blockIdx.x * stride;
  long long angle = (long long)positions[blockIdx.x] * half;
  for (int pair = threadIdx.x; pair < heads * half; pair += THREADS) {
    int i = pair % half;
    int head = pair / half * headSize;
    int first = head + (interleaved ? 2 * i : i);
    int second = head + (interleaved ? 2 * i + 1 : i + half);
    float c = cosines[angle + i];
    float s = sines[angle + i];
    float a = widen(row[first]);
    float b = widen(row[second]);
    row[first] = narrow<T>(a * c - b * s);
    row[second] = narrow<T>(b * c + a * s);
  }
}

#define ROTATE(T, suffix)                                                                         \
  LAUNCHED rotate_##suffix(T* x, int stride, int heads, int headSize, int half,                   \
                           const int* positions, const float* cosines, const float* sines,        \
                           int interleaved) {                                                     \
    rotate(x, stride, heads, headSize, half, positions, cosines, sines, interleaved);             \
  }
EACH_TYPE(ROTATE)

// to[i] = from[rows[i]], padding too. Grid: rows, columns of the stride.
template <typename T>
__device__ void gather(const T* from, const int* rows, int stride, T* to) {
  int column = own_column();
  if (column >= stride) return;
  put(to + (long long)blockIdx.x * stride, column, four(from + (long long)rows[blockIdx.x] * stride, column));
}

#define GATHER(T, suffix)                                                       \
  LAUNCHED gather_##suffix(const T* from, const int* rows, int stride, T* to) { \
    gather(from, rows, stride, to);                                             \
  }
EACH_TYPE(GATHER)

// y[r] = the sum over i of weights[r][i] * parts[slots[r][i]], in this order and in float32; the products
// narrowed before they are summed where they are rounded. Grid: rows, columns of the stride.
template <typename T>
__device__ void combine(const T* parts, const int* slots, const float* weights, int each, int areRounded, T* y,
                        int width, int stride) {
  int column = own_column();
  if (column >= stride) return;
  float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  for (int i = 0; i < each; i++) {
    long long at = (long long)blockIdx.x * each + i;
    float weight = weights[at];
    Four<T> values = four(parts + (long long)slots[at] * stride, column);
    for (int k = 0; k < 4; k++) {
      float product = weight * widen(values.at[k]);
      sums[k] += areRounded ? widen(narrow<T>(product)) : product;
    }
  }
  Four<T> values;
  for (int k = 0; k < 4; k++) values.at[k] = narrow<T>(column + k < width ? sums[k] : 0.0f);
  put(y + (long long)blockIdx.x * stride, column, values);
}

#define COMBINE(T, suffix)                                                                         \
  LAUNCHED combine_##suffix(const T* parts, const int* slots, const float* weights, int each,      \
                            int areRounded, T* y, int width, int stride) {                         \
    combine(parts, slots, weights, each, areRounded, y, width, stride);                            \
  }
EACH_TYPE(COMBINE)
