#include "link/answer_times.h"

#include <algorithm>
#include <cstddef>

namespace apollo {

void AnswerTimes::Took(LinkId id, absl::Duration time, absl::Duration now) {
  const auto [it, first] = usual_.try_emplace(id, Usual{time, now});
  Usual& usual = it->second;
  if (!first) {
    Unsort(usual.time);
    usual.time += (time - usual.time) / 4;
    usual.at = now;
  }
  sorted_.insert(std::upper_bound(sorted_.begin(), sorted_.end(), usual.time),
                 usual.time);
}

void AnswerTimes::Unsort(absl::Duration time) {
  sorted_.erase(std::lower_bound(sorted_.begin(), sorted_.end(), time));
}

void AnswerTimes::ForgetOlder(absl::Duration since) {
  std::erase_if(usual_, [this, since](const auto& entry) {
    if (entry.second.at >= since) return false;
    Unsort(entry.second.time);
    return true;
  });
}

void AnswerTimes::Forget(LinkId id) {
  const auto it = usual_.find(id);
  if (it == usual_.end()) return;
  Unsort(it->second.time);
  usual_.erase(it);
}

absl::Duration AnswerTimes::UsualOf(LinkId id) const {
  const auto it = usual_.find(id);
  return it == usual_.end() ? absl::ZeroDuration() : it->second.time;
}

absl::Duration AnswerTimes::LateAfter(LinkId id) const {
  const auto it = usual_.find(id);
  const std::size_t own = it == usual_.end() ? 0 : 1;
  if (sorted_.size() == own) return absl::InfiniteDuration();
  std::size_t median = (sorted_.size() - own - 1) / 2;
  // The own time does not count.
  if (own == 1 && it->second.time <= sorted_[median]) ++median;
  return kLateRatio * sorted_[median] + kGrace;
}

}  // namespace apollo
