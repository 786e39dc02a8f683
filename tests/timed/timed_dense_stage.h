#pragma once

#include <absl/time/time.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "engine/testing/fake_dense_stage.h"
#include "tests/timed/virtual_time.h"

namespace apollo {

// The time that a dense stage takes for a step.
struct DenseCost {
  absl::Duration step = absl::Milliseconds(2);
  absl::Duration row = absl::Microseconds(100);        // Computed.
  absl::Duration cached_row = absl::Nanoseconds(200);  // Replayed.
};

// FakeDenseStage on a device that computes one step after the other, each for
// the time that it costs.
class TimedDenseStage final : public DenseStage {
 public:
  // `timer` must outlive the stage.
  TimedDenseStage(ModelConfig config, int blocks, const DenseCost& cost,
                  Timer& timer)
      : stage_(std::move(config), blocks), cost_(cost), timer_(timer) {}

  BlockPool& blocks() override { return stage_.blocks(); }
  const ModelConfig& config() const override { return stage_.config(); }

  void Forward(DenseStep step, Done done) override {
    absl::Duration cost = cost_.step;
    for (const DenseSlice& slice : step.slices) {
      cost += cost_.row * (slice.rows - slice.cached) +
              cost_.cached_row * slice.cached;
    }
    free_at_ = std::max(free_at_, timer_.Now()) + cost;
    stage_.Forward(std::move(step), [&](Rows boundary) {
      timer_.After(free_at_ - timer_.Now(),
                   [alive = std::weak_ptr<void>(alive_), done = std::move(done),
                    boundary = std::move(boundary)]() mutable {
                     if (!alive.expired()) done(std::move(boundary));
                   });
    });
  }

 private:
  FakeDenseStage stage_;
  const DenseCost cost_;
  Timer& timer_;
  absl::Duration free_at_;
  const std::shared_ptr<void> alive_ = std::make_shared<int>();
};

}  // namespace apollo
