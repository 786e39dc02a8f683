#include "router/audit/refused_calls.h"

namespace apollo {

bool RefusedCalls::HasEntry(const std::string& caller, const std::string& code,
                            absl::Duration now) {
  const auto [it, added] = windows_.try_emplace({caller, code});
  Window& window = it->second;
  if (added) {
    window.begin = now;
    begun_.push_back(it);
  }
  if (window.entries < kEntries) {
    ++window.entries;
    return true;
  }
  ++window.counted;
  return false;
}

void RefusedCalls::TakeFirst(absl::Duration now,
                             std::vector<Summary>& summaries) {
  const auto& [of, window] = *begun_.front();
  if (window.counted > 0) {
    summaries.push_back(
        {of.first, of.second, window.counted, now - window.begin});
  }
  windows_.erase(begun_.front());
  begun_.pop_front();
}

std::vector<RefusedCalls::Summary> RefusedCalls::TakeOver(absl::Duration now) {
  std::vector<Summary> summaries;
  while (!begun_.empty() && now - begun_.front()->second.begin >= kWindow) {
    TakeFirst(now, summaries);
  }
  return summaries;
}

std::vector<RefusedCalls::Summary> RefusedCalls::TakeAll(absl::Duration now) {
  std::vector<Summary> summaries;
  while (!begun_.empty()) TakeFirst(now, summaries);
  return summaries;
}

}  // namespace apollo
