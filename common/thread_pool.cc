#include "common/thread_pool.h"

#include <algorithm>

#include "common/check.h"

namespace apollo {
namespace {

// About 20 microseconds: longer than the caller's work between two loops of a
// layer, and much shorter than the time between steps.
constexpr int kSpins = 1000;
// Ranges per thread, so that the wait for the last range is short.
constexpr int kPartsPerThread = 4;

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

constexpr std::uint32_t Number(std::uint64_t loop) {
  return static_cast<std::uint32_t>(loop >> 32);
}
constexpr std::int64_t Parts(std::uint64_t loop) { return loop >> 16 & 0xffff; }
constexpr std::int64_t Taken(std::uint64_t loop) { return loop & 0xffff; }

}  // namespace

ThreadPool::ThreadPool(int threads, Split split) : split_(split) {
  APOLLO_CHECK(threads >= 1);
  for (int i = 1; i < threads; ++i) {
    workers_.emplace_back([this] { Work(); });
  }
}

ThreadPool::~ThreadPool() {
  stop_.store(true, std::memory_order_relaxed);
  loop_.fetch_add(std::uint64_t{1} << 32, std::memory_order_release);
  loop_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::RunParts(std::uint32_t number) {
  std::uint64_t loop = loop_.load(std::memory_order_acquire);
  while (Number(loop) == number && Taken(loop) < Parts(loop)) {
    if (!loop_.compare_exchange_weak(loop, loop + 1, std::memory_order_acq_rel,
                                     std::memory_order_acquire)) {
      continue;
    }
    // The caller now waits for this range, so body_ stays valid.
    const std::int64_t part = Taken(loop);
    const std::int64_t parts = Parts(loop);
    (*body_)(count_ * part / parts, count_ * (part + 1) / parts);
    if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == parts) {
      done_.notify_one();
    }
    loop = loop_.load(std::memory_order_acquire);
  }
}

void ThreadPool::ParallelFor(
    std::int64_t count, std::int64_t grain,
    const std::function<void(std::int64_t, std::int64_t)>& body) {
  if (count <= 0) return;
  loops_.store(loops_.load(std::memory_order_relaxed) + 1,
               std::memory_order_relaxed);
  if (split_ == Split::kAlways) grain = 1;
  const std::int64_t useful = count / std::max<std::int64_t>(1, grain);
  // An equal number of ranges per thread, if there are enough.
  const std::int64_t rounds =
      std::min<std::int64_t>(useful / threads(), kPartsPerThread);
  const std::int64_t parts =
      std::min<std::int64_t>(rounds > 0 ? rounds * threads() : useful, 0xffff);
  if (parts <= 1 || workers_.empty()) {
    body(0, count);
    return;
  }
  body_ = &body;
  count_ = count;
  done_.store(0, std::memory_order_relaxed);
  const std::uint32_t number =
      Number(loop_.load(std::memory_order_relaxed)) + 1;
  loop_.store(std::uint64_t{number} << 32 | static_cast<std::uint64_t>(parts)
                                                << 16,
              std::memory_order_release);
  loop_.notify_all();
  RunParts(number);
  for (int spin = 0;; ++spin) {
    const std::uint32_t done = done_.load(std::memory_order_acquire);
    if (done == parts) break;
    if (spin < kSpins) {
      Pause();
    } else {
      done_.wait(done, std::memory_order_acquire);
    }
  }
}

void ThreadPool::Work() {
  std::uint32_t seen = 0;
  for (;;) {
    std::uint64_t loop = loop_.load(std::memory_order_acquire);
    for (int spin = 0; Number(loop) == seen; ++spin) {
      if (spin < kSpins) {
        Pause();
      } else {
        loop_.wait(loop, std::memory_order_acquire);
      }
      loop = loop_.load(std::memory_order_acquire);
    }
    seen = Number(loop);
    if (stop_.load(std::memory_order_relaxed)) return;
    RunParts(seen);
  }
}

}  // namespace apollo
