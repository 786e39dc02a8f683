#include "expert_worker/expert_role.h"

#include <set>
#include <utility>

#include "common/status_macros.h"
#include "engine/cache_size.h"
#include "engine/make_stage.h"
#include "expert_worker/expert_counters.h"
#include "expert_worker/step_queue.h"
#include "model/config/expert_list.h"
#include "model/language/language_labels.h"
#include "serving/counter_collector.h"
#include "worker/describe_worker.h"

namespace apollo {
namespace {

// Those of a batch that is full (StepQueue), together with its last step, which
// has at most the 512 rows of a dense worker's default --token_budget.
constexpr int kRowsOfABatch = StepQueue::kMaxBatchRows + 512;

}  // namespace

absl::StatusOr<std::unique_ptr<ExpertRole>> ExpertRole::Start(
    const WorkerSetup& setup, const Options& options,
    RequestMetrics* requests) {
  ASSIGN_OR_RETURN(
      const std::set<int> experts,
      ParseExperts(options.experts, setup.model.model.config.num_experts));
  std::unique_ptr<ExpertRole> role(new ExpertRole(setup.threads));
  ASSIGN_OR_RETURN(MadeStage<ExpertStage> made,
                   MakeExpertStage(setup, experts, kRowsOfABatch, role->pool_));
  WorkerInfo& self = role->self_;
  self = DescribeWorker(setup, WorkerRole::kExpert, options.name,
                        std::move(made.numerics));
  self.resident = experts;
  self.cache_tokens = CacheTokens(made.stage->blocks());
  role->worker_ = std::make_unique<ExpertWorker>(
      ExpertCore::Options{options.answer_timeout, self,
                          LanguageLabels(setup.families), requests},
      std::move(made.stage),
      [pool = &role->pool_] { return pool->progress(); });
  role->metrics_ = std::make_shared<CounterCollector>(role->worker_->counters(),
                                                      kExpertMetrics);
  return role;
}

}  // namespace apollo
