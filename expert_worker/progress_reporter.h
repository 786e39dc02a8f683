#pragma once

#include <absl/time/time.h>

#include <map>
#include <memory>
#include <utility>

#include "common/clock.h"
#include "link/link_session.h"

namespace apollo {

// Tells the peers of an expert worker that its engine does not stand still, so
// that nobody takes a long step for a silent worker. One thread, the engine's.
class ProgressReporter {
 public:
  // Less than the shortest time after which a peer counts as silent.
  static constexpr absl::Duration kInterval = absl::Milliseconds(100);

  // `clock` must outlive the reporter.
  explicit ProgressReporter(const Clock& clock) : clock_(clock) {}

  void Add(LinkId id, std::shared_ptr<Link> link) {
    links_[id] = std::move(link);
  }
  void Remove(LinkId id) { links_.erase(id); }

  // The engine did a piece of its work. Sends Progress, at most once in
  // kInterval.
  void WorkDone() {
    const absl::Duration now = clock_.Now();
    if (now - last_ < kInterval) return;
    last_ = now;
    for (const auto& [id, link] : links_) {
      // Who does not read is not to be sent more and more.
      if (link->HasRoom()) link->Send({Progress{}});
    }
  }

 private:
  const Clock& clock_;
  // Owned by the thread.
  std::map<LinkId, std::shared_ptr<Link>> links_;
  absl::Duration last_ = -absl::InfiniteDuration();
};

}  // namespace apollo
