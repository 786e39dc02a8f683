#pragma once

#include <absl/time/time.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/rows.h"
#include "engine/scheduler.h"
#include "link/answer_times.h"
#include "link/answer_watch.h"
#include "link/frame.h"
#include "link/link_session.h"
#include "serving/counters.h"

namespace apollo {

// The steps in flight: those that the dense stage is computing, and those that
// expert workers have not answered. Records what each worker must answer, and
// the time since its last sign of life.
//
// The stage completes steps in any order. Each worker gets its frames in the
// order in which they were passed to the ledger: frames after a step wait until
// the step has been sent.
//
// A worker's part of a step is *late* if the worker usually answers late or has
// not answered in time (link/answer_times.h), or if only some of its sequences
// are answered: the others wait for a peer of the worker. A step that lacks
// only late parts is not in flight, so the sequences of other workers do not
// wait for a slow link. Single-threaded.
class StepLedger {
 public:
  // Labels under which an answer is counted. The sequence may have ended by
  // then.
  struct AskedRows {
    std::string language;
    bool has_family = false;
    int rows = 0;
    int replayed = 0;  // Of these.
  };
  // The sequences and attempts that a worker must answer for.
  using Asked = std::map<std::pair<SequenceId, std::uint32_t>, AskedRows>;
  // A worker's share of a step.
  struct Part {
    LinkId worker = 0;
    std::vector<SequenceRows> sequences;
    int rows = 0;      // Total of all sequences.
    int replayed = 0;  // Of these, rows that are sent once more.
    Asked asked;
  };
  using Send = std::function<void(LinkId, Frame)>;

  // `clock` must outlive the ledger, and so must `answer_seconds`, in which the
  // times to the answers are counted unless it is null. Frames are sent with
  // `send`, which may drop them if the link has ended.
  StepLedger(Send send, const Clock& clock,
             Distribution* answer_seconds = nullptr)
      : send_(std::move(send)),
        clock_(clock),
        answer_seconds_(answer_seconds),
        answers_(clock) {}

  // Begins a step whose rows are those of its parts, in order, with one part
  // per worker. Returns its number.
  std::uint64_t Open(std::vector<Part> parts);
  // Handles the completion of a step by the stage. `boundary` has all of its
  // rows.
  void Computed(std::uint64_t step, const Rows& boundary);
  // Sends a frame to a worker after all frames that were passed in before.
  void SendBehind(LinkId worker, Frame frame);

  // Handles a worker's answer to a step, or the last part of it. Returns the
  // rows that it had to answer for; nullopt if it owes no such answer.
  std::optional<Asked> TakeAnswer(LinkId worker, std::uint64_t step);
  // Handles a part of an answer that others follow. Returns the rows that
  // `outputs` answer; nullopt if the worker owes no such answer.
  std::optional<Asked> TakePart(LinkId worker, std::uint64_t step,
                                std::span<const SequenceOutput> outputs);
  // Notes a frame from a worker as a sign of life.
  void Heard(LinkId worker, const Frame& frame) {
    answers_.Heard(worker, frame);
  }
  // Notes a piece of a frame as one.
  void HeardPiece(LinkId worker) { answers_.Progressed(worker); }
  // Returns the workers that owe answers and, at the time `now`, have given no
  // sign of life of their process for longer than `lease`, or of their engine
  // for longer than `limit`; see AnswerWatch. A worker may be there twice.
  std::vector<LinkId> SilentFor(absl::Duration lease, absl::Duration limit,
                                absl::Duration now) const;
  // Returns those without a sign of life of their engine for longer than
  // `limit`, whatever they are granted.
  std::vector<LinkId> StillFor(absl::Duration limit, absl::Duration now) const {
    return answers_.StillFor(limit, now);
  }
  // Excludes the unanswered steps of a worker from these.
  void StopWatching(LinkId worker) { answers_.Forget(worker); }
  // Removes a worker whose link has ended: it gets no more frames and owes
  // nothing.
  void Forget(LinkId worker);

  // Returns the number of steps in flight, without those that lack only late
  // parts, parts of workers that match `except`, or answers to replayed rows. A
  // replay costs the stage nothing, and the sequences of other workers need not
  // wait for it.
  int InFlight(const std::function<bool(LinkId)>& except) const;
  // Returns the rows of late parts, without replayed ones, by worker; none for
  // those that owe none.
  std::map<LinkId, int> LateRows() const;
  // Returns the replayed rows that workers owe answers for, by worker; none for
  // those that owe none.
  std::map<LinkId, int> ReplayedInFlight() const;

 private:
  struct Owed {
    Asked asked;
    int rows = 0;
    int replayed = 0;
    bool sent = false;
    bool partly_answered = false;
    absl::Duration sent_at = absl::ZeroDuration();
  };
  struct Step {
    bool computed = false;
    std::map<LinkId, Owed> owed;
  };
  struct Outgoing {
    Frame frame;
    std::uint64_t step = 0;  // 0: none.
    bool ready = true;
    // The rows of the step that form its payload.
    int first_row = 0;
    int rows = 0;
  };

  // Sends the frames that no longer wait for a step.
  void Flush(LinkId worker);
  // Returns the part that a worker was sent and owes an answer for, or null.
  Owed* FindSent(LinkId worker, std::uint64_t step);
  bool IsLate(LinkId worker, const Owed& owed, absl::Duration now) const;
  // Notes the time of an answer.
  void Took(LinkId worker, const Owed& owed);

  // Constant after construction.
  const Send send_;
  const Clock& clock_;
  Distribution* const answer_seconds_;

  // Owned by the thread.
  AnswerWatch answers_;
  AnswerTimes times_;
  std::map<std::uint64_t, Step> steps_;
  std::map<LinkId, std::deque<Outgoing>> outgoing_;
  std::uint64_t next_step_ = 1;
};

}  // namespace apollo
