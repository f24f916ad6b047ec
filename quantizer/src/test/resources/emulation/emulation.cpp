// Runs kernels on the host: blocks one after another, a block's threads as fibers that switch where they
// meet. What a GPU would hang on or get wrong, threads waiting at different places, is an error here.

#include "shim.h"

#include <dlfcn.h>
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

thread_local Index threadIdx, blockIdx, blockDim, gridDim;

// Saves the callee's registers on the stack, leaves the stack's place in *from, and goes on with `to`.
extern "C" void switch_stack(void** from, void* to);
asm(R"(
.text
.globl switch_stack
.type switch_stack,@function
switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size switch_stack,.-switch_stack
)");

namespace emulation {
namespace {

constexpr int WARP = 32;
constexpr size_t STACK = 1 << 18;

enum class State { READY, AT_BLOCK, AT_WARP, DONE };

struct Fiber {
  void* stack = nullptr;
  void* place = nullptr;
  State state = State::READY;
  uint64_t value = 0;
};

// Calls a kernel with arguments as cuLaunchKernel takes them: pointers to values of at most 8 bytes, each
// passed as its kind says (see launch).
struct Call {
  void (*kernel)() = nullptr;
  void** arguments = nullptr;
  const char* kinds = nullptr;
};

struct Block {
  std::vector<Fiber> fibers;
  std::vector<unsigned char> shared;
  void* scheduler = nullptr;
  int current = 0;
  Call call;
};

thread_local Block block;

// System V: the first six integers or pointers, the first eight floats in registers, the rest on the
// stack in their order, eight bytes each whatever their size.
void call(const Call& c) {
  uint64_t integers[6] = {};
  double floats[8] = {};
  uint64_t stacked[24] = {};
  int i = 0, f = 0, s = 0;
  for (const char* kind = c.kinds; *kind; kind++) {
    const void* at = c.arguments[kind - c.kinds];
    uint64_t bits = 0;
    std::memcpy(&bits, at, *kind == 'l' ? 8 : 4);
    if (*kind == 'f') {
      if (f < 8) {
        std::memcpy(&floats[f++], &bits, 8);
      } else {
        stacked[s++] = bits;
      }
    } else if (i < 6) {
      integers[i++] = bits;
    } else {
      stacked[s++] = bits;
    }
  }
  using Any = void (*)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, double, double, double, double,
                       double, double, double, double, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                       uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                       uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
  reinterpret_cast<Any>(c.kernel)(
      integers[0], integers[1], integers[2], integers[3], integers[4], integers[5], floats[0], floats[1], floats[2],
      floats[3], floats[4], floats[5], floats[6], floats[7], stacked[0], stacked[1], stacked[2], stacked[3],
      stacked[4], stacked[5], stacked[6], stacked[7], stacked[8], stacked[9], stacked[10], stacked[11], stacked[12],
      stacked[13], stacked[14], stacked[15], stacked[16], stacked[17], stacked[18], stacked[19], stacked[20],
      stacked[21], stacked[22], stacked[23]);
}

void resume(int thread) {
  Fiber& fiber = block.fibers[thread];
  block.current = thread;
  threadIdx = {thread, 0, 0};
#if defined(__SANITIZE_ADDRESS__)
  void* fake = nullptr;
  __sanitizer_start_switch_fiber(&fake, fiber.stack, STACK);
#endif
  switch_stack(&block.scheduler, fiber.place);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
}

#if defined(__SANITIZE_ADDRESS__)
thread_local const void* scheduler_stack;
thread_local size_t scheduler_size;
#endif

void yield(State state) {
  Fiber& fiber = block.fibers[block.current];
  fiber.state = state;
#if defined(__SANITIZE_ADDRESS__)
  void* fake = nullptr;
  __sanitizer_start_switch_fiber(state == State::DONE ? nullptr : &fake, scheduler_stack, scheduler_size);
#endif
  switch_stack(&fiber.place, block.scheduler);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake, &scheduler_stack, &scheduler_size);
#endif
}

void run_fiber() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_size);
#endif
  call(block.call);
  yield(State::DONE);
  std::abort();
}

void prepare(Fiber& fiber) {
  if (fiber.stack == nullptr) {
    fiber.stack = mmap(nullptr, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (fiber.stack == MAP_FAILED) {
      std::perror("mmap of a fiber's stack");
      std::abort();
    }
  }
  uintptr_t top = (reinterpret_cast<uintptr_t>(fiber.stack) + STACK) & ~uintptr_t{15};
  void** place = reinterpret_cast<void**>(top);
  *--place = nullptr;  // where run_fiber would return to, which it does not
  *--place = reinterpret_cast<void*>(&run_fiber);
  for (int registers = 0; registers < 6; registers++) *--place = nullptr;
  fiber.place = place;
  fiber.state = State::READY;
}

bool release(int from, int to, State waiting) {
  for (int t = from; t < to; t++) {
    State state = block.fibers[t].state;
    if (state != waiting && state != State::DONE) return false;
  }
  bool any = false;
  for (int t = from; t < to; t++) {
    if (block.fibers[t].state == waiting) {
      block.fibers[t].state = State::READY;
      any = true;
    }
  }
  return any;
}

// Runs a block to its end; a message where threads wait for one another in vain.
std::string run_block(int threads) {
  for (Fiber& fiber : block.fibers) prepare(fiber);
  while (true) {
    bool ran = false;
    bool done = true;
    for (int warp = 0; warp < threads; warp += WARP) {
      int end = std::min(warp + WARP, threads);
      bool again = true;
      while (again) {
        for (int t = warp; t < end; t++) {
          if (block.fibers[t].state == State::READY) {
            resume(t);
            ran = true;
          }
        }
        again = release(warp, end, State::AT_WARP);
      }
    }
    for (int t = 0; t < threads; t++) done &= block.fibers[t].state == State::DONE;
    if (done) return "";
    bool freed = release(0, threads, State::AT_BLOCK);
    if (!freed && !ran) break;
    if (!freed) {
      bool ready = false;
      for (Fiber& fiber : block.fibers) ready |= fiber.state == State::READY;
      if (!ready) break;
    }
  }
  int at_block = 0, at_warp = 0, finished = 0;
  for (Fiber& fiber : block.fibers) {
    at_block += fiber.state == State::AT_BLOCK;
    at_warp += fiber.state == State::AT_WARP;
    finished += fiber.state == State::DONE;
  }
  return std::to_string(at_block) + " threads wait for the block, " + std::to_string(at_warp) +
         " for their warp, " + std::to_string(finished) + " have ended";
}

}  // namespace

unsigned char* dynamic_shared() { return block.shared.data(); }

void meet_block() { yield(State::AT_BLOCK); }

uint64_t exchange(uint64_t value, int lane) {
  int warp = block.current / WARP * WARP;
  block.fibers[block.current].value = value;
  yield(State::AT_WARP);
  uint64_t theirs = block.fibers[warp + lane % WARP].value;
  // Nobody gives another value before all have read this one.
  yield(State::AT_WARP);
  return theirs;
}

uint32_t ballot(bool vote) {
  int warp = block.current / WARP * WARP;
  block.fibers[block.current].value = vote;
  yield(State::AT_WARP);
  uint32_t votes = 0;
  for (int lane = 0; lane < WARP && warp + lane < blockDim.x; lane++) {
    if (block.fibers[warp + lane].value) votes |= 1u << lane;
  }
  yield(State::AT_WARP);
  return votes;
}

}  // namespace emulation

// Runs a kernel of this library. kinds: of each argument, l: an address or 64 bits, i: an int, f: a float.
// 0, or 1 and a message.
extern "C" int launch(const char* kernel, int gridX, int gridY, int threads, int sharedBytes, void** arguments,
                      const char* kinds, char* error, int errorLength) {
  using namespace emulation;
  static void* self = [] {
    Dl_info info;
    dladdr(reinterpret_cast<void*>(&launch), &info);
    return dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
  }();
  void* found = dlsym(self, kernel);
  if (found == nullptr) {
    std::snprintf(error, errorLength, "there is no kernel %s", kernel);
    return 1;
  }
  if (threads < 1 || threads > 1024 || gridX < 1 || gridY < 1 || gridY > 65535) {
    std::snprintf(error, errorLength, "%s: no launch of (%d, %d) blocks of %d", kernel, gridX, gridY, threads);
    return 1;
  }
  for (size_t t = threads; t < block.fibers.size(); t++) {
    if (block.fibers[t].stack != nullptr) munmap(block.fibers[t].stack, STACK);
  }
  block.fibers.resize(threads);
  block.call = {reinterpret_cast<void (*)()>(found), arguments, kinds};
  blockDim = {threads, 1, 1};
  gridDim = {gridX, gridY, 1};
  for (int y = 0; y < gridY; y++) {
    for (int x = 0; x < gridX; x++) {
      blockIdx = {x, y, 0};
      // Fresh for each block, of exactly this size, and full of NaN.
      block.shared = std::vector<unsigned char>(sharedBytes, 0xff);
      block.shared.shrink_to_fit();
      std::string fault = run_block(threads);
      if (!fault.empty()) {
        std::snprintf(error, errorLength, "%s, block (%d, %d): %s", kernel, x, y, fault.c_str());
        return 1;
      }
    }
  }
  return 0;
}

// Zeros, at a multiple of 256, ending where they end. The start is kept before it.
extern "C" void* device_allocate(size_t bytes) {
  void* memory = nullptr;
  if (posix_memalign(&memory, 256, bytes) != 0) return nullptr;
  std::memset(memory, 0, bytes);
  return memory;
}

extern "C" void device_free(void* memory) { std::free(memory); }

extern "C" void device_copy(void* to, const void* from, size_t bytes) { std::memcpy(to, from, bytes); }

// y = x W^T: each sum by ascending inputs.
namespace {

template <typename T>
void multiply(int rows, int outputs, int inputs, const T* x, const T* w, float* sums) {
  for (int r = 0; r < rows; r++) {
    for (int o = 0; o < outputs; o++) {
      float sum = 0;
      for (int i = 0; i < inputs; i++) {
        sum = fmaf(widen(x[(size_t)r * inputs + i]), widen(w[(size_t)o * inputs + i]), sum);
      }
      sums[(size_t)r * outputs + o] = sum;
    }
  }
}

template <typename T>
void multiply_biased(int rows, int outputs, int inputs, const T* x, const T* w, const T* bias, T* y) {
  std::vector<float> sums((size_t)rows * outputs);
  multiply(rows, outputs, inputs, x, w, sums.data());
  for (size_t i = 0; i < sums.size(); i++) {
    y[i] = narrow<T>(bias == nullptr ? sums[i] : sums[i] + widen(bias[i % outputs]));
  }
}

}  // namespace

extern "C" void multiply_int8(int rows, int outputs, int inputs, const signed char* x, const signed char* w, int* y) {
  for (int r = 0; r < rows; r++) {
    for (int o = 0; o < outputs; o++) {
      int sum = 0;
      for (int i = 0; i < inputs; i++) sum += x[(size_t)r * inputs + i] * w[(size_t)o * inputs + i];
      y[(size_t)r * outputs + o] = sum;
    }
  }
}

extern "C" void multiply_f32(int rows, int outputs, int inputs, const float* x, const float* w, const float* bias,
                             float* y) {
  multiply_biased(rows, outputs, inputs, x, w, bias, y);
}

extern "C" void multiply_bf16(int rows, int outputs, int inputs, const bf16* x, const bf16* w, const bf16* bias,
                              bf16* y) {
  multiply_biased(rows, outputs, inputs, x, w, bias, y);
}

extern "C" void multiply_f16(int rows, int outputs, int inputs, const f16* x, const f16* w, const f16* bias, f16* y) {
  multiply_biased(rows, outputs, inputs, x, w, bias, y);
}

extern "C" void multiply_bf16_f32(int rows, int outputs, int inputs, const bf16* x, const bf16* w, float* y) {
  multiply(rows, outputs, inputs, x, w, y);
}

extern "C" void multiply_f16_f32(int rows, int outputs, int inputs, const f16* x, const f16* w, float* y) {
  multiply(rows, outputs, inputs, x, w, y);
}
