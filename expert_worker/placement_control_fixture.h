#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/fake_clock.h"
#include "engine/block_pool.h"
#include "engine/expert_stage.h"
#include "engine/expert_weights.h"
#include "expert_worker/expert_counters.h"
#include "expert_worker/expert_residence.h"
#include "expert_worker/placement_control.h"
#include "model/config/model_config.h"

// The shared fixture of the tests of PlacementControl.
namespace apollo {

inline constexpr int kExperts = 128;
inline constexpr int kLayers = 48;

class NoWeights final : public ExpertWeights {};

// A stage that holds experts and never runs.
class HoldingStage final : public ExpertStage {
 public:
  HoldingStage() : blocks_(1) {
    config_.num_layers = kLayers;
    config_.boundary = 0;
    config_.num_experts = kExperts;
  }
  BlockPool& blocks() override { return blocks_; }
  const ModelConfig& config() const override { return config_; }
  const LayerExperts& experts() const override { return experts_; }
  std::unique_ptr<ExpertStep> Begin(std::vector<ExpertSlice>) override {
    return nullptr;
  }
  void RunLayer(ExpertStep&, int, std::vector<GuestRows>, Absent,
                GuestsDone) override {}
  void Resume(ExpertStep&, std::vector<std::optional<Rows>>, Done) override {}
  void RunExperts(int, std::vector<GuestRows>, GuestsDone) override {}
  void Finish(ExpertStep&, std::vector<TokenRequest>, Finished) override {}

 private:
  BlockPool blocks_;
  ModelConfig config_;
  const LayerExperts experts_ = {0, 1};
};

class PlacementControlTest : public testing::Test {
 protected:
  PlacementControlTest() {
    ExpertResidence::Options residence;
    residence.bytes = [](LayerExpert) { return 1; };
    residence.load = [this](LayerExpert which) { loads_.push_back(which); };
    residence_ =
        std::make_unique<ExpertResidence>(residence, stage_, counters_, clock_);
    PlacementControl::Options options;
    options.automatic = true;
    options.most_resident = 2 * kLayers + 50;  // There is room.
    control_ = std::make_unique<PlacementControl>(
        options, "w0", stage_.config(), *residence_, clock_.now);
    peer_.name = "w1";
    for (int e = 0; e < kExperts; ++e) peer_.resident.everywhere.insert(e);
  }

  // Counts rows of this worker's sequences.
  void Use(const std::map<LayerExpert, int>& rows) {
    SliceOutcome outcome;
    outcome.layers = kLayers;
    outcome.expert_use.resize(static_cast<std::size_t>(kLayers) * kExperts);
    for (const auto& [which, count] : rows) {
      outcome.expert_use[static_cast<std::size_t>(which.layer) * kExperts +
                         static_cast<std::size_t>(which.expert)] +=
          static_cast<std::uint32_t>(count);
    }
    control_->CountOwn(std::span(&outcome, 1), clock_.now);
  }
  // Lets the worker report, decide and begin its loads.
  void Decide() {
    report_ = control_->Report(clock_.now);
    control_->Decide({peer_}, clock_.now);
    Work();
  }
  void Work() {
    const auto needed = [](LayerExpert) { return false; };
    const auto dispensable = [this](LayerExpert which) {
      return control_->Dispensable(which, std::span(&peer_, 1));
    };
    const ExpertResidence::Facts facts = {needed, dispensable};
    while (residence_->HasWork(facts)) residence_->Work(facts);
  }
  void EndLoad(bool well) {
    absl::StatusOr<std::unique_ptr<ExpertWeights>> weights =
        absl::DataLossError("a disk fails");
    if (well) weights = std::make_unique<NoWeights>();
    residence_->Loaded(loads_.back(), std::move(weights));
    Work();
  }

  FakeClock clock_;
  HoldingStage stage_;
  ExpertCounters counters_;
  std::vector<LayerExpert> loads_;
  std::unique_ptr<ExpertResidence> residence_;
  std::unique_ptr<PlacementControl> control_;
  PlacementPeer peer_;
  PlacementReport report_;
};

}  // namespace apollo
