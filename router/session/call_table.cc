#include "router/session/call_table.h"

#include <absl/strings/str_cat.h>

#include <vector>

#include "router/session/session.h"

namespace apollo {

absl::Status CallTable::Enter(const std::shared_ptr<Session>& session) {
  MutexLock lock(mutex_);
  if (sessions_.size() >= static_cast<std::size_t>(limits_.max_calls)) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the router runs ", limits_.max_calls,
                     " calls, as many as it may; try again"));
  }
  sessions_.emplace(session.get(), session);
  return absl::OkStatus();
}

void CallTable::Leave(Session* session) {
  MutexLock lock(mutex_);
  sessions_.erase(session);
}

void CallTable::Tick() {
  std::vector<std::shared_ptr<Session>> sessions;
  {
    MutexLock lock(mutex_);
    for (const auto& [key, weak] : sessions_) {
      if (auto session = weak.lock()) sessions.push_back(std::move(session));
    }
  }
  for (const auto& session : sessions) session->Watch();
  failures_.WriteDue();
}

}  // namespace apollo
