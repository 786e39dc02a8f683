#include "link/answer_watch.h"

namespace apollo {

void AnswerWatch::Asked(LinkId id) {
  Owing& owing = links_[id];
  if (owing.answers++ == 0) owing.since = clock_.Now();
}

void AnswerWatch::Answered(LinkId id) {
  const auto it = links_.find(id);
  if (it == links_.end()) return;
  it->second.since = clock_.Now();
  if (--it->second.answers == 0) links_.erase(it);
}

void AnswerWatch::Progressed(LinkId id) {
  const auto it = links_.find(id);
  if (it != links_.end()) it->second.since = clock_.Now();
}

std::vector<LinkId> AnswerWatch::SilentFor(absl::Duration limit,
                                           absl::Duration now) const {
  std::vector<LinkId> silent;
  for (const auto& [id, owing] : links_) {
    if (now - owing.since > limit) silent.push_back(id);
  }
  return silent;
}

}  // namespace apollo
