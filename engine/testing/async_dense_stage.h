#pragma once

#include <memory>
#include <utility>

#include "engine/dense_stage.h"
#include "engine/testing/completions.h"

namespace apollo {

// Wraps a dense stage. Steps complete when `completions` decides, in any order.
class AsyncDenseStage final : public DenseStage {
 public:
  AsyncDenseStage(std::unique_ptr<DenseStage> stage, Completions& completions)
      : stage_(std::move(stage)), completions_(completions) {}
  ~AsyncDenseStage() override { completions_.Stop(); }

  void SetPost(PostEvent post) override {
    completions_.SetPost(std::move(post));
  }
  BlockPool& blocks() override { return stage_->blocks(); }
  const ModelConfig& config() const override { return stage_->config(); }

  void Forward(DenseStep step, Done done) override {
    stage_->Forward(std::move(step), [&](Rows boundary) {
      completions_.Add([alive = std::weak_ptr<void>(alive_),
                        done = std::move(done),
                        boundary = std::move(boundary)]() mutable {
        if (!alive.expired()) done(std::move(boundary));
      });
    });
  }

 private:
  const std::unique_ptr<DenseStage> stage_;
  Completions& completions_;
  const std::shared_ptr<void> alive_ = std::make_shared<int>();
};

}  // namespace apollo
