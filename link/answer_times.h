#pragma once

#include <absl/time/time.h>

#include <map>
#include <vector>

#include "link/link_session.h"

namespace apollo {

// The usual times of the answers of several links, and which links are slow
// compared with the others: their network, or the worker behind them.
// Single-threaded.
class AnswerTimes {
 public:
  // An answer is late after kLateRatio * usual time of the others + kGrace.
  static constexpr double kLateRatio = 2;
  static constexpr absl::Duration kGrace = absl::Milliseconds(2);

  // Notes that an answer that came at `now` has taken this time. The usual time
  // of a link is
  //
  //   usual += (time - usual) / 4
  //
  // so it follows a change within a few answers.
  void Took(LinkId id, absl::Duration time, absl::Duration now);
  // Forgets the times of links without an answer since `since`: they may have
  // changed.
  void ForgetOlder(absl::Duration since);
  // Notes that the link has ended.
  void Forget(LinkId id);

  // Returns the usual time of the link's answers; zero if there was none.
  absl::Duration UsualOf(LinkId id) const;
  // Returns the time after which an answer of the link is late. The usual time
  // of the others is their median, of two medians the lower. Infinite if no
  // other link has answered. Takes logarithmic time.
  absl::Duration LateAfter(LinkId id) const;

 private:
  struct Usual {
    absl::Duration time;
    absl::Duration at;  // Of the last answer.
  };
  void Unsort(absl::Duration time);

  std::map<LinkId, Usual> usual_;
  std::vector<absl::Duration> sorted_;  // The same times.
};

}  // namespace apollo
