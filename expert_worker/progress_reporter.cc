#include "expert_worker/progress_reporter.h"

#include <utility>
#include <vector>

namespace apollo {

void ProgressReporter::Add(LinkId id, std::shared_ptr<Link> link) {
  MutexLock lock(mutex_);
  peers_[id] = {std::move(link)};
}

void ProgressReporter::Remove(LinkId id) {
  MutexLock lock(mutex_);
  peers_.erase(id);
}

void ProgressReporter::Report() {
  const std::uint64_t now = progress();
  std::vector<std::pair<std::shared_ptr<Link>, Progress>> reports;
  {
    MutexLock lock(mutex_);
    for (auto& [id, peer] : peers_) {
      // A peer that does not read must not be sent more and more.
      if (!peer.link->HasRoom()) continue;
      const bool still = peer.reported == now;
      peer.reported = now;
      reports.push_back({peer.link, {.regular = true, .still = still}});
    }
  }
  for (const auto& [link, report] : reports) link->Send({report});
}

}  // namespace apollo
