#include "router/audit/refused_calls.h"

namespace apollo {

bool RefusedCalls::HasEntry(const std::string& caller, const std::string& code,
                            absl::Duration now) {
  const auto [it, added] = windows_.try_emplace({caller, code});
  Window& window = it->second;
  if (added) window.begin = now;
  if (window.entries < kEntries) {
    ++window.entries;
    return true;
  }
  ++window.counted;
  return false;
}

std::vector<RefusedCalls::Summary> RefusedCalls::TakeOver(absl::Duration now) {
  std::vector<Summary> summaries;
  std::erase_if(windows_, [&](const auto& entry) {
    const auto& [of, window] = entry;
    const absl::Duration duration = now - window.begin;
    if (duration < kWindow) return false;
    if (window.counted > 0) {
      summaries.push_back({of.first, of.second, window.counted, duration});
    }
    return true;
  });
  return summaries;
}

std::vector<RefusedCalls::Summary> RefusedCalls::TakeAll(absl::Duration now) {
  std::vector<Summary> summaries;
  for (const auto& [of, window] : windows_) {
    if (window.counted == 0) continue;
    summaries.push_back(
        {of.first, of.second, window.counted, now - window.begin});
  }
  windows_.clear();
  return summaries;
}

}  // namespace apollo
