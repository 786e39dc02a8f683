#include "common/thread_pool.h"

#include <algorithm>

#include "common/check.h"

namespace apollo {
namespace {

constexpr int kSpins = 1000;

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  APOLLO_CHECK(threads >= 1);
  for (int i = 1; i < threads; ++i) {
    workers_.emplace_back([this, i] { Work(i); });
  }
}

ThreadPool::~ThreadPool() {
  stop_.store(true, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::RunPart(int part) const {
  const std::int64_t begin = count_ * part / parts_;
  const std::int64_t end = count_ * (part + 1) / parts_;
  if (begin < end) (*body_)(begin, end);
}

void ThreadPool::ParallelFor(
    std::int64_t count, std::int64_t grain,
    const std::function<void(std::int64_t, std::int64_t)>& body) {
  if (count <= 0) return;
  const std::int64_t useful = std::max<std::int64_t>(1, count / std::max<std::int64_t>(1, grain));
  const int parts = static_cast<int>(std::min<std::int64_t>(threads(), useful));
  if (parts == 1) {
    body(0, count);
    return;
  }
  body_ = &body;
  count_ = count;
  parts_ = parts;
  running_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  RunPart(0);
  for (int spin = 0;; ++spin) {
    const int running = running_.load(std::memory_order_acquire);
    if (running == 0) break;
    if (spin < kSpins) {
      Pause();
    } else {
      running_.wait(running, std::memory_order_acquire);
    }
  }
}

void ThreadPool::Work(int index) {
  std::uint32_t seen = 0;
  for (;;) {
    for (int spin = 0; generation_.load(std::memory_order_acquire) == seen;
         ++spin) {
      if (spin < kSpins) {
        Pause();
      } else {
        generation_.wait(seen, std::memory_order_acquire);
      }
    }
    ++seen;
    if (stop_.load(std::memory_order_relaxed)) return;
    if (index < parts_) RunPart(index);
    if (running_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      running_.notify_one();
    }
  }
}

}  // namespace apollo
