#pragma once

#include <absl/time/time.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/rows.h"
#include "engine/scheduler.h"
#include "link/answer_watch.h"
#include "link/frame.h"
#include "link/link_session.h"

namespace apollo {

// The steps in flight: those that the dense stage is not done with, and those
// that expert workers still owe answers to; who was asked for what; and since
// when a worker gives no sign of life.
//
// The stage is done with steps in any order. Each worker gets its frames in the
// order in which they were handed over here: what follows a step waits until
// that has left. One thread.
class StepLedger {
 public:
  // What an answer is counted under, as the sequence may be over by then.
  struct AskedRows {
    std::string language;
    bool has_family = false;
  };
  // The sequences, with their attempts, that a worker must answer for.
  using Asked = std::map<std::pair<SequenceId, std::uint32_t>, AskedRows>;
  // A worker's share of a step.
  struct Part {
    LinkId worker = 0;
    std::vector<SequenceRows> sequences;
    int rows = 0;  // Of them all.
    Asked asked;
  };
  using Send = std::function<void(LinkId, Frame)>;

  // `clock` must outlive the ledger. Frames leave by `send`, which may drop
  // them if the link is gone.
  StepLedger(Send send, const Clock& clock)
      : send_(std::move(send)), answers_(clock) {}

  // Begins a step, whose rows are those of its parts, in their order; one part
  // for each worker. Returns its number.
  std::uint64_t Open(std::vector<Part> parts);
  // The stage is done with a step: `boundary` are all of its rows.
  void Computed(std::uint64_t step, const Rows& boundary);
  // Sends a worker a frame behind all that was handed over before.
  void SendBehind(LinkId worker, Frame frame);

  // A worker has answered a step. Returns what it had to answer for; none if it
  // owes no such answer.
  std::optional<Asked> TakeAnswer(LinkId worker, std::uint64_t step);
  // A worker's engine gave a sign of life.
  void Progressed(LinkId worker) { answers_.Progressed(worker); }
  // Workers that owe answers and gave no sign of life for longer than `limit`
  // at the time `now`; see AnswerWatch.
  std::vector<LinkId> SilentFor(absl::Duration limit,
                                absl::Duration now) const {
    return answers_.SilentFor(limit, now);
  }
  // What was asked of a worker does not count any more for SilentFor.
  void StopWatching(LinkId worker) { answers_.Forget(worker); }
  // The link is gone: nothing more is sent to the worker, and it owes nothing.
  void Forget(LinkId worker);

  // Steps in flight. Those that only workers to `except` still owe answers to
  // do not count.
  int InFlight(const std::function<bool(LinkId)>& except) const;

 private:
  struct Owed {
    Asked asked;
    bool sent = false;
  };
  struct Step {
    bool computed = false;
    std::map<LinkId, Owed> owed;
  };
  struct Outgoing {
    Frame frame;
    std::uint64_t step = 0;  // 0: none.
    bool ready = true;
    // The step's rows that are its payload.
    int first_row = 0;
    int rows = 0;
  };

  // Sends what waits for nothing more.
  void Flush(LinkId worker);

  // Constant after construction.
  const Send send_;

  // Owned by the thread.
  AnswerWatch answers_;
  std::map<std::uint64_t, Step> steps_;
  std::map<LinkId, std::deque<Outgoing>> outgoing_;
  std::uint64_t next_step_ = 1;
};

}  // namespace apollo
