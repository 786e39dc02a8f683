#pragma once

#include <memory>
#include <utility>

#include "engine/dense_stage.h"
#include "engine/testing/later.h"

namespace apollo {

// Wraps a dense stage. Steps complete when the test decides, in any order.
class AsyncDenseStage final : public DenseStage {
 public:
  AsyncDenseStage(std::unique_ptr<DenseStage> stage, Later& later)
      : stage_(std::move(stage)), later_(later) {}

  BlockPool& blocks() override { return stage_->blocks(); }
  const ModelConfig& config() const override { return stage_->config(); }

  void Forward(DenseStep step, Done done) override {
    stage_->Forward(std::move(step), [&](Rows boundary) {
      later_.Add([alive = std::weak_ptr<void>(alive_), done = std::move(done),
                  boundary = std::move(boundary)]() mutable {
        if (!alive.expired()) done(std::move(boundary));
      });
    });
  }

 private:
  const std::unique_ptr<DenseStage> stage_;
  Later& later_;
  const std::shared_ptr<void> alive_ = std::make_shared<int>();
};

}  // namespace apollo
