#include "dense_worker/dense_role.h"

#include <utility>

#include "common/clock.h"
#include "common/status_macros.h"
#include "dense_worker/token_budget_check.h"
#include "engine/cpu/cpu_dense_stage.h"
#include "model/language/language_labels.h"
#include "model/weights/load_progress.h"

namespace apollo {

DenseRole::DenseRole(const WorkerSetup& setup, prometheus::Registry& registry)
    : pool_(setup.threads),
      routing_(setup.model.model.config, LanguageLabels(setup.families),
               Clock::Real()),
      metrics_(registry, routing_) {}

absl::StatusOr<std::unique_ptr<DenseRole>> DenseRole::Start(
    const WorkerSetup& setup, const DenseCore::Options& options,
    prometheus::Registry& registry) {
  const OpenModel& model = setup.model.model;
  RETURN_IF_ERROR(
      CheckTokenBudget(options.scheduler.token_budget, model.config));
  std::unique_ptr<DenseRole> role(new DenseRole(setup, registry));
  ASSIGN_OR_RETURN(
      std::unique_ptr<DenseStage> stage,
      CpuDenseStage::Load(model.config, *model.weights, setup.model.cache,
                          role->pool_, LogLoadProgress()));
  role->worker_ =
      std::make_unique<DenseWorker>(options, std::move(stage), role->metrics_);
  return role;
}

}  // namespace apollo
