#include "router/session/call_table.h"

#include <absl/strings/str_cat.h>

#include <chrono>
#include <utility>
#include <vector>

#include "common/log.h"

namespace apollo {

WatchedCall::~WatchedCall() { table_.Leave(this); }

CallTable::~CallTable() {
  const auto end =
      std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(patience_);
  MutexLock lock(mutex_);
  while (!calls_.empty()) {
    if (left_.wait_until(mutex_, end) == std::cv_status::timeout) {
      LogError("calls_abandoned", {{"calls", static_cast<int>(calls_.size())}});
      return;
    }
  }
}

absl::Status CallTable::Enter(const std::shared_ptr<WatchedCall>& call) {
  MutexLock lock(mutex_);
  if (turns_away_) {
    return absl::UnavailableError(
        "the router is out of service; try again, at another one");
  }
  if (calls_.size() >= static_cast<std::size_t>(limits_.max_calls)) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the router runs its maximum of ", limits_.max_calls,
                     " calls; try again"));
  }
  calls_.emplace(call.get(), call);
  return absl::OkStatus();
}

void CallTable::TurnAway() {
  MutexLock lock(mutex_);
  turns_away_ = true;
}

bool CallTable::turns_away() {
  MutexLock lock(mutex_);
  return turns_away_;
}

void CallTable::Leave(WatchedCall* call) {
  MutexLock lock(mutex_);
  calls_.erase(call);
  left_.notify_all();  // Under the lock: the table may be destroyed after it.
}

std::vector<std::shared_ptr<WatchedCall>> CallTable::Calls() {
  std::vector<std::shared_ptr<WatchedCall>> calls;
  MutexLock lock(mutex_);
  for (const auto& [key, weak] : calls_) {
    if (auto call = weak.lock()) calls.push_back(std::move(call));
  }
  return calls;
}

void CallTable::Tick() {
  for (const auto& call : Calls()) call->Watch();
  failures_.WriteDue();
}

int CallTable::running() {
  MutexLock lock(mutex_);
  return static_cast<int>(calls_.size());
}

void CallTable::CancelAll(const absl::Status& reason) {
  for (const auto& call : Calls()) call->Cancel(reason);
}

}  // namespace apollo
