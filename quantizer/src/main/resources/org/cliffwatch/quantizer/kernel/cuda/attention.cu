// Causal attention over packed token runs: softmax(scale * q k^T + bias) v.
//
// A block takes a tile of neighbouring queries of one run and one head. Keys come in blocks that are cut
// at absolute positions, so that what a row computes does not depend on where its prefix lies or what
// stands beside it; a block of which a row sees no key changes none of its bits (online softmax, Milakov
// and Gimelshein 2018).

constexpr int ATTENTION_THREADS = 128;
constexpr int ATTENTION_TILE = 16;
constexpr int KEYS = 32;

// Threads are 8 x 16: each has two queries, and two keys or four columns in every sixty-four of the head.
constexpr int OWN_QUERIES = 2;
constexpr int ACROSS = 16;
constexpr int OWN_COLUMNS = 4 * ACROSS;

// Floats from one row in shared memory to the next: rows begin in different banks.
__device__ __forceinline__ int shared_stride(int headSize) { return (headSize + 3) / 4 * 4 + 4; }


// Rows of a head, widened, zeros after the last and after the head's size.
template <typename T>
__device__ __forceinline__ void load_head(const T* rows, int stride, const int* chosen, int firstRow, int count,
                                          int capacity, int head, int headSize, float* to) {
  int padded = shared_stride(headSize);
  int columns = padded / 4;
  for (int at = threadIdx.x; at < capacity * columns; at += ATTENTION_THREADS) {
    int r = at / columns;
    int column = at % columns * 4;
    Four<float> values = {};
    if (r < count && column < headSize) {
      long long row = chosen == nullptr ? firstRow + r : chosen[r];
      const T* from = rows + row * stride + (long long)head * headSize;
      if (headSize % 4 == 0) {
        Four<T> stored = four(from, column);
        for (int k = 0; k < 4; k++) values.at[k] = widen(stored.at[k]);
      } else {
        for (int k = 0; k < 4 && column + k < headSize; k++) values.at[k] = widen(from[column + k]);
      }
    }
    put(to, r * padded + column, values);
  }
}

// What a tile and a head share.
struct AttentionBlock {
  int count;      // queries
  int position;   // of the first
  int headSize;
  int window;
  float scale;
  float slope;    // ALiBi's, 0 where there is none
  float softCap;  // 0: none

  __device__ __forceinline__ int first_key(int query) const {
    int first = position + query - window + 1;
    return window == 0 || first < 0 ? 0 : first;
  }
};

// scores[q][key] of a block of keys, one chain of fused multiply-adds over the head's values each.
__device__ __forceinline__ void score_block(const AttentionBlock& b, const float* q, const float* k, int firstKey,
                                            float (*scores)[KEYS + 1]) {
  int padded = shared_stride(b.headSize);
  int query = threadIdx.x / ACROSS * OWN_QUERIES;
  int key = threadIdx.x % ACROSS;
  const float* q0 = q + query * padded;
  const float* q1 = q0 + padded;
  const float* k0 = k + key * padded;
  const float* k1 = k0 + ACROSS * padded;
  float s00 = 0, s01 = 0, s10 = 0, s11 = 0;
  for (int i = 0; i < b.headSize; i += 4) {
    Four<float> a0 = four(q0, i), a1 = four(q1, i), c0 = four(k0, i), c1 = four(k1, i);
#pragma unroll
    for (int j = 0; j < 4; j++) {
      s00 = fmaf(a0.at[j], c0.at[j], s00);
      s01 = fmaf(a0.at[j], c1.at[j], s01);
      s10 = fmaf(a1.at[j], c0.at[j], s10);
      s11 = fmaf(a1.at[j], c1.at[j], s11);
    }
  }
  float sums[OWN_QUERIES][2] = {{s00, s01}, {s10, s11}};
#pragma unroll
  for (int r = 0; r < OWN_QUERIES; r++) {
#pragma unroll
    for (int c = 0; c < 2; c++) {
      float score = sums[r][c] * b.scale;
      // An infinite score would be capped to a plausible one: it less itself is NaN.
      if (b.softCap != 0.0f) score = b.softCap * tanhf(score / b.softCap) + (score - score);
      int distance = firstKey + key + c * ACROSS - (b.position + query + r);
      scores[query + r][key + c * ACROSS] = score + b.slope * (float)distance;
    }
  }
}

// Turns a row's scores into weights, and brings its maximum and sum up to date. By a warp, a lane a key.
__device__ __forceinline__ void soften(const AttentionBlock& b, int query, int firstKey, float* scores, float* max,
                                       float* sum, float* rescale) {
  int lane = threadIdx.x % 32;
  int key = firstKey + lane;
  bool seen = query < b.count && key >= b.first_key(query) && key <= b.position + query;
  float score = scores[lane];
  unsigned any = __ballot_sync(ALL_LANES, seen);
  unsigned odd = __ballot_sync(ALL_LANES, seen && !finite(score));
  float largest = seen ? score : -__uint_as_float(INFINITE);
  for (int other = 16; other > 0; other /= 2) {
    float theirs = __shfl_xor_sync(ALL_LANES, largest, other);
    largest = theirs > largest ? theirs : largest;
  }
  float before = *max;
  float after = largest > before ? largest : before;
  float weight = seen ? expf(score - after) : 0.0f;
  float part = weight;
  for (int other = 16; other > 0; other /= 2) part += __shfl_xor_sync(ALL_LANES, part, other);
  scores[lane] = weight;
  if (lane == 0) {
    float factor = before == after ? 1.0f : expf(before - after);
    *rescale = any ? factor : 1.0f;
    if (any) {
      *sum = odd ? not_a_number() : *sum * factor + part;
      *max = after;
    }
  }
}

// A run of sixty-four columns of the head for each of the thread's PARTS.
template <int PARTS>
__device__ __forceinline__ void mix_block(const AttentionBlock& b, const float (*weights)[KEYS + 1], const float* v,
                                          int firstKey, const float* rescale,
                                          float (&mixed)[OWN_QUERIES][PARTS][4]) {
  int padded = shared_stride(b.headSize);
  int query = threadIdx.x / ACROSS * OWN_QUERIES;
  int column = threadIdx.x % ACROSS * 4;
#pragma unroll
  for (int r = 0; r < OWN_QUERIES; r++) {
    float factor = rescale[query + r];
#pragma unroll
    for (int p = 0; p < PARTS; p++) {
#pragma unroll
      for (int k = 0; k < 4; k++) mixed[r][p][k] *= factor;
    }
  }
  // A weight of 0 times an infinite value would be NaN: rows pass over keys they do not see.
  int from[OWN_QUERIES], to[OWN_QUERIES];
#pragma unroll
  for (int r = 0; r < OWN_QUERIES; r++) {
    from[r] = b.first_key(query + r) - firstKey;
    to[r] = query + r < b.count ? b.position + query + r - firstKey : -1;
  }
  int last = to[0] > to[1] ? to[0] : to[1];
  last = last < KEYS - 1 ? last : KEYS - 1;
  int begin = from[0] < from[1] ? from[0] : from[1];
  for (int key = begin > 0 ? begin : 0; key <= last; key++) {
    Four<float> values[PARTS];
#pragma unroll
    for (int p = 0; p < PARTS; p++) {
      int at = column + p * OWN_COLUMNS;
      values[p] = at < b.headSize ? four(v, key * padded + at) : Four<float>{};
    }
#pragma unroll
    for (int r = 0; r < OWN_QUERIES; r++) {
      if (key >= from[r] && key <= to[r]) {
        float weight = weights[query + r][key];
#pragma unroll
        for (int p = 0; p < PARTS; p++) {
#pragma unroll
          for (int k = 0; k < 4; k++) mixed[r][p][k] = fmaf(weight, values[p].at[k], mixed[r][p][k]);
        }
      }
    }
  }
}

template <typename T, int PARTS>
__device__ void attend(const AttentionBlock& b, const T* q, int qStride, const T* k, int kStride, const T* v,
                       int vStride, int firstRow, const int* keyRows, int head, int keyHead, int heads, T* y,
                       int yStride) {
  __shared__ float scores[ATTENTION_TILE][KEYS + 1];
  __shared__ float max[ATTENTION_TILE];
  __shared__ float sum[ATTENTION_TILE];
  __shared__ float rescale[ATTENTION_TILE];
  DYNAMIC_SHARED(float, memory);
  int padded = shared_stride(b.headSize);
  float* queries = memory;
  float* keys = queries + ATTENTION_TILE * padded;
  float* values = keys + KEYS * padded;
  float mixed[OWN_QUERIES][PARTS][4] = {};
  if (threadIdx.x < ATTENTION_TILE) {
    max[threadIdx.x] = -__uint_as_float(INFINITE);
    sum[threadIdx.x] = 0.0f;
  }
  load_head(q, qStride, nullptr, firstRow, b.count, ATTENTION_TILE, head, b.headSize, queries);
  int end = b.position + b.count;
  for (int firstKey = b.first_key(0) / KEYS * KEYS; firstKey < end; firstKey += KEYS) {
    int count = end - firstKey < KEYS ? end - firstKey : KEYS;
    load_head(k, kStride, keyRows + firstKey, 0, count, KEYS, keyHead, b.headSize, keys);
    load_head(v, vStride, keyRows + firstKey, 0, count, KEYS, keyHead, b.headSize, values);
    __syncthreads();
    score_block(b, queries, keys, firstKey, scores);
    __syncthreads();
    for (int query = threadIdx.x / 32; query < ATTENTION_TILE; query += ATTENTION_THREADS / 32) {
      soften(b, query, firstKey, scores[query], max + query, sum + query, rescale + query);
    }
    __syncthreads();
    mix_block<PARTS>(b, scores, values, firstKey, rescale, mixed);
    __syncthreads();
  }
  int query = threadIdx.x / ACROSS * OWN_QUERIES;
#pragma unroll
  for (int r = 0; r < OWN_QUERIES; r++) {
    if (query + r >= b.count) continue;
    T* row = y + (long long)(firstRow + query + r) * yStride;
    float whole = sum[query + r];
#pragma unroll
    for (int p = 0; p < PARTS; p++) {
#pragma unroll
      for (int c = 0; c < 4; c++) {
        int column = threadIdx.x % ACROSS * 4 + p * OWN_COLUMNS + c;
        if (column < b.headSize) row[head * b.headSize + column] = narrow<T>(mixed[r][p][c] / whole);
      }
    }
    if (head == heads - 1) {
      for (int i = heads * b.headSize + threadIdx.x % ACROSS; i < yStride; i += ACROSS) row[i] = narrow<T>(0.0f);
    }
  }
}

// tiles: (count, 4): first row, rows, position of the first row, where its keys begin in keyRows. Key j
// of a tile's rows is row keyRows[begin + j]. alibi: (heads) slopes, or null. Grid: tiles, heads. Dynamic
// shared memory: (ATTENTION_TILE + 2 KEYS) rows of shared_stride(headSize) floats.
template <typename T>
__device__ void attention(const T* q, int qStride, const T* k, int kStride, const T* v, int vStride, const int* tiles,
                          const int* keyRows, int heads, int keyHeads, int headSize, float scale, int window,
                          const float* alibi, float softCap, T* y, int yStride) {
  const int* tile = tiles + 4 * blockIdx.x;
  int head = blockIdx.y;
  int keyHead = head / (heads / keyHeads);
  AttentionBlock b = {tile[1], tile[2], headSize, window, scale, alibi == nullptr ? 0.0f : alibi[head], softCap};
  const int* rows = keyRows + tile[3];
  switch ((headSize + OWN_COLUMNS - 1) / OWN_COLUMNS) {
    case 1:
      attend<T, 1>(b, q, qStride, k, kStride, v, vStride, tile[0], rows, head, keyHead, heads, y, yStride);
      break;
    case 2:
      attend<T, 2>(b, q, qStride, k, kStride, v, vStride, tile[0], rows, head, keyHead, heads, y, yStride);
      break;
    default:
      attend<T, 4>(b, q, qStride, k, kStride, v, vStride, tile[0], rows, head, keyHead, heads, y, yStride);
  }
}

#define ATTENTION(T, suffix)                                                                        \
  extern "C" __global__ void __launch_bounds__(ATTENTION_THREADS) attention_##suffix(               \
      const T* q, int qStride, const T* k, int kStride, const T* v, int vStride, const int* tiles,  \
      const int* keyRows, int heads, int keyHeads, int headSize, float scale, int window,           \
      const float* alibi, float softCap, T* y, int yStride) {                                       \
    attention(q, qStride, k, kStride, v, vStride, tiles, keyRows, heads, keyHeads, headSize, scale, \
              window, alibi, softCap, y, yStride);                                                  \
  }
EACH_TYPE(ATTENTION)
