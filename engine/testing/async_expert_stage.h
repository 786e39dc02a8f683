#pragma once

#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "common/check.h"
#include "engine/expert_stage.h"
#include "engine/testing/completions.h"

namespace apollo {

// Wraps an expert stage. Results arrive when `completions` decides. Checks that
// only one function is in progress at a time.
class AsyncExpertStage final : public ExpertStage {
 public:
  AsyncExpertStage(std::unique_ptr<ExpertStage> stage, Completions& completions)
      : stage_(std::move(stage)), completions_(completions) {}
  ~AsyncExpertStage() override { completions_.Stop(); }

  void SetPost(PostEvent post) override {
    completions_.SetPost(std::move(post));
  }
  BlockPool& blocks() override { return stage_->blocks(); }
  const ModelConfig& config() const override { return stage_->config(); }
  const LayerExperts& experts() const override { return stage_->experts(); }
  void AddExpert(LayerExpert which,
                 std::unique_ptr<ExpertWeights> weights) override {
    APOLLO_CHECK(!at_work_);
    stage_->AddExpert(which, std::move(weights));
  }
  void RemoveExpert(LayerExpert which) override {
    APOLLO_CHECK(!at_work_);
    stage_->RemoveExpert(which);
  }

  std::unique_ptr<ExpertStep> Begin(std::vector<ExpertSlice> slices) override {
    APOLLO_CHECK(!at_work_);
    return stage_->Begin(std::move(slices));
  }

  void RunLayer(ExpertStep& step, int layer, std::vector<GuestRows> guests,
                Absent absent, GuestsDone done) override {
    Start();
    std::vector<AbsentRows> rows;
    std::vector<Rows> outputs;
    stage_->RunLayer(
        step, layer, std::move(guests),
        [&](std::vector<AbsentRows> r) { rows = std::move(r); },
        [&](std::vector<Rows> o) { outputs = std::move(o); });
    auto finish = [this, done = std::move(done),
                   outputs = std::move(outputs)]() mutable {
      at_work_ = false;
      done(std::move(outputs));
    };
    if (rows.empty()) {
      AddEvent(std::move(finish));
      return;
    }
    AddEvent([this, absent = std::move(absent), rows = std::move(rows),
              finish = std::move(finish)]() mutable {
      AddEvent(std::move(finish));
      absent(std::move(rows));
    });
  }

  void Resume(ExpertStep& step, std::vector<std::optional<Rows>> outputs,
              Done done) override {
    Start();
    stage_->Resume(step, std::move(outputs), [] {});
    AddEvent([this, done = std::move(done)]() mutable {
      at_work_ = false;
      done();
    });
  }

  bool CanSplit() const override { return stage_->CanSplit(); }
  std::unique_ptr<ExpertStep> Split(ExpertStep& step,
                                    std::span<const int> moved,
                                    std::vector<AbsentOutput> outputs,
                                    Done done) override {
    Start();
    auto waiting = stage_->Split(step, moved, std::move(outputs), [] {});
    AddEvent([this, done = std::move(done)]() mutable {
      at_work_ = false;
      done();
    });
    return waiting;
  }

  void RunExperts(int layer, std::vector<GuestRows> guests,
                  GuestsDone done) override {
    Start();
    stage_->RunExperts(layer, std::move(guests), [&](std::vector<Rows> rows) {
      AddEvent(
          [this, done = std::move(done), rows = std::move(rows)]() mutable {
            at_work_ = false;
            done(std::move(rows));
          });
    });
  }

  void Finish(ExpertStep& step, std::vector<TokenRequest> requests,
              Finished done) override {
    Start();
    stage_->Finish(step, std::move(requests),
                   [&](std::vector<SliceOutcome> outcomes) {
                     AddEvent([this, done = std::move(done),
                               outcomes = std::move(outcomes)]() mutable {
                       at_work_ = false;
                       done(std::move(outcomes));
                     });
                   });
  }

 private:
  void Start() {
    APOLLO_CHECK(!at_work_);
    at_work_ = true;
  }
  // Pending events are dropped with the stage.
  void AddEvent(absl::AnyInvocable<void()> event) {
    completions_.Add([alive = std::weak_ptr<void>(alive_),
                      event = std::move(event)]() mutable {
      if (!alive.expired()) event();
    });
  }

  const std::unique_ptr<ExpertStage> stage_;
  Completions& completions_;
  bool at_work_ = false;
  const std::shared_ptr<void> alive_ = std::make_shared<int>();
};

}  // namespace apollo
