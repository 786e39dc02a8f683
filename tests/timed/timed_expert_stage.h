#pragma once

#include <absl/time/time.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "engine/expert_stage.h"
#include "tests/timed/virtual_time.h"

namespace apollo {

// The time that an expert stage takes.
struct ExpertCost {
  absl::Duration layer = absl::Microseconds(500);  // Attention, gate.
  absl::Duration row = absl::Microseconds(50);     // The same, for each row.
  // One expert for one row.
  absl::Duration expert_row = absl::Microseconds(100);
  absl::Duration guests = absl::Microseconds(200);  // A piece of guests only.
  absl::Duration finish = absl::Microseconds(500);  // Head and sampling.
  absl::Duration token = absl::Microseconds(50);    // The same, for each token.
};

// The weights of an expert that has none.
class TimedWeights final : public ExpertWeights {};

// An expert stage without a model, on a device that takes the time that the
// work costs. A row is a number below 2^20, exact in float, as FakeDenseStage
// makes it. An expert maps it to another one; the outputs of the experts are
// added, and a token is a digest of the last row. So a row that is lost,
// repeated or computed by another expert shows in the tokens.
//
// The gate chooses two experts. A row of a family chooses its expert first, but
// for every eighth, which chooses by the row alone. With hybrid routing a row
// always chooses the expert of its family and the next one.
class TimedExpertStage final : public ExpertStage {
 public:
  // `timer` must outlive the stage.
  TimedExpertStage(ModelConfig config, LayerExperts experts, int blocks,
                   const ExpertCost& cost, Timer& timer);

  BlockPool& blocks() override { return blocks_; }
  const ModelConfig& config() const override { return config_; }
  const LayerExperts& experts() const override { return experts_; }
  void AddExpert(LayerExpert which,
                 std::unique_ptr<ExpertWeights> weights) override;
  void RemoveExpert(LayerExpert which) override;

  std::unique_ptr<ExpertStep> Begin(std::vector<ExpertSlice> slices) override;
  void RunLayer(ExpertStep& step, int layer, std::vector<GuestRows> guests,
                Absent absent, GuestsDone done) override;
  void Resume(ExpertStep& step, std::vector<std::optional<Rows>> outputs,
              Done done) override;
  bool CanSplit() const override { return true; }
  std::unique_ptr<ExpertStep> Split(ExpertStep& step,
                                    std::span<const int> moved,
                                    std::vector<AbsentOutput> outputs,
                                    Done done) override;
  void RunExperts(int layer, std::vector<GuestRows> guests,
                  GuestsDone done) override;
  void Finish(ExpertStep& step, std::vector<TokenRequest> requests,
              Finished done) override;

  // The time during which the device worked.
  absl::Duration worked() const { return worked_; }

 private:
  class Step;

  // Calls `event` after work of that length, unless the stage is destroyed.
  void Work(absl::Duration cost, Timer::Event event);
  std::vector<Rows> Guests(int layer, const std::vector<GuestRows>& guests,
                           absl::Duration& cost) const;

  const ModelConfig config_;
  const ExpertCost cost_;
  Timer& timer_;
  LayerExperts experts_;
  BlockPool blocks_;
  bool at_work_ = false;
  absl::Duration worked_;
  const std::shared_ptr<void> alive_ = std::make_shared<int>();
};

}  // namespace apollo
