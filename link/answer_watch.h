#pragma once

#include <absl/time/time.h>

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "common/clock.h"
#include "link/frame.h"
#include "link/link_session.h"

namespace apollo {

// Detects peers that are connected but give no sign of life. There are two
// kinds of signs, with limits of their own:
//
// - A frame of any kind shows that the process runs and the network works. A
//   peer whose reports are regular (Progress::regular) sends one many times in
//   a lease, whatever its engine does. Without any it is *unheard*: frozen, or
//   cut off. So is one whose reports say, one soon after the other, that none
//   of the messages on their way to it has come (Progress::received): it is cut
//   off in one direction. Each piece of a large frame that comes counts.
// - Every frame but a report that the engine stands still shows that the engine
//   moves. Without one it is *silent*: it hangs, or is inside a long piece of
//   work. A peer that was inside a piece for long, and moved again, is granted
//   twice that time from then on: a slow worker is not a dead one. Only
//   reports that come one soon after the other show that it was: after a gap,
//   this process may have been late, and not the peer.
//
// Only peers that owe answers are reported. Progress counts, not the time until
// an answer. Single-threaded.
class AnswerWatch {
 public:
  // `clock` must outlive the watch.
  explicit AnswerWatch(const Clock& clock) : clock_(clock) {}

  // Notes that the link owes one more answer.
  void Asked(LinkId id);
  // Notes an answer. Ignores links that owe nothing.
  void Answered(LinkId id);
  // Notes a frame from the peer. Call it for each, before Answered.
  void Heard(LinkId id, const Frame& frame);
  // Notes that the peer's engine did a piece of its work, or that a frame other
  // than an answer, or a piece of one, has come.
  void Progressed(LinkId id);
  // Notes that the link owes nothing, or has ended.
  void Forget(LinkId id) { links_.erase(id); }

  // These three return links that owe answers. `now` may be earlier than the
  // clock's time, so that a frame that has arrived since, but is not handled
  // yet, does not make its link look silent.
  //
  // Returns those with regular reports from which nothing has come for longer
  // than `lease`, or to which nothing of what was sent has.
  std::vector<LinkId> UnheardFor(absl::Duration lease,
                                 absl::Duration now) const;
  // Returns those whose engines have not moved for longer than `limit`, or than
  // they are granted.
  std::vector<LinkId> SilentFor(absl::Duration limit, absl::Duration now) const;
  // Returns those whose engines have not moved for longer than `limit`,
  // whatever they are granted.
  std::vector<LinkId> StillFor(absl::Duration limit, absl::Duration now) const;

 private:
  struct Peer {
    int answers = 0;  // Owed.
    bool regular = false;
    // The time of the last frame, or of the first request to a peer without
    // regular reports.
    absl::Duration heard;
    // The time of the first request, or of the last progress.
    absl::Duration moved;
    // The time since `moved` for which the peer was heard standing still.
    absl::Duration stood;
    // Twice the longest `stood`.
    absl::Duration granted;
    // Of the last report: its count of received messages, if more were sent.
    std::optional<std::uint64_t> behind;
    absl::Duration reported;  // The time of the last report.
    // The time for which reports have said `behind`.
    absl::Duration unreached;
  };
  // Notes what a report says about the way to the peer.
  void Acknowledged(Peer& peer, const Progress& report, std::uint64_t sent);

  const Clock& clock_;
  std::map<LinkId, Peer> links_;
};

}  // namespace apollo
