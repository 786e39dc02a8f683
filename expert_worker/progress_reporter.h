#pragma once

#include <absl/time/time.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "common/mutex.h"
#include "link/link_session.h"

namespace apollo {

// Tells the peers of an expert worker that its engine makes progress, so that
// none of them mistakes a long step for a silent worker. The engine's thread
// notes what it does, and a ticker's thread sends the reports, so that no piece
// of work, however long, delays a report.
//
// A report is sent only after a change: a completed piece of work, a tick that
// the engine handled while it waited for others, or progress within a piece. An
// engine that hangs changes nothing, so its last report is sent at most
// kInterval after it began to hang.
class ProgressReporter {
 public:
  // Less than the shortest time after which a peer counts as silent.
  static constexpr absl::Duration kInterval = absl::Milliseconds(100);

  // `inside`, if given, returns a number that changes while the engine is
  // inside a piece of its work; any thread.
  explicit ProgressReporter(std::function<std::uint64_t()> inside = nullptr)
      : inside_(std::move(inside)) {}

  // These may be called from any thread.
  void Add(LinkId id, std::shared_ptr<Link> link);
  void Remove(LinkId id);
  // Notes that the engine has done something.
  void Advanced() { advances_.fetch_add(1, std::memory_order_relaxed); }
  // Returns a number that changes with all that Report looks at.
  std::uint64_t progress() const {
    return advances_.load(std::memory_order_relaxed) +
           (inside_ ? inside_() : 0);
  }
  // Sets whether the engine has work or waits for others to continue it. An
  // idle worker reports nothing.
  void SetBusy(bool busy) { busy_.store(busy, std::memory_order_relaxed); }

  // Sends Progress on every link if the engine is busy and something has
  // changed since the last call. One thread, every kInterval.
  void Report();

 private:
  const std::function<std::uint64_t()> inside_;
  std::atomic<std::uint64_t> advances_{0};
  std::atomic<bool> busy_{false};
  // Owned by Report's thread: the values at its last call.
  std::uint64_t seen_advances_ = 0;
  std::uint64_t seen_inside_ = 0;

  Mutex mutex_;
  std::map<LinkId, std::shared_ptr<Link>> links_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo
