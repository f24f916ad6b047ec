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


// Rows of a head, widened, zeros after the last and after the head's size. A warp takes a row.
template <typename T>
__device__ __forceinline__ void load_head(const T* rows, int stride, const int* chosen, int firstRow, int count,
                                          int capacity, int head, int headSize, float* to) {
  int padded = shared_stride(headSize);
  bool aligned = headSize % 4 == 0;
  for (int r = threadIdx.x / 32; r < capacity; r += ATTENTION_THREADS / 32) {
    long long row = r >= count ? 0 : chosen == nullptr ? firstRow + r : chosen[r];
    const T* from = rows + row * stride + (long long)head * headSize;
    for (int column = threadIdx.x % 32 * 4; column < padded; column += 4 * 32) {
      Four<float> values = {};
      if (r < count && aligned && column < headSize) {
        Four<T> stored = four(from, column);
        for (int k = 0; k < 4; k++) values.at[k] = widen(stored.at[k]);
      } else if (r < count) {
        for (int k = 0; k < 4 && column + k < headSize; k++) values.at[k] = widen(from[column + k]);
      }
      put(to, r * padded + column, values);
    }
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

// A tile's running softmax, and the weights of a block of keys.
struct Softmax {
  float weights[ATTENTION_TILE][KEYS + 1];
  float max[ATTENTION_TILE];
  float sum[ATTENTION_TILE];
  float rescale[ATTENTION_TILE];
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
__device__ __forceinline__ void soften(const AttentionBlock& b, int query, int firstKey, Softmax& softmax) {
  int lane = threadIdx.x % 32;
  int key = firstKey + lane;
  bool seen = query < b.count && key >= b.first_key(query) && key <= b.position + query;
  float score = softmax.weights[query][lane];
  unsigned any = __ballot_sync(ALL_LANES, seen);
  unsigned odd = __ballot_sync(ALL_LANES, seen && !finite(score));
  float largest = seen ? score : -__uint_as_float(INFINITE);
  for (int other = 16; other > 0; other /= 2) {
    float theirs = __shfl_xor_sync(ALL_LANES, largest, other);
    largest = theirs > largest ? theirs : largest;
  }
  float before = softmax.max[query];
  float after = largest > before ? largest : before;
  float weight = seen ? expf(score - after) : 0.0f;
  float part = weight;
  for (int other = 16; other > 0; other /= 2) part += __shfl_xor_sync(ALL_LANES, part, other);
  softmax.weights[query][lane] = weight;
  // All lanes have read the row's maximum before one of them replaces it.
  __syncwarp();
  if (lane == 0) {
    float factor = before == after ? 1.0f : expf(before - after);
    softmax.rescale[query] = any ? factor : 1.0f;
    if (any) {
      softmax.sum[query] = odd ? not_a_number() : softmax.sum[query] * factor + part;
      softmax.max[query] = after;
    }
  }
}

// Adds a key's value to the rows that see it: 4 columns in each of the thread's PARTS.
template <int PARTS>
__device__ __forceinline__ void mix_key(int headSize, const float* value, const float (*weights)[KEYS + 1], int key,
                                        int query, const bool (&seen)[OWN_QUERIES],
                                        float (&mixed)[OWN_QUERIES][PARTS][4]) {
  int column = threadIdx.x % ACROSS * 4;
#pragma unroll
  for (int p = 0; p < PARTS; p++) {
    int at = column + p * OWN_COLUMNS;
    Four<float> values = at < headSize ? four(value, at) : Four<float>{};
#pragma unroll
    for (int r = 0; r < OWN_QUERIES; r++) {
      float weight = weights[query + r][key];
      if (seen[r]) {
#pragma unroll
        for (int k = 0; k < 4; k++) mixed[r][p][k] = fmaf(weight, values.at[k], mixed[r][p][k]);
      }
    }
  }
}

// mixed = mixed * rescale + weights * values, by ascending keys. A weight of 0 times an infinite value
// would be NaN: rows pass over keys they do not see, which are at the ends of the block.
template <int PARTS>
__device__ __forceinline__ void mix_block(const AttentionBlock& b, const float (*weights)[KEYS + 1], const float* v,
                                          int firstKey, const float* rescale,
                                          float (&mixed)[OWN_QUERIES][PARTS][4]) {
  int padded = shared_stride(b.headSize);
  int query = threadIdx.x / ACROSS * OWN_QUERIES;
  int from[OWN_QUERIES], to[OWN_QUERIES];
#pragma unroll
  for (int r = 0; r < OWN_QUERIES; r++) {
    float factor = rescale[query + r];
#pragma unroll
    for (int p = 0; p < PARTS; p++) {
#pragma unroll
      for (int k = 0; k < 4; k++) mixed[r][p][k] *= factor;
    }
    int first = b.first_key(query + r) - firstKey;
    int last = b.position + query + r - firstKey;
    from[r] = first > 0 ? first : 0;
    to[r] = query + r >= b.count ? -1 : last < KEYS - 1 ? last : KEYS - 1;
  }
  // Rows are in order, and so are the keys they begin and end with.
  int key = from[0];
  int last = to[OWN_QUERIES - 1] > to[0] ? to[OWN_QUERIES - 1] : to[0];
  for (; key < from[OWN_QUERIES - 1] && key <= last; key++) {
    bool seen[OWN_QUERIES] = {key <= to[0], false};
    mix_key<PARTS>(b.headSize, v + key * padded, weights, key, query, seen, mixed);
  }
  int common = to[0] < to[OWN_QUERIES - 1] ? to[0] : to[OWN_QUERIES - 1];
  const bool both[OWN_QUERIES] = {true, true};
#pragma unroll 2
  for (; key <= common; key++) mix_key<PARTS>(b.headSize, v + key * padded, weights, key, query, both, mixed);
  for (; key <= last; key++) {
    bool seen[OWN_QUERIES] = {key <= to[0], key <= to[1]};
    mix_key<PARTS>(b.headSize, v + key * padded, weights, key, query, seen, mixed);
  }
}

template <typename T, int PARTS>
__device__ void attend(const AttentionBlock& b, const T* q, int qStride, const T* k, int kStride, const T* v,
                       int vStride, int firstRow, const int* keyRows, int head, int keyHead, int heads, T* y,
                       int yStride, Softmax& softmax, float* memory) {
  int padded = shared_stride(b.headSize);
  float* queries = memory;
  float* keys = queries + ATTENTION_TILE * padded;
  float* values = keys + KEYS * padded;
  float mixed[OWN_QUERIES][PARTS][4] = {};
  if (threadIdx.x < ATTENTION_TILE) {
    softmax.max[threadIdx.x] = -__uint_as_float(INFINITE);
    softmax.sum[threadIdx.x] = 0.0f;
  }
  load_head(q, qStride, nullptr, firstRow, b.count, ATTENTION_TILE, head, b.headSize, queries);
  int end = b.position + b.count;
  for (int firstKey = b.first_key(0) / KEYS * KEYS; firstKey < end; firstKey += KEYS) {
    int count = end - firstKey < KEYS ? end - firstKey : KEYS;
    load_head(k, kStride, keyRows + firstKey, 0, count, KEYS, keyHead, b.headSize, keys);
    load_head(v, vStride, keyRows + firstKey, 0, count, KEYS, keyHead, b.headSize, values);
    __syncthreads();
    score_block(b, queries, keys, firstKey, softmax.weights);
    __syncthreads();
    for (int query = threadIdx.x / 32; query < ATTENTION_TILE; query += ATTENTION_THREADS / 32) {
      soften(b, query, firstKey, softmax);
    }
    __syncthreads();
    mix_block<PARTS>(b, softmax.weights, values, firstKey, softmax.rescale, mixed);
    __syncthreads();
  }
  int query = threadIdx.x / ACROSS * OWN_QUERIES;
#pragma unroll
  for (int r = 0; r < OWN_QUERIES; r++) {
    if (query + r >= b.count) continue;
    T* row = y + (long long)(firstRow + query + r) * yStride;
    float whole = softmax.sum[query + r];
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
// of a tile's rows is row keyRows[begin + j]. alibi: (heads) slopes, or null. A kernel of PARTS serves
// heads of up to 64 PARTS values. Grid: tiles, heads. Dynamic shared memory: (ATTENTION_TILE + 2 KEYS)
// rows of shared_stride(headSize) floats.
#define ATTENTION_OF(PARTS, T, suffix)                                                              \
  extern "C" __global__ void __launch_bounds__(ATTENTION_THREADS, PARTS == 4 ? 4 : 5) attention_##PARTS##_##suffix( \
      const T* q, int qStride, const T* k, int kStride, const T* v, int vStride, const int* tiles,  \
      const int* keyRows, int heads, int keyHeads, int headSize, float scale, int window,           \
      const float* alibi, float softCap, T* y, int yStride) {                                       \
    __shared__ Softmax softmax;                                                                     \
    DYNAMIC_SHARED(float, memory);                                                                  \
    const int* tile = tiles + 4 * blockIdx.x;                                                       \
    int head = blockIdx.y;                                                                          \
    float slope = alibi == nullptr ? 0.0f : alibi[head];                                            \
    AttentionBlock b = {tile[1], tile[2], headSize, window, scale, slope, softCap};                 \
    attend<T, PARTS>(b, q, qStride, k, kStride, v, vStride, tile[0], keyRows + tile[3], head,       \
                     head / (heads / keyHeads), heads, y, yStride, softmax, memory);                \
  }

#define ATTENTION(T, suffix)  \
  ATTENTION_OF(1, T, suffix)  \
  ATTENTION_OF(2, T, suffix)  \
  ATTENTION_OF(4, T, suffix)
EACH_TYPE(ATTENTION)
