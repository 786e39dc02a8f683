#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <optional>
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

// An expert stage on the CPU. Every function completes before it returns.
class CpuExpertStage final : public ExpertStage {
 public:
  // Loads experts (each below config.num_experts) and the shared
  // weights of the stage. The source and the pool must outlive the stage.
  // Returns RESOURCE_EXHAUSTED if the cache cannot hold one block.
  static absl::StatusOr<std::unique_ptr<CpuExpertStage>> Load(
      const ModelConfig& config, const WeightSource& source,
      const LayerExperts& experts, const CacheOptions& cache, ThreadPool& pool,
      const LoadProgress& progress);

  // Returns the bytes of weights that Load reads.
  static std::int64_t WeightBytes(const ModelConfig& config,
                                  const WeightSource& source,
                                  const LayerExperts& experts);

  BlockPool& blocks() override { return cache_->pool(); }
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

  // For tests and measurements, on a step of this stage. Logits computes the
  // logits of the given rows after the last layer, [rows.size(), vocab].
  // Choices returns the expert choices of the layer that ran last, [rows, k],
  // and GateInputs the input of its gate, [rows, hidden].
  void Logits(const ExpertStep& step, std::span<const int> rows,
              float* logits) const;
  std::span<const ExpertChoice> Choices(const ExpertStep& step) const;
  std::span<const float> GateInputs(const ExpertStep& step) const;

 private:
  struct Step;

  CpuExpertStage(const ModelConfig& config, LayerExperts experts,
                 ThreadPool& pool);
  absl::Status LoadLayers(WeightLoader& loader);
  const SparseLayerWeights& weights(int layer) const;
  // Sets experts_ to those of layers_.
  void ListExperts();
  const AttentionWeights& attention(int layer) const;
  // Runs the layer's attention and the norm before its experts.
  void Attend(Step& step);
  // hidden += the MLP's output, in a layer without experts.
  void RunDenseMlp(Step& step);
  // Chooses the experts of every row.
  void Route(Step& step) const;
  void CountUse(Step& step) const;
  std::vector<AbsentRows> Gather(const Step& step) const;
  // Runs the resident experts for the rows of `step` (which may be null) and
  // the guests. Returns the outputs of the guests.
  std::vector<Rows> RunResident(Step* step, int layer,
                                const std::vector<GuestRows>& guests);
  // Takes the outputs of an absent expert, or fails the slices with rows for
  // it.
  void TakeAbsent(Step& step, int expert, std::optional<Rows> outputs) const;
  // Returns a step of some of the slices, in the same layer.
  std::unique_ptr<Step> PartOf(const Step& step,
                               std::span<const int> slices) const;
  // hidden += the weighted sum of the expert outputs, plus the shared expert's
  // output if the model has one.
  void Combine(Step& step);

  const ModelConfig config_;
  LayerExperts experts_;
  ThreadPool& pool_;
  const Rope rope_;
  std::vector<SparseLayerWeights> layers_;
  std::vector<DenseLayerWeights> dense_layers_;  // Instead, in a dense model.
  std::optional<CpuHead> head_;
  std::unique_ptr<KvCache> cache_;
  // Scratch memory, reused from layer to layer.
  std::vector<float> shared_;  // [rows, hidden]; also of a dense MLP.
  Workspace workspace_;
  ExpertDispatch dispatch_;
};

}  // namespace apollo
