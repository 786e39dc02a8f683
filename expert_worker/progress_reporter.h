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

// Tells the peers of an expert worker that its process lives, and whether its
// engine makes progress, so that none of them takes a long step for a silent
// worker, or a frozen process for a long step. The engine's thread notes what
// it does, and a ticker's thread sends the reports, so that no piece of work,
// however long, delays a report.
//
// Reports are sent whether or not there is work: to the asking side, work that
// is still under way on a slow network is owed already. The engine has moved if
// it completed a piece of work, made progress within a piece, or handled a tick
// while it waited for others or for work. An engine that hangs does none of
// these, so all reports but the first one after it began to hang say that it
// stands still.
class ProgressReporter {
 public:
  // A sixth of the default lease, so that several reports may be late.
  static constexpr absl::Duration kInterval = absl::Milliseconds(50);

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

  // Sends Progress on every link that has room for it. One thread, every
  // kInterval.
  void Report();

 private:
  struct Peer {
    std::shared_ptr<Link> link;
    std::uint64_t reported = 0;  // progress() at the last report.
  };

  const std::function<std::uint64_t()> inside_;
  std::atomic<std::uint64_t> advances_{0};

  Mutex mutex_;
  std::map<LinkId, Peer> peers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo
