#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "common/mutex.h"
#include "common/thread_pool.h"
#include "engine/expert_weights.h"
#include "engine/weights.h"
#include "model/config/model_config.h"
#include "model/weights/weight_source.h"

namespace apollo {

// The weights of an expert for a CpuExpertStage.
class CpuExpertWeights final : public ExpertWeights {
 public:
  explicit CpuExpertWeights(MlpWeights mlp) : mlp_(std::move(mlp)) {}

  MlpWeights Take() { return std::move(mlp_); }

 private:
  MlpWeights mlp_;
};

// Gives the memory of an expert's weights back: that of views, too, whose pages
// are read from the file again on the next use.
void ReleaseExpert(MlpWeights mlp);

// Loads experts for CpuExpertStages, in the calling thread and with the same
// bits as CpuExpertStage::Load. It goes on while the process is asked to stop,
// because sequences that drain may need experts.
class CpuExpertLoader final : public ExpertLoader {
 public:
  // The config and the source must outlive the loader and all weights.
  CpuExpertLoader(const ModelConfig& config, const WeightSource& source)
      : config_(config), source_(source) {}

  std::int64_t Bytes(LayerExpert which) const override;
  absl::StatusOr<std::unique_ptr<ExpertWeights>> Load(
      LayerExpert which) override;

 private:
  const ModelConfig& config_;
  const WeightSource& source_;
  Mutex mutex_;  // A pool has one caller at a time.
  ThreadPool pool_ ABSL_GUARDED_BY(mutex_){1};
};

}  // namespace apollo
