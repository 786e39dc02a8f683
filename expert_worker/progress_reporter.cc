#include "expert_worker/progress_reporter.h"

#include <utility>
#include <vector>

namespace apollo {

void ProgressReporter::Add(LinkId id, std::shared_ptr<Link> link) {
  MutexLock lock(mutex_);
  links_[id] = std::move(link);
}

void ProgressReporter::Remove(LinkId id) {
  MutexLock lock(mutex_);
  links_.erase(id);
}

void ProgressReporter::Report() {
  const std::uint64_t advances = advances_.load(std::memory_order_relaxed);
  const std::uint64_t inside = inside_ == nullptr ? 0 : inside_();
  const bool changed = advances != seen_advances_ || inside != seen_inside_;
  seen_advances_ = advances;
  seen_inside_ = inside;
  if (!changed || !busy_.load(std::memory_order_relaxed)) return;
  std::vector<std::shared_ptr<Link>> links;
  {
    MutexLock lock(mutex_);
    for (const auto& [id, link] : links_) links.push_back(link);
  }
  for (const auto& link : links) {
    // A peer that does not read must not be sent more and more.
    if (link->HasRoom()) link->Send({Progress{}});
  }
}

}  // namespace apollo
