// Runs kernels on the host: blocks one after another, a block's threads as fibers that switch where they
// meet. What a GPU would hang on or get wrong, threads waiting at different places, is an error here.

#include "shim.h"

#include <dlfcn.h>
#include <link.h>
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
constexpr size_t GUARD = 4096;

enum class State { READY, AT_BLOCK, AT_WARP, DONE };

// A fiber's stack, above a page that nobody may touch: an overrun ends the process.
class Stack {
 public:
  Stack() {
    void* pages = mmap(nullptr, GUARD + STACK, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages, GUARD, PROT_NONE) != 0) {
      std::perror("mmap of a fiber's stack");
      std::abort();
    }
    bottom_ = static_cast<char*>(pages) + GUARD;
  }
  Stack(Stack&& other) noexcept : bottom_(other.bottom_) { other.bottom_ = nullptr; }
  ~Stack() {
    if (bottom_ != nullptr) munmap(bottom_ - GUARD, GUARD + STACK);
  }
  char* bottom() const { return bottom_; }

 private:
  char* bottom_;
};

struct Fiber {
  Stack stack;
  void* at = nullptr;
  State state = State::READY;
  Place place = {};  // where it waits
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
  __sanitizer_start_switch_fiber(&fake, fiber.stack.bottom(), STACK);
#endif
  switch_stack(&block.scheduler, fiber.at);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
}

#if defined(__SANITIZE_ADDRESS__)
thread_local const void* scheduler_stack;
thread_local size_t scheduler_size;
#endif

void yield(State state, Place place) {
  Fiber& fiber = block.fibers[block.current];
  fiber.state = state;
  fiber.place = place;
#if defined(__SANITIZE_ADDRESS__)
  void* fake = nullptr;
  __sanitizer_start_switch_fiber(state == State::DONE ? nullptr : &fake, scheduler_stack, scheduler_size);
#endif
  switch_stack(&fiber.at, block.scheduler);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake, &scheduler_stack, &scheduler_size);
#endif
}

void run_fiber() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_size);
#endif
  call(block.call);
  yield(State::DONE, {});
  std::abort();
}

void prepare(Fiber& fiber) {
  uintptr_t top = (reinterpret_cast<uintptr_t>(fiber.stack.bottom()) + STACK) & ~uintptr_t{15};
  void** at = reinterpret_cast<void**>(top);
  *--at = nullptr;  // where run_fiber would return to, which it does not
  *--at = reinterpret_cast<void*>(&run_fiber);
  for (int registers = 0; registers < 6; registers++) *--at = nullptr;
  fiber.at = at;
  fiber.state = State::READY;
}

// Fills the shared memory that kernels declare with NaN. It is this library's thread-local memory, but for
// what stands here: a GPU's blocks find there whatever was left by another.
void poison_static_shared() {
  static thread_local char* begin = nullptr;
  static thread_local size_t size = 0;
  if (begin == nullptr) {
    dl_iterate_phdr(
        [](dl_phdr_info* library, size_t, void*) {
          for (int i = 0; i < library->dlpi_phnum; i++) {
            const auto& segment = library->dlpi_phdr[i];
            char* data = static_cast<char*>(library->dlpi_tls_data);
            if (segment.p_type != PT_TLS || data == nullptr) continue;
            char* own = reinterpret_cast<char*>(&block);
            if (own < data || own >= data + segment.p_memsz) continue;
            begin = data + segment.p_filesz;  // after what has initial values, which shared memory has not
            size = segment.p_memsz - segment.p_filesz;
          }
          return begin != nullptr ? 1 : 0;
        },
        nullptr);
    if (begin == nullptr) std::abort();
  }
  struct Kept {
    void* from;
    size_t bytes;
  };
  const Kept kept[] = {
      {&threadIdx, sizeof threadIdx}, {&blockIdx, sizeof blockIdx}, {&blockDim, sizeof blockDim},
      {&gridDim, sizeof gridDim},     {&block, sizeof block},       {&begin, sizeof begin},
      {&size, sizeof size},
#if defined(__SANITIZE_ADDRESS__)
      {&scheduler_stack, sizeof scheduler_stack}, {&scheduler_size, sizeof scheduler_size},
#endif
  };
  char copies[sizeof(Index) * 4 + sizeof(Block) + 64];
  char* to = copies;
  for (const Kept& k : kept) to = static_cast<char*>(std::memcpy(to, k.from, k.bytes)) + k.bytes;
  std::memset(begin, 0xff, size);
  to = copies;
  for (const Kept& k : kept) {
    std::memcpy(k.from, to, k.bytes);
    to += k.bytes;
  }
}

// "12 threads wait for the block at rows.cu:30": the threads of each place.
std::string waiting() {
  std::string text;
  std::vector<bool> told(block.fibers.size());
  for (size_t t = 0; t < told.size(); t++) {
    const Fiber& first = block.fibers[t];
    if (told[t] || first.state == State::READY) continue;
    int count = 0;
    for (size_t other = t; other < told.size(); other++) {
      const Fiber& fiber = block.fibers[other];
      if (fiber.state != first.state || fiber.place.line != first.place.line) continue;
      told[other] = true;
      count++;
    }
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " threads ";
    if (first.state == State::DONE) {
      text += "have ended";
    } else {
      text += first.state == State::AT_BLOCK ? "wait for the block" : "wait for their warp";
      text += std::string(" at ") + first.place.file + ":" + std::to_string(first.place.line);
    }
  }
  return text;
}

enum class Meeting { NOT_YET, MET, NEVER };

// Whether the threads that wait so have all come to one place. A warp's exchange names all of its lanes:
// none may have ended. The block's barrier counts only those that have not.
Meeting meet(int from, int to, State wanted) {
  const Fiber* first = nullptr;
  bool ended = false;
  bool elsewhere = false;
  for (int t = from; t < to; t++) {
    const Fiber& fiber = block.fibers[t];
    ended |= fiber.state == State::DONE;
    elsewhere |= fiber.state != wanted && fiber.state != State::DONE;
    if (fiber.state != wanted) continue;
    if (first == nullptr) first = &fiber;
    if (fiber.place.line != first->place.line) return Meeting::NEVER;
  }
  if (first == nullptr || elsewhere) return Meeting::NOT_YET;
  if (ended && wanted == State::AT_WARP) return Meeting::NEVER;
  for (int t = from; t < to; t++) {
    if (block.fibers[t].state == wanted) block.fibers[t].state = State::READY;
  }
  return Meeting::MET;
}

// Runs a block to its end; a message where threads wait for one another in vain, or at different places.
std::string run_block(int threads) {
  for (Fiber& fiber : block.fibers) prepare(fiber);
  while (true) {
    for (int warp = 0; warp < threads; warp += WARP) {
      int end = std::min(warp + WARP, threads);
      Meeting meeting = Meeting::MET;
      while (meeting == Meeting::MET) {
        for (int t = warp; t < end; t++) {
          if (block.fibers[t].state == State::READY) resume(t);
        }
        meeting = meet(warp, end, State::AT_WARP);
      }
      if (meeting == Meeting::NEVER) return waiting();
    }
    bool done = true;
    for (const Fiber& fiber : block.fibers) done &= fiber.state == State::DONE;
    if (done) return "";
    if (meet(0, threads, State::AT_BLOCK) != Meeting::MET) return waiting();
  }
}

}  // namespace

unsigned char* dynamic_shared() { return block.shared.data(); }

void meet_block(Place place) { yield(State::AT_BLOCK, place); }

uint64_t exchange(uint64_t value, int lane, Place place) {
  int from = block.current / WARP * WARP + lane % WARP;
  block.fibers[block.current].value = value;
  yield(State::AT_WARP, place);
  // What a lane that is not there gives is undefined: NaN.
  uint64_t theirs = from < blockDim.x ? block.fibers[from].value : ~uint64_t{0};
  // Nobody gives another value before all have read this one.
  yield(State::AT_WARP, place);
  return theirs;
}

uint32_t ballot(bool vote, Place place) {
  int warp = block.current / WARP * WARP;
  block.fibers[block.current].value = vote;
  yield(State::AT_WARP, place);
  uint32_t votes = 0;
  for (int lane = 0; lane < WARP && warp + lane < blockDim.x; lane++) {
    if (block.fibers[warp + lane].value) votes |= 1u << lane;
  }
  yield(State::AT_WARP, place);
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
      poison_static_shared();
      std::string fault = run_block(threads);
      if (!fault.empty()) {
        // Their stacks are abandoned in the middle of a kernel.
        block.fibers.clear();
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
