#pragma once

#include <absl/time/time.h>

#include <map>
#include <vector>

#include "common/clock.h"
#include "link/link_session.h"

namespace apollo {

// Notices peers that are connected but give no sign of life: keepalive sees
// processes and networks that are gone, not a process whose engine stands
// still. Progress counts, not the time that an answer takes. One thread.
class AnswerWatch {
 public:
  // `clock` must outlive the watch.
  explicit AnswerWatch(const Clock& clock) : clock_(clock) {}

  // One answer more is owed by the link.
  void Asked(LinkId id);
  // An answer came. Links that owe nothing are ignored.
  void Answered(LinkId id);
  // The peer's engine did a piece of its work, or sent a frame other than an
  // answer. Links that owe nothing are ignored.
  void Progressed(LinkId id);
  // Nothing is owed any more.
  void Forget(LinkId id) { links_.erase(id); }

  // The links that owed something for longer than `limit` at the time `now`
  // without a sign of life. `now` may lie behind the clock: a frame that came
  // in between, but was not handled yet, is no reason for blame.
  std::vector<LinkId> SilentFor(absl::Duration limit, absl::Duration now) const;

 private:
  struct Owing {
    int answers = 0;
    // The first of them was asked for, or a sign of life came.
    absl::Duration since;
  };
  const Clock& clock_;
  std::map<LinkId, Owing> links_;
};

}  // namespace apollo
