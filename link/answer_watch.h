#pragma once

#include <absl/time/time.h>

#include <map>
#include <vector>

#include "common/clock.h"
#include "link/link_session.h"

namespace apollo {

// Notices peers that are connected but do not answer: keepalive sees processes
// and networks that are gone, not a process whose engine stands still. One
// thread.
class AnswerWatch {
 public:
  // `clock` must outlive the watch.
  explicit AnswerWatch(const Clock& clock) : clock_(clock) {}

  // One answer more is owed by the link.
  void Asked(LinkId id);
  // An answer came. Links that owe nothing are ignored.
  void Answered(LinkId id);
  // Nothing is owed any more.
  void Forget(LinkId id) { links_.erase(id); }

  // The links that owed something for longer than `limit` at the time `now`
  // without a single answer. `now` may lie behind the clock: an answer that
  // came in between, but was not handled yet, is no reason for blame.
  std::vector<LinkId> SilentFor(absl::Duration limit, absl::Duration now) const;

 private:
  struct Owing {
    int answers = 0;
    absl::Duration since;  // The first of them was asked for, or one came.
  };
  const Clock& clock_;
  std::map<LinkId, Owing> links_;
};

}  // namespace apollo
