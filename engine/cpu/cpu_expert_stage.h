#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "common/thread_pool.h"
#include "engine/cpu/batch.h"
#include "engine/cpu/cpu_head.h"
#include "engine/cpu/expert_dispatch.h"
#include "engine/cpu/kv_cache.h"
#include "engine/expert_stage.h"
#include "engine/weights.h"
#include "kernels/gate.h"
#include "kernels/rope.h"
#include "model/config/model_config.h"

namespace apollo {

// An expert stage on the processor: every function is done before it returns.
class CpuExpertStage final : public ExpertStage {
 public:
  // Loads the resident experts (each below config.num_experts) and all else
  // that the stage needs. The source and the pool must outlive the stage.
  // RESOURCE_EXHAUSTED if the cache does not hold one block.
  static absl::StatusOr<std::unique_ptr<CpuExpertStage>> Load(
      const ModelConfig& config, const WeightSource& source,
      const std::set<int>& experts, const CacheOptions& cache, ThreadPool& pool,
      const LoadProgress& progress);

  // Bytes of weights that Load reads.
  static std::int64_t WeightBytes(const ModelConfig& config,
                                  const WeightSource& source,
                                  const std::set<int>& experts);

  BlockPool& blocks() override { return cache_->pool(); }
  const ModelConfig& config() const override { return config_; }
  const std::set<int>& experts() const override { return experts_; }
  std::unique_ptr<ExpertStep> Begin(std::vector<ExpertSlice> slices) override;
  void RunLayer(ExpertStep& step, int layer, std::vector<GuestRows> guests,
                Absent absent, GuestsDone done) override;
  void Resume(ExpertStep& step, std::vector<std::optional<Rows>> outputs,
              Done done) override;
  void RunExperts(int layer, std::vector<GuestRows> guests,
                  GuestsDone done) override;
  void Finish(ExpertStep& step, std::vector<TokenRequest> requests,
              Finished done) override;

  // For tests and measurements, of a step of this stage: the logits of some
  // rows behind the last layer, [rows.size(), vocab]; and the choices of the
  // last layer that was run, [rows, k].
  void Logits(const ExpertStep& step, std::span<const int> rows,
              float* logits) const;
  std::span<const ExpertChoice> Choices(const ExpertStep& step) const;

 private:
  struct Step;

  CpuExpertStage(const ModelConfig& config, std::set<int> experts,
                 ThreadPool& pool);
  const SparseLayerWeights& weights(int layer) const;
  // Attention of the layer, then the norm before its experts.
  void Attend(Step& step);
  // Chooses every row's experts.
  void Route(Step& step) const;
  void CountUse(Step& step) const;
  std::vector<AbsentRows> Gather(const Step& step) const;
  // Runs the resident experts for the step's rows, if there is a step, and the
  // guests; returns the guests' outputs.
  std::vector<Rows> RunResident(Step* step, int layer,
                                const std::vector<GuestRows>& guests);
  // hidden += the experts' outputs by weight, and the shared expert's if the
  // model has one.
  void Combine(Step& step);

  const ModelConfig config_;
  const std::set<int> experts_;
  ThreadPool& pool_;
  const Rope rope_;
  std::vector<SparseLayerWeights> layers_;
  std::optional<CpuHead> head_;
  std::unique_ptr<KvCache> cache_;
  // Memory of a layer, kept for the next.
  std::vector<float> shared_;  // [rows, hidden]
  Workspace workspace_;
  ExpertDispatch dispatch_;
};

}  // namespace apollo
