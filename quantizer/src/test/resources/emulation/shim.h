// What CUDA sources need of a compiler, for the host's: a block's threads are fibers of one OS thread.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#define EMULATED
#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static thread_local
#define DYNAMIC_SHARED(type, name) type* name = reinterpret_cast<type*>(emulation::dynamic_shared())

struct Index {
  int x, y, z;
};

extern thread_local Index threadIdx, blockIdx, blockDim, gridDim;

namespace emulation {
unsigned char* dynamic_shared();
// Where threads meet: all must be at the same place of the sources.
struct Place {
  const char* file;
  int line;
};
// Waits for all threads of the block.
void meet_block(Place place);
// Gives a value to the warp and returns that of a lane.
uint64_t exchange(uint64_t value, int lane, Place place);
uint32_t ballot(bool vote, Place place);
}  // namespace emulation

// The caller's place, as the last parameter of what meets.
#define EMULATED_PLACE const char *file = __builtin_FILE(), int line = __builtin_LINE()

inline void __syncthreads(EMULATED_PLACE) { emulation::meet_block({file, line}); }

template <typename V>
inline V __shfl_sync(unsigned, V value, int lane, EMULATED_PLACE) {
  static_assert(sizeof(V) <= sizeof(uint64_t), "a register or two");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(V));
  bits = emulation::exchange(bits, lane, {file, line});
  std::memcpy(&value, &bits, sizeof(V));
  return value;
}

template <typename V>
inline V __shfl_xor_sync(unsigned mask, V value, int lanes, EMULATED_PLACE) {
  return __shfl_sync(mask, value, threadIdx.x % 32 ^ lanes, file, line);
}

inline void __syncwarp(EMULATED_PLACE) { emulation::ballot(false, {file, line}); }

inline uint32_t __ballot_sync(unsigned, bool vote, EMULATED_PLACE) { return emulation::ballot(vote, {file, line}); }

template <typename To, typename From>
inline To same_bits(From from) {
  To to;
  std::memcpy(&to, &from, sizeof(To));
  return to;
}

inline unsigned __float_as_uint(float x) { return same_bits<unsigned>(x); }
inline float __uint_as_float(unsigned x) { return same_bits<float>(x); }
