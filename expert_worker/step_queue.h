#pragma once

#include <absl/status/status.h>

#include <deque>
#include <memory>
#include <vector>

#include "common/rows.h"
#include "link/frame.h"
#include "link/link_session.h"
#include "model/config/model_config.h"

namespace apollo {

// A step from a dense worker.
struct WaitingStep {
  LinkId from = 0;
  StageStep step;
  Rows boundary;  // [rows, hidden]
  // For each sequence of the step: nonzero if it was released meanwhile.
  std::vector<char> cancelled;
  // Receipt of the frame that brought it: waiting steps count against the
  // link's bound.
  std::shared_ptr<void> receipt = {};
};

// Steps that wait for their batch, in the order of arrival. Single-threaded.
class StepQueue {
 public:
  // A batch takes no further steps once it has this many rows.
  static constexpr int kMaxBatchRows = 2048;

  // Queues the step of a frame. Returns INVALID_ARGUMENT for one that no
  // correct dense worker sends.
  absl::Status Add(LinkId from, Frame frame, const ModelConfig& config);

  // Marks the rows of released sequences, which need not be computed.
  void Cancel(LinkId from, const ReleaseSequences& release);
  void DropLink(LinkId from);

  bool empty() const { return steps_.empty(); }
  // Returns the number of rows of all steps.
  int rows() const;

  // Takes the steps of the next batch. Two attempts at a sequence never share a
  // batch, because the later one replaces the blocks of the earlier one.
  std::vector<WaitingStep> TakeBatch();

 private:
  std::deque<WaitingStep> steps_;
};

}  // namespace apollo
