#include "expert_worker/expert_role.h"

#include <utility>

#include "common/clock.h"
#include "common/status_macros.h"
#include "engine/cache_size.h"
#include "engine/cpu/cpu_expert_stage.h"
#include "model/language/language_labels.h"
#include "model/weights/load_progress.h"

namespace apollo {

ExpertRole::ExpertRole(const WorkerModel& model, const FamilyTable& families,
                       int threads, prometheus::Registry& registry,
                       RequestMetrics* requests)
    : pool_(threads),
      metrics_(registry, model.model.config, LanguageLabels(families), requests,
               Clock::Real()) {}

absl::StatusOr<std::unique_ptr<ExpertRole>> ExpertRole::Start(
    const WorkerModel& model, const std::set<int>& experts,
    const FamilyTable& families, int threads,
    const ExpertCore::Options& options, prometheus::Registry& registry,
    RequestMetrics* requests) {
  std::unique_ptr<ExpertRole> role(
      new ExpertRole(model, families, threads, registry, requests));
  ASSIGN_OR_RETURN(
      std::unique_ptr<ExpertStage> stage,
      CpuExpertStage::Load(model.model.config, *model.model.weights, experts,
                           model.cache, role->pool_, LogLoadProgress()));
  role->cache_tokens_ = CacheTokens(stage->blocks());
  role->worker_ =
      std::make_unique<ExpertWorker>(options, std::move(stage), role->metrics_);
  return role;
}

}  // namespace apollo
