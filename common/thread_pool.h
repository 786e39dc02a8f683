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
  // `threads` >= 1 includes the caller: 1 starts no thread.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(begin, end) on disjoint ranges that cover [0, count), at most one
  // per thread and each at least `grain` long but for the last, and waits for
  // all. One caller at a time; body must not call ParallelFor.
  void ParallelFor(std::int64_t count, std::int64_t grain,
                   const std::function<void(std::int64_t, std::int64_t)>& body);

 private:
  void Work(int index);
  void RunPart(int part) const;

  // Written by the caller before generation_ moves, read by workers after.
  const std::function<void(std::int64_t, std::int64_t)>* body_ = nullptr;
  std::int64_t count_ = 0;
  int parts_ = 0;

  std::atomic<std::uint32_t> generation_{0};
  std::atomic<int> running_{0};
  std::atomic<bool> stop_{false};
  std::vector<std::thread> workers_;
};

}  // namespace apollo
