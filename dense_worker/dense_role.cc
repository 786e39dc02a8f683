#include "dense_worker/dense_role.h"

#include <utility>

#include "common/clock.h"
#include "common/status_macros.h"
#include "dense_worker/dense_counters.h"
#include "engine/cpu/cpu_dense_stage.h"
#include "engine/numerics.h"
#include "model/language/language_labels.h"
#include "model/weights/load_progress.h"
#include "serving/counter_collector.h"
#include "serving/version.h"

namespace apollo {

DenseRole::DenseRole(const WorkerModel& model, const FamilyTable& families,
                     int threads)
    : pool_(threads),
      routing_(model.model.config, LanguageLabels(families), Clock::Real()) {}

absl::StatusOr<std::unique_ptr<DenseRole>> DenseRole::Start(
    const WorkerModel& model, const FamilyTable& families, int threads,
    const DenseCore::Options& options) {
  std::unique_ptr<DenseRole> role(new DenseRole(model, families, threads));
  ASSIGN_OR_RETURN(
      std::unique_ptr<DenseStage> stage,
      CpuDenseStage::Load(model.model.config, *model.model.weights, model.cache,
                          role->pool_, LogLoadProgress()));
  WorkerInfo& self = role->self_;
  self.role = WorkerRole::kDense;
  self.name = options.name;
  self.model_hash = model.model.hash;
  self.config_hash = model.fingerprint.config;
  self.tokenizer_hash = model.fingerprint.tokenizer;
  self.version = kVersion;
  self.numerics = CpuNumerics(model.model.format, model.cache.type);
  role->worker_ =
      std::make_unique<DenseWorker>(options, std::move(stage), role->routing_);
  role->metrics_ = std::make_shared<CounterCollector>(role->worker_->counters(),
                                                      kDenseMetrics);
  return role;
}

}  // namespace apollo
