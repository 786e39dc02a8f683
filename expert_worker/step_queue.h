#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>

#include <deque>
#include <memory>
#include <vector>

#include "common/rows.h"
#include "expert_worker/step_answer.h"
#include "link/frame.h"
#include "link/link_session.h"
#include "model/config/model_config.h"

namespace apollo {

// A step from a dense worker, or some sequences of one.
struct WaitingStep {
  LinkId from = 0;
  StageStep step;
  std::vector<Rows> boundary;  // [rows, hidden] of each sequence.
  // For each sequence of the step: nonzero if it was released meanwhile.
  std::vector<char> cancelled;
  // Receipt of the frame that brought it: waiting steps count against the
  // link's bound.
  std::shared_ptr<void> receipt = {};
  std::shared_ptr<StepAnswer> answer = {};

  // Returns the number of rows.
  int rows() const;
};

// Steps that wait for their batch, in the order of arrival. Single-threaded.
class StepQueue {
 public:
  // A batch takes no further steps once it has this many rows.
  static constexpr int kMaxBatchRows = 2048;

  // Returns true if the rows must wait, because earlier ones of their sequence
  // are in a batch, or the blocks that they need. All later rows of the
  // sequence must wait, too.
  using Blocked = absl::FunctionRef<bool(LinkId, const SequenceRows&)>;
  static bool NoneBlocked(LinkId, const SequenceRows&) { return false; }

  // Queues the step of a frame. `in_parts`: see StepAnswer. Returns
  // INVALID_ARGUMENT for one that no correct dense worker sends.
  absl::Status Add(LinkId from, Frame frame, const ModelConfig& config,
                   bool in_parts = true);

  // Marks the rows of released sequences, which need not be computed.
  void Cancel(LinkId from, const ReleaseSequences& release);
  void DropLink(LinkId from);

  bool empty() const { return steps_.empty(); }
  // Returns true if TakeBatch would return something.
  bool HasFree(Blocked blocked) const;
  // Returns the number of rows of all steps.
  int rows() const;

  // Takes the steps of the next batch, without their blocked sequences, which
  // stay. Two attempts at a sequence never share a batch, because the later one
  // replaces the blocks of the earlier one.
  std::vector<WaitingStep> TakeBatch(Blocked blocked = NoneBlocked);

 private:
  // Moves the blocked sequences of a step into another one.
  static WaitingStep TakeBlocked(WaitingStep& step, Blocked blocked);

  std::deque<WaitingStep> steps_;
};

}  // namespace apollo
