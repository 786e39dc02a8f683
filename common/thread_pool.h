#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace apollo {

// A fixed set of threads, including the caller, that share one loop at a time.
// Threads without work spin for a few microseconds, then block, so an idle pool
// uses no CPU time.
class ThreadPool {
 public:
  // kAlways is for tests: splits loops however short they are.
  enum class Split { kByGrain, kAlways };

  // `threads` >= 1 includes the caller; 1 starts no thread.
  explicit ThreadPool(int threads, Split split = Split::kByGrain);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Returns a number that changes when a loop begins and, if the loop is
  // shared, when a range of it is complete. So it changes while the threads
  // make progress. Any thread.
  std::uint64_t progress() const {
    return (loops_.load(std::memory_order_relaxed) << 16) +
           done_.load(std::memory_order_relaxed);
  }

  // Calls body(begin, end) on disjoint ranges that cover [0, count), and waits
  // for all of them. Ranges have at least `grain` elements, unless count is
  // smaller. Threads take ranges dynamically, so a delayed thread does not
  // delay the others; the assignment of ranges to threads is unspecified. One
  // caller at a time; body must not call ParallelFor.
  void ParallelFor(std::int64_t count, std::int64_t grain,
                   const std::function<void(std::int64_t, std::int64_t)>& body);

 private:
  const Split split_;

  void Work();
  // Takes and runs ranges of the loop until none is left.
  void RunParts(std::uint32_t loop);

  std::atomic<std::uint64_t> loops_{0};  // Written by the caller.

  // Written by the caller before loop_ changes; read by threads that took a
  // range.
  const std::function<void(std::int64_t, std::int64_t)>* body_ = nullptr;
  std::int64_t count_ = 0;

  // The number of the loop in the upper 32 bits, its number of ranges in the
  // next 16, and the number of ranges taken in the lowest 16. A thread takes a
  // range by incrementing it, which fails once another loop has begun.
  std::atomic<std::uint64_t> loop_{0};
  std::atomic<std::uint32_t> done_{0};  // Completed ranges of this loop.
  std::atomic<bool> stop_{false};
  std::vector<std::thread> workers_;
};

}  // namespace apollo
