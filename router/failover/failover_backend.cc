#include "router/failover/failover_backend.h"

#include <utility>

namespace apollo {
namespace {

// The handle of a sequence.
class Handle final : public GenerationCall {
 public:
  explicit Handle(std::shared_ptr<FailoverCall> call)
      : call_(std::move(call)) {}
  void Cancel() override { call_->Cancel(); }
  void SetPaused(bool paused) override { call_->SetPaused(paused); }

 private:
  const std::shared_ptr<FailoverCall> call_;
};

}  // namespace

FailoverBackend::FailoverBackend(WorkerPool& pool,
                                 const ReissuePolicy::Limits& limits,
                                 prometheus::Registry& registry,
                                 const Clock& clock, Tracer* tracer)
    : pool_(pool),
      clock_(clock),
      metrics_(registry),
      lines_(clock),
      context_{pool,
               metrics_,
               clock,
               lines_,
               limits,
               [this](auto call, absl::Duration due) {
                 MutexLock lock(mutex_);
                 waiting_.emplace(due, std::move(call));
                 changed_.notify_all();
               },
               tracer} {}

FailoverBackend::~FailoverBackend() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  // The sinks of sequences that still wait hear of their end.
  std::vector<std::shared_ptr<FailoverCall>> left;
  {
    MutexLock lock(mutex_);
    left = TakeDue(absl::InfiniteDuration());
  }
  for (const auto& call : left) call->Cancel();
}

void FailoverBackend::StartThread() {
  thread_ = std::thread([this] { Loop(); });
}

std::vector<std::shared_ptr<FailoverCall>> FailoverBackend::TakeDue(
    absl::Duration now) {
  std::vector<std::shared_ptr<FailoverCall>> due;
  const auto end = waiting_.upper_bound(now);
  for (auto it = waiting_.begin(); it != end; ++it) {
    due.push_back(std::move(it->second));
  }
  waiting_.erase(waiting_.begin(), end);
  return due;
}

void FailoverBackend::RunDue() {
  std::vector<std::shared_ptr<FailoverCall>> due;
  {
    MutexLock lock(mutex_);
    due = TakeDue(clock_.Now());
  }
  for (const auto& call : due) call->Retry();
}

void FailoverBackend::Loop() {
  for (;;) {
    RunDue();
    MutexLock lock(mutex_);
    if (stopping_) return;
    const absl::Duration wait = waiting_.empty()
                                    ? absl::InfiniteDuration()
                                    : waiting_.begin()->first - clock_.Now();
    if (wait <= absl::ZeroDuration()) continue;
    if (wait == absl::InfiniteDuration()) {
      changed_.wait(mutex_);
    } else {
      changed_.wait_for(mutex_, absl::ToChronoNanoseconds(wait));
    }
  }
}

std::unique_ptr<GenerationCall> FailoverBackend::Start(
    GenerationRequest request, std::shared_ptr<GenerationSink> sink) {
  auto call = std::make_shared<FailoverCall>(context_, std::move(request),
                                             std::move(sink));
  call->Begin();
  return std::make_unique<Handle>(std::move(call));
}

}  // namespace apollo
