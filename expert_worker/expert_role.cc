#include "expert_worker/expert_role.h"

#include <set>
#include <utility>

#include "common/status_macros.h"
#include "engine/cache_size.h"
#include "engine/cpu/cpu_expert_stage.h"
#include "engine/numerics.h"
#include "expert_worker/expert_counters.h"
#include "model/config/expert_list.h"
#include "model/language/language_labels.h"
#include "model/weights/load_progress.h"
#include "serving/counter_collector.h"
#include "serving/version.h"

namespace apollo {

absl::StatusOr<std::unique_ptr<ExpertRole>> ExpertRole::Start(
    const WorkerSetup& setup, const Options& options,
    RequestMetrics* requests) {
  const OpenModel& model = setup.model.model;
  ASSIGN_OR_RETURN(const std::set<int> experts,
                   ParseExperts(options.experts, model.config.num_experts));
  std::unique_ptr<ExpertRole> role(new ExpertRole(setup.threads));
  ASSIGN_OR_RETURN(
      std::unique_ptr<ExpertStage> stage,
      CpuExpertStage::Load(model.config, *model.weights, experts,
                           setup.model.cache, role->pool_, LogLoadProgress()));
  WorkerInfo& self = role->self_;
  self.role = WorkerRole::kExpert;
  self.name = options.name;
  self.model_hash = model.hash;
  self.config_hash = setup.model.fingerprint.config;
  self.tokenizer_hash = setup.model.fingerprint.tokenizer;
  self.version = kVersion;
  self.resident = experts;
  self.cache_tokens = CacheTokens(stage->blocks());
  self.numerics = CpuNumerics(model.format, setup.model.cache.type);
  role->worker_ = std::make_unique<ExpertWorker>(
      ExpertCore::Options{options.answer_timeout, self,
                          LanguageLabels(setup.families), requests},
      std::move(stage), [pool = &role->pool_] { return pool->progress(); });
  role->metrics_ = std::make_shared<CounterCollector>(role->worker_->counters(),
                                                      kExpertMetrics);
  return role;
}

}  // namespace apollo
