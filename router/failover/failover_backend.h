#pragma once

#include <absl/time/time.h>
#include <prometheus/registry.h>

#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "common/clock.h"
#include "common/log_budget.h"
#include "common/mutex.h"
#include "router/backend.h"
#include "router/failover/failover_call.h"
#include "router/failover/failover_metrics.h"
#include "router/failover/reissue_policy.h"
#include "router/worker_pool.h"
#include "tracing/tracer.h"

namespace apollo {

// A backend whose sequences survive the loss of dense workers: it runs them
// again on another worker of the pool (FailoverCall). Thread-safe.
class FailoverBackend final : public RouterBackend {
 public:
  // The pool, the registry and the clock must outlive the backend; the backend
  // must outlive its sequences, and `tracer`, which may be null, the backend.
  FailoverBackend(WorkerPool& pool, const ReissuePolicy::Limits& limits,
                  prometheus::Registry& registry,
                  const Clock& clock = Clock::Real(), Tracer* tracer = nullptr);
  ~FailoverBackend() override;

  // Starts a thread that runs sequences again when they are due, until the
  // backend is destroyed. Called at most once.
  void StartThread();
  // Runs the sequences again that are due now. For tests, in place of the
  // thread.
  void RunDue();

  std::unique_ptr<GenerationCall> Start(
      GenerationRequest request, std::shared_ptr<GenerationSink> sink) override;
  bool Ready() override { return pool_.Ready(); }
  std::string ModelHash() override { return pool_.ModelHash(); }
  void CollectRouting(
      absl::Duration window,
      std::function<void(std::vector<WorkerRouting>)> done) override {
    pool_.CollectRouting(window, std::move(done));
  }
  void CollectStatus(
      std::function<void(std::vector<ProcessStatus>)> done) override {
    pool_.CollectStatus(std::move(done));
  }

 private:
  void Loop();
  // Removes the sequences that are due at `now` and returns them.
  std::vector<std::shared_ptr<FailoverCall>> TakeDue(absl::Duration now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  WorkerPool& pool_;
  const Clock& clock_;
  FailoverMetrics metrics_;
  LogBudget lines_;
  const FailoverContext context_;

  std::thread thread_;
  Mutex mutex_;
  CondVar changed_;
  std::multimap<absl::Duration, std::shared_ptr<FailoverCall>> waiting_
      ABSL_GUARDED_BY(mutex_);  // By the time when they are due.
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace apollo
