#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "engine/dense_stage.h"
#include "engine/expert_stage.h"

// Stages that compute nothing, so that only the cores around them cost time.
namespace apollo {

class FreeDenseStage final : public DenseStage {
 public:
  FreeDenseStage(ModelConfig config, int blocks)
      : config_(std::move(config)), blocks_(blocks) {}
  BlockPool& blocks() override { return blocks_; }
  const ModelConfig& config() const override { return config_; }
  void Forward(DenseStep step, Done done) override {
    int rows = 0;
    for (const DenseSlice& slice : step.slices) rows += slice.rows;
    done(Rows::Host(rows, config_.hidden_size));
  }

 private:
  const ModelConfig config_;
  BlockPool blocks_;
};

// Each row of a step chooses the last expert, which is absent unless `all`.
class FreeExpertStage final : public ExpertStage {
 public:
  FreeExpertStage(ModelConfig config, bool all, int blocks)
      : config_(std::move(config)), all_(all), blocks_(blocks) {
    for (int e = 0; e + (all ? 0 : 1) < config_.num_experts; ++e) {
      experts_.everywhere.insert(e);
    }
  }
  BlockPool& blocks() override { return blocks_; }
  const ModelConfig& config() const override { return config_; }
  const LayerExperts& experts() const override { return experts_; }

  std::unique_ptr<ExpertStep> Begin(std::vector<ExpertSlice> slices) override {
    auto step = std::make_unique<Step>();
    for (const ExpertSlice& slice : slices) {
      step->slices.push_back(static_cast<int>(step->slices.size()));
      step->rows += slice.boundary.rows();
    }
    return step;
  }
  void RunLayer(ExpertStep& generic, int /*layer*/,
                std::vector<GuestRows> guests, Absent absent,
                GuestsDone done) override {
    const auto& step = static_cast<Step&>(generic);
    if (!all_) {
      std::vector<AbsentRows> rows(1);
      rows[0].expert = config_.num_experts - 1;
      rows[0].rows = Rows::Host(step.rows, config_.hidden_size);
      rows[0].slices = step.slices;
      absent(std::move(rows));
    }
    RunExperts(0, std::move(guests), std::move(done));
  }
  void Resume(ExpertStep& /*step*/,
              std::vector<std::optional<Rows>> /*outputs*/,
              Done done) override {
    done();
  }
  void RunExperts(int /*layer*/, std::vector<GuestRows> guests,
                  GuestsDone done) override {
    std::vector<Rows> outputs;
    for (GuestRows& guest : guests) outputs.push_back(std::move(guest.rows));
    done(std::move(outputs));
  }
  void Finish(ExpertStep& generic, std::vector<TokenRequest> requests,
              Finished done) override {
    std::vector<SliceOutcome> outcomes(
        static_cast<Step&>(generic).slices.size());
    const auto layers = static_cast<std::size_t>(config_.num_sparse_layers());
    for (SliceOutcome& outcome : outcomes) {
      outcome.layers = config_.num_sparse_layers();
      outcome.expert_use.resize(layers *
                                static_cast<std::size_t>(config_.num_experts));
      outcome.off_family.resize(layers);
    }
    for (const TokenRequest& request : requests) {
      outcomes[static_cast<std::size_t>(request.slice)].sampled =
          SampledToken{1, -1.0f, {}};
    }
    done(std::move(outcomes));
  }

 private:
  struct Step final : ExpertStep {
    std::vector<int> slices;
    int rows = 0;
  };

  const ModelConfig config_;
  const bool all_;
  BlockPool blocks_;
  LayerExperts experts_;
};

}  // namespace apollo
