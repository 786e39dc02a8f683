#include "dense_worker/dense_role.h"

#include <utility>

#include "common/clock.h"
#include "common/status_macros.h"
#include "dense_worker/dense_counters.h"
#include "dense_worker/token_budget_check.h"
#include "engine/cpu/cpu_dense_stage.h"
#include "engine/numerics.h"
#include "model/language/language_labels.h"
#include "model/weights/load_progress.h"
#include "serving/counter_collector.h"
#include "serving/version.h"

namespace apollo {

DenseRole::DenseRole(const WorkerSetup& setup)
    : pool_(setup.threads),
      routing_(setup.model.model.config, LanguageLabels(setup.families),
               Clock::Real()) {}

absl::StatusOr<std::unique_ptr<DenseRole>> DenseRole::Start(
    const WorkerSetup& setup, const DenseCore::Options& options) {
  const OpenModel& model = setup.model.model;
  RETURN_IF_ERROR(
      CheckTokenBudget(options.scheduler.token_budget, model.config));
  std::unique_ptr<DenseRole> role(new DenseRole(setup));
  ASSIGN_OR_RETURN(
      std::unique_ptr<DenseStage> stage,
      CpuDenseStage::Load(model.config, *model.weights, setup.model.cache,
                          role->pool_, LogLoadProgress()));
  WorkerInfo& self = role->self_;
  self.role = WorkerRole::kDense;
  self.name = options.name;
  self.model_hash = model.hash;
  self.config_hash = setup.model.fingerprint.config;
  self.tokenizer_hash = setup.model.fingerprint.tokenizer;
  self.version = kVersion;
  self.numerics = CpuNumerics(model.format, setup.model.cache.type);
  role->worker_ = std::make_unique<DenseWorker>(
      options, std::move(stage), role->routing_,
      [pool = &role->pool_] { return pool->progress(); });
  role->metrics_ = std::make_shared<CounterCollector>(role->worker_->counters(),
                                                      kDenseMetrics);
  return role;
}

}  // namespace apollo
