#pragma once

#include <absl/time/time.h>

#include <map>
#include <vector>

#include "common/clock.h"
#include "link/link_session.h"

namespace apollo {

// Detects peers that are connected but give no sign of life. Keepalive detects
// dead processes and networks, but not a process whose engine is stuck.
// Progress counts, not the time until an answer. Single-threaded.
class AnswerWatch {
 public:
  // `clock` must outlive the watch.
  explicit AnswerWatch(const Clock& clock) : clock_(clock) {}

  // Notes that the link owes one more answer.
  void Asked(LinkId id);
  // Notes an answer. Ignores links that owe nothing.
  void Answered(LinkId id);
  // Notes that the peer's engine did a piece of its work, or sent a frame other
  // than an answer. Ignores links that owe nothing.
  void Progressed(LinkId id);
  // Notes that the link owes nothing.
  void Forget(LinkId id) { links_.erase(id); }

  // Returns the links that owe answers and, at the time `now`, have given no
  // sign of life for longer than `limit`. `now` may be earlier than the clock's
  // time, so that a frame that has arrived since, but is not handled yet, does
  // not make its link look silent.
  std::vector<LinkId> SilentFor(absl::Duration limit, absl::Duration now) const;

 private:
  struct Owing {
    int answers = 0;
    // The time of the first request, or of the last sign of life.
    absl::Duration since;
  };
  const Clock& clock_;
  std::map<LinkId, Owing> links_;
};

}  // namespace apollo
