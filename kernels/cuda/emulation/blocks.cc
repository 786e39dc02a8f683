#include "kernels/cuda/emulation/blocks.h"

#include <absl/base/config.h>
#include <setjmp.h>
#include <ucontext.h>

#ifdef ABSL_HAVE_THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#endif

#include <cstring>
#include <memory>
#include <vector>

#include "common/check.h"

namespace apollo::cuda::emulation {

Index thread_index;
Index block_index;

namespace {

constexpr int kLanes = 32;
constexpr std::size_t kStackBytes = 128 << 10;

enum class State { kReady, kAtBarrier, kEnded };

// Runs the body once for each block, and suspends itself in between.
struct Fiber {
  ucontext_t context;
  std::unique_ptr<char[]> stack;  // Null until the fiber is first resumed.
  State state = State::kReady;
#ifdef ABSL_HAVE_THREAD_SANITIZER
  ~Fiber() {
    if (fiber != nullptr) __tsan_destroy_fiber(fiber);
  }
  void* fiber = nullptr;
#else
  jmp_buf resume;
#endif
};

// The exchanges of a warp. Values of even and odd exchanges are apart: a lane
// may begin the next one while others still read.
struct Warp {
  int arrived = 0;
  unsigned completed = 0;
  std::byte values[2][kLanes][kLaneBytes];
};

struct Block {
  std::vector<Fiber> fibers;
  std::vector<Warp> warps;
  std::vector<std::byte> shared;
  const std::function<void()>* body = nullptr;
#ifdef ABSL_HAVE_THREAD_SANITIZER
  ucontext_t scheduler;
  void* scheduler_fiber = nullptr;
#else
  jmp_buf scheduler;
#endif
  unsigned running = 0;
};

Block block;

#ifdef ABSL_HAVE_THREAD_SANITIZER
// ThreadSanitizer is told of each switch.
void Switch(void* to_fiber, ucontext_t& from, ucontext_t& to) {
  __tsan_switch_to_fiber(to_fiber, 0);
  swapcontext(&from, &to);
}
void Suspend() {
  Switch(block.scheduler_fiber, block.fibers[block.running].context,
         block.scheduler);
}
void Enter(Fiber& fiber, bool first) {
  if (first) fiber.fiber = __tsan_create_fiber(0);
  block.scheduler_fiber = __tsan_get_current_fiber();
  Switch(fiber.fiber, block.scheduler, fiber.context);
}
#else
// The context starts the fiber; afterwards jumps switch between fibers, which
// make no system call.
void Suspend() {
  if (_setjmp(block.fibers[block.running].resume) == 0) {
    _longjmp(block.scheduler, 1);
  }
}
void Enter(Fiber& fiber, bool first) {
  if (_setjmp(block.scheduler) != 0) return;
  if (!first) _longjmp(fiber.resume, 1);
  setcontext(&fiber.context);
}
#endif

void FiberMain() {
  for (;;) {
    (*block.body)();
    block.fibers[block.running].state = State::kEnded;
    Suspend();
  }
}

// Runs a thread until it suspends itself.
void Resume(unsigned thread) {
  Fiber& fiber = block.fibers[thread];
  block.running = thread;
  thread_index = {thread, 0};
  const bool first = !fiber.stack;
  if (first) {
    fiber.stack.reset(new char[kStackBytes]);
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.get();
    fiber.context.uc_stack.ss_size = kStackBytes;
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, FiberMain, 0);
  }
  Enter(fiber, first);
}

// Runs the threads of a warp until all wait at the barrier or have ended.
void RunWarp(unsigned first, unsigned end) {
  for (bool ready = true; ready;) {
    ready = false;
    for (unsigned t = first; t < end; ++t) {
      if (block.fibers[t].state != State::kReady) continue;
      ready = true;
      Resume(t);
    }
  }
}

// Returns true while threads wait at the barrier, and releases them.
bool ReleaseBarrier(unsigned threads) {
  bool released = false;
  for (unsigned t = 0; t < threads; ++t) {
    Fiber& fiber = block.fibers[t];
    if (fiber.state != State::kAtBarrier) continue;
    fiber.state = State::kReady;
    released = true;
  }
  return released;
}

void RunBlock(unsigned threads) {
  for (unsigned t = 0; t < threads; ++t) block.fibers[t].state = State::kReady;
  for (Warp& warp : block.warps) warp = Warp();
  do {
    for (unsigned t = 0; t < threads; t += kLanes) RunWarp(t, t + kLanes);
  } while (ReleaseBarrier(threads));
}

}  // namespace

void RunGrid(Index grid, int threads, std::size_t shared_bytes,
             const std::function<void()>& body) {
  APOLLO_CHECK(threads > 0 && threads % kLanes == 0 && threads <= 1024);
  APOLLO_CHECK(grid.x > 0 && grid.y > 0 && grid.y <= 65535);
  APOLLO_CHECK(shared_bytes <= 232448);
  if (block.fibers.size() < static_cast<std::size_t>(threads)) {
    block.fibers = std::vector<Fiber>(threads);
  }
  block.warps.resize(threads / kLanes);
  block.body = &body;
  for (unsigned y = 0; y < grid.y; ++y) {
    for (unsigned x = 0; x < grid.x; ++x) {
      block_index = {x, y};
      block.shared.assign(shared_bytes + 128, std::byte{0xff});
      RunBlock(static_cast<unsigned>(threads));
    }
  }
}

void* DynamicSharedMemory() {
  void* data = block.shared.data();
  std::size_t space = block.shared.size();
  return std::align(128, 1, data, space);
}

void BlockBarrier() {
  block.fibers[block.running].state = State::kAtBarrier;
  Suspend();
}

const std::byte* Exchange(const void* value, std::size_t bytes) {
  APOLLO_CHECK(bytes <= kLaneBytes);
  const unsigned self = block.running;
  Warp& warp = block.warps[self / kLanes];
  const unsigned exchange = warp.completed;
  auto& values = warp.values[exchange % 2];
  std::memcpy(values[self % kLanes], value, bytes);
  if (++warp.arrived == kLanes) {
    warp.arrived = 0;
    ++warp.completed;
  }
  while (warp.completed == exchange) Suspend();
  return values[0];
}

}  // namespace apollo::cuda::emulation
