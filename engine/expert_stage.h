#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include "common/thread_pool.h"
#include "engine/batch.h"
#include "engine/kv_cache.h"
#include "engine/weights.h"
#include "kernels/gate.h"
#include "kernels/rope.h"
#include "model/config/model_config.h"

namespace apollo {

// The sparse layers [boundary, num_layers), the final norm and the head, with
// their cache. It offers the parts of a layer one by one, because between the
// gate and the sum some rows may be computed elsewhere:
//
//   Step step = stage.Begin(slices, boundary);
//   for each sparse layer:
//     stage.Attend(step, layer);                 // step.normed is ready
//     stage.Route(step, layer, pinned);          // step.choices is ready
//     for each expert in use: gather rows of step.normed, RunExpert here or
//       elsewhere, and put the results into step.expert_outputs
//     stage.Combine(step, layer);
//   stage.Logits(step, rows, logits);
//
// Layers are numbered as in the model. Knows nothing of languages, links or
// other workers. One thread.
class ExpertStage {
 public:
  // Loads the resident experts (each below config.num_experts) and all else
  // that the stage needs. The rest as in DenseStage::Load.
  static absl::StatusOr<std::unique_ptr<ExpertStage>> Load(
      const ModelConfig& config, const WeightSource& source,
      const std::set<int>& experts, const CacheOptions& cache, ThreadPool& pool,
      const LoadProgress& progress);

  static std::int64_t WeightBytes(const ModelConfig& config,
                                  const WeightSource& source,
                                  const std::set<int>& experts);

  // The rows of one step on their way through the layers.
  struct Step {
    Batch batch;
    std::vector<float> hidden;          // [rows, hidden]
    std::vector<float> normed;          // [rows, hidden]: the experts' input.
    std::vector<ExpertChoice> choices;  // [rows, k]
    std::vector<float> expert_outputs;  // [rows, k, hidden], as chosen.
    // [rows]: whether the pinned expert took the place of one that the gate
    // chose.
    std::vector<bool> replaced;
  };

  // `boundary`: [sum of rows, hidden].
  Step Begin(std::vector<BatchSlice> slices, std::vector<float> boundary) const;

  // Attention of the layer, then the norm before its MLP.
  void Attend(Step& step, int layer);

  // Chooses every row's experts. pinned: [rows], an expert or -1.
  void Route(Step& step, int layer, std::span<const int> pinned) const;

  // out = expert(x) for x [rows, hidden]. The expert must be resident.
  void RunExpert(int layer, int expert, const float* x, int rows, float* out);
  bool IsResident(int expert) const { return experts_.contains(expert); }
  const std::set<int>& experts() const { return experts_; }

  // hidden += sum over j of weight_j * output_j, in the order of choice, and
  // the shared expert if the model has one.
  void Combine(Step& step, int layer);

  // Logits of some rows of a step that went through all layers.
  // logits: [rows.size(), vocab]
  void Logits(const Step& step, std::span<const int> rows, float* logits);

  // What the stage computes with, for others between its functions.
  ThreadPool& pool() { return pool_; }
  KvCache& cache() { return *cache_; }
  const ModelConfig& config() const { return config_; }

 private:
  ExpertStage(const ModelConfig& config, std::set<int> experts,
              ThreadPool& pool);
  const SparseLayerWeights& weights(int layer) const;

  const ModelConfig config_;
  const std::set<int> experts_;
  ThreadPool& pool_;
  const Rope rope_;
  std::vector<SparseLayerWeights> layers_;
  HeadWeights head_;
  std::vector<float> shared_;  // [rows, hidden]
  Workspace workspace_;
  std::unique_ptr<KvCache> cache_;
};

}  // namespace apollo
