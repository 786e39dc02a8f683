#include "router/session/call_table.h"

#include <absl/strings/str_cat.h>

#include <vector>

namespace apollo {

absl::Status CallTable::Enter(const std::shared_ptr<WatchedCall>& call) {
  MutexLock lock(mutex_);
  if (calls_.size() >= static_cast<std::size_t>(limits_.max_calls)) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the router runs ", limits_.max_calls,
                     " calls, as many as it may; try again"));
  }
  calls_.emplace(call.get(), call);
  return absl::OkStatus();
}

void CallTable::Leave(WatchedCall* call) {
  MutexLock lock(mutex_);
  calls_.erase(call);
}

void CallTable::Tick() {
  std::vector<std::shared_ptr<WatchedCall>> calls;
  {
    MutexLock lock(mutex_);
    for (const auto& [key, weak] : calls_) {
      if (auto call = weak.lock()) calls.push_back(std::move(call));
    }
  }
  for (const auto& call : calls) call->Watch();
  failures_.WriteDue();
}

}  // namespace apollo
