#pragma once

#include <absl/functional/any_invocable.h>

#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "common/mutex.h"

namespace apollo {

// Jobs for a thread, which may be gone. Thread-safe.
class JobQueue {
 public:
  using Job = absl::AnyInvocable<void()>;

  // Drops the job once the queue is closed.
  void Post(Job job);
  // Drops what waits.
  void Close();

 private:
  friend class Submitter;

  Mutex mutex_;
  CondVar changed_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<Job> jobs_ ABSL_GUARDED_BY(mutex_);
};

// The one thread of a link that uses NCCL and its streams: runs jobs in order,
// and after each run of jobs `poll`, which returns true if it is to be called
// again soon although no job comes.
class Submitter {
 public:
  // `poll` and `end` are called from the thread; `end` last.
  Submitter(std::shared_ptr<JobQueue> jobs, std::function<bool()> poll,
            std::function<void()> end);
  // Closes the queue, which ends the thread after the job under way, and waits.
  ~Submitter();
  // Waits for the end of the thread, after the queue was closed.
  void Join();
  Submitter(const Submitter&) = delete;
  Submitter& operator=(const Submitter&) = delete;

 private:
  void Run();

  const std::shared_ptr<JobQueue> jobs_;
  const std::function<bool()> poll_;
  const std::function<void()> end_;
  std::thread thread_;  // Last: it uses the others.
};

}  // namespace apollo
