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

// A step that came from a dense worker.
struct WaitingStep {
  LinkId from = 0;
  StageStep step;
  Rows boundary;  // [rows, hidden]
  // For each sequence of the step: whether it was released meanwhile.
  std::vector<char> cancelled;
  // Of the frame that brought it: the link counts what waits here.
  std::shared_ptr<void> receipt = {};
};

// Steps that wait for their batch, in the order of arrival. One thread.
class StepQueue {
 public:
  // A batch takes no further step once it has so many rows.
  static constexpr int kMaxBatchRows = 2048;

  // Queues the step that a frame brings. INVALID_ARGUMENT for one that no
  // correct dense worker sends.
  absl::Status Add(LinkId from, Frame frame, const ModelConfig& config);

  // The rows of these sequences are not worth computing any more.
  void Cancel(LinkId from, const ReleaseSequences& release);
  void DropLink(LinkId from);

  bool empty() const { return steps_.empty(); }
  // Of all steps.
  int rows() const;

  // Takes the steps of the next batch. Two attempts at one sequence never share
  // a batch: the later one replaces the blocks of the earlier one.
  std::vector<WaitingStep> TakeBatch();

 private:
  std::deque<WaitingStep> steps_;
};

}  // namespace apollo
