// Storage types, conversions and reductions. No includes: NVRTC compiles the sources as they are, and a
// host compiler behind a shim that defines EMULATED.

#ifndef EMULATED
#define DYNAMIC_SHARED(type, name)                             \
  extern __shared__ __align__(16) unsigned char name##_bytes[]; \
  type* name = reinterpret_cast<type*>(name##_bytes)
#endif

// Threads of a block, of all kernels but attention.
constexpr int THREADS = 256;
constexpr int WARPS = THREADS / 32;

// Columns of a row that a block of an elementwise kernel takes: four a thread.
constexpr int COLUMNS = 4 * THREADS;

constexpr unsigned ALL_LANES = 0xffffffffu;
constexpr unsigned MAGNITUDE = 0x7fffffffu;
constexpr unsigned INFINITE = 0x7f800000u;

struct bf16 {
  unsigned short bits;
};

struct f16 {
  unsigned short bits;
};

__device__ __forceinline__ float not_a_number() { return __uint_as_float(0x7fc00000u); }

__device__ __forceinline__ bool finite(float x) {
  return (__float_as_uint(x) & MAGNITUDE) < INFINITE;
}

__device__ __forceinline__ float widen(float x) { return x; }

__device__ __forceinline__ float widen(bf16 x) {
  return __uint_as_float((unsigned)x.bits << 16);
}

__device__ __forceinline__ float widen(f16 x) {
#ifdef EMULATED
  unsigned magnitude = (x.bits & 0x7fffu) << 13;
  // The exponent is 112 too small; the product is exact, also for subnormals.
  float value = __uint_as_float(magnitude) * 0x1p112f;
  if ((x.bits & 0x7c00u) == 0x7c00u) value = __uint_as_float(INFINITE | magnitude);
  return __uint_as_float(__float_as_uint(value) | ((x.bits & 0x8000u) << 16));
#else
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(x.bits));
  return value;
#endif
}

// The nearest value of the type, ties to even; NaN stays NaN.
template <typename T>
__device__ __forceinline__ T narrow(float x);

template <>
__device__ __forceinline__ float narrow<float>(float x) {
  return x;
}

template <>
__device__ __forceinline__ bf16 narrow<bf16>(float x) {
  unsigned bits = __float_as_uint(x);
  if ((bits & MAGNITUDE) > INFINITE) return {(unsigned short)0x7fc0};
  return {(unsigned short)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
}

template <>
__device__ __forceinline__ f16 narrow<f16>(float x) {
#ifdef EMULATED
  unsigned bits = __float_as_uint(x);
  unsigned short sign = (unsigned short)((bits >> 16) & 0x8000u);
  float magnitude = __uint_as_float(bits & MAGNITUDE);
  if (magnitude != magnitude) return {(unsigned short)0x7fff};
  if (magnitude >= 65520.0f) return {(unsigned short)(sign | 0x7c00u)};
  if (magnitude < 0x1p-14f) {
    // Subnormal: multiples of 2^-24.
    float steps = ((magnitude + 0.5f) - 0.5f) * 0x1p24f;
    return {(unsigned short)(sign | (unsigned short)steps)};
  }
  unsigned rounded = (bits & MAGNITUDE) + 0xfffu + ((bits >> 13) & 1u);
  return {(unsigned short)(sign | ((rounded - 0x38000000u) >> 13))};
#else
  f16 half;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half.bits) : "f"(x));
  return half;
#endif
}

// Four neighbours of a row, read and written at once: columns are multiples of four, strides of sixteen.
template <typename T>
struct alignas(4 * sizeof(T)) Four {
  T at[4];
};

template <typename T>
__device__ __forceinline__ Four<T> four(const T* row, int column) {
  return *reinterpret_cast<const Four<T>*>(row + column);
}

template <typename T>
__device__ __forceinline__ void put(T* row, int column, Four<T> values) {
  *reinterpret_cast<Four<T>*>(row + column) = values;
}

// The first of the four columns that are this thread's in an elementwise kernel.
__device__ __forceinline__ int own_column() { return blockIdx.y * COLUMNS + 4 * threadIdx.x; }

// Of a block's threads, the same to all of them. Each is one fixed tree: over a warp's lanes, then over
// the warps. A block may use only one at a time: the caller's threads meet before `partial` is reused.

__device__ __forceinline__ float block_sum(float value, float* partial) {
  for (int lane = 16; lane > 0; lane /= 2) value += __shfl_xor_sync(ALL_LANES, value, lane);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = value;
  __syncthreads();
  float sum = partial[0];
  for (int warp = 1; warp < WARPS; warp++) sum += partial[warp];
  __syncthreads();
  return sum;
}

// Of what is not negative; by their bits, so that NaN is the largest.
__device__ __forceinline__ unsigned block_max(unsigned bits, unsigned* partial) {
  for (int lane = 16; lane > 0; lane /= 2) {
    unsigned other = __shfl_xor_sync(ALL_LANES, bits, lane);
    bits = other > bits ? other : bits;
  }
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = bits;
  __syncthreads();
  unsigned max = partial[0];
  for (int warp = 1; warp < WARPS; warp++) max = partial[warp] > max ? partial[warp] : max;
  __syncthreads();
  return max;
}

// Kernels are templates over T, launched by names that end with the type's suffix.
#define EACH_TYPE(KERNEL) \
  KERNEL(float, f32)      \
  KERNEL(bf16, bf16)      \
  KERNEL(f16, f16)

#define LAUNCHED extern "C" __global__ void __launch_bounds__(THREADS)
