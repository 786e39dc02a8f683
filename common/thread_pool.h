#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace apollo {

// A fixed team of threads that share one loop at a time. The caller is one of
// the team. Threads without work spin for a few microseconds, then sleep in the
// kernel, so that an idle pool takes nothing from other processes.
class ThreadPool {
 public:
  // kAlways is for tests: loops are split however short they are.
  enum class Split { kByGrain, kAlways };

  // `threads` >= 1 includes the caller: 1 starts no thread.
  explicit ThreadPool(int threads, Split split = Split::kByGrain);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Returns a number that changes with every loop that begins and, if the loop
  // is shared, with every range of it that is done: it moves while the caller
  // and the team are at work. Any thread.
  std::uint64_t progress() const {
    return (loops_.load(std::memory_order_relaxed) << 16) +
           done_.load(std::memory_order_relaxed);
  }

  // Calls body(begin, end) on disjoint ranges that cover [0, count), each at
  // least `grain` long (or all of them), and waits for all. A thread takes the
  // next range when it is done with one, so that one that the machine holds up
  // holds up nobody else; which thread gets which range is not defined. One
  // caller at a time; body must not call ParallelFor.
  void ParallelFor(std::int64_t count, std::int64_t grain,
                   const std::function<void(std::int64_t, std::int64_t)>& body);

 private:
  const Split split_;

  void Work();
  // Takes and runs ranges of the loop until none is left.
  void RunParts(std::uint32_t loop);

  std::atomic<std::uint64_t> loops_{0};  // Written by the caller.

  // Written by the caller before loop_ moves, read by those who took a range.
  const std::function<void(std::int64_t, std::int64_t)>* body_ = nullptr;
  std::int64_t count_ = 0;

  // The loop's number in the upper 32 bits, how many ranges it has in the next
  // 16, and how many were taken in the lowest: a range is taken by raising it,
  // which fails once another loop has begun.
  std::atomic<std::uint64_t> loop_{0};
  std::atomic<std::uint32_t> done_{0};  // Ranges of this loop.
  std::atomic<bool> stop_{false};
  std::vector<std::thread> workers_;
};

}  // namespace apollo
