#include "link/answer_times.h"

#include <algorithm>
#include <cstddef>

namespace apollo {

void AnswerTimes::Took(LinkId id, absl::Duration time) {
  const auto [it, first] = usual_.try_emplace(id, time);
  if (!first) {
    sorted_.erase(std::lower_bound(sorted_.begin(), sorted_.end(), it->second));
    it->second += (time - it->second) / 4;
  }
  sorted_.insert(std::upper_bound(sorted_.begin(), sorted_.end(), it->second),
                 it->second);
}

void AnswerTimes::Forget(LinkId id) {
  const auto it = usual_.find(id);
  if (it == usual_.end()) return;
  sorted_.erase(std::lower_bound(sorted_.begin(), sorted_.end(), it->second));
  usual_.erase(it);
}

absl::Duration AnswerTimes::Usual(LinkId id) const {
  const auto it = usual_.find(id);
  return it == usual_.end() ? absl::ZeroDuration() : it->second;
}

absl::Duration AnswerTimes::LateAfter(LinkId id) const {
  const auto it = usual_.find(id);
  const std::size_t own = it == usual_.end() ? 0 : 1;
  if (sorted_.size() == own) return absl::InfiniteDuration();
  std::size_t median = (sorted_.size() - own - 1) / 2;
  // The own time does not count.
  if (own == 1 && it->second <= sorted_[median]) ++median;
  return kLateRatio * sorted_[median] + kGrace;
}

}  // namespace apollo
