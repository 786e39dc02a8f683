#include "dense_worker/dense_role.h"

#include <string>
#include <utility>

#include "common/clock.h"
#include "common/status_macros.h"
#include "dense_worker/dense_counters.h"
#include "dense_worker/token_budget_check.h"
#include "engine/cache_size.h"
#include "engine/make_stage.h"
#include "model/language/language_labels.h"
#include "serving/counter_collector.h"
#include "worker/describe_worker.h"

namespace apollo {

DenseRole::DenseRole(const WorkerSetup& setup)
    : pool_(setup.threads),
      routing_(setup.model.model.config, LanguageLabels(setup.families),
               Clock::Real()) {}

absl::StatusOr<std::unique_ptr<DenseRole>> DenseRole::Start(
    const WorkerSetup& setup, const DenseCore::Options& options) {
  RETURN_IF_ERROR(CheckTokenBudget(options.scheduler.token_budget,
                                   setup.model.model.config));
  std::unique_ptr<DenseRole> role(new DenseRole(setup));
  ASSIGN_OR_RETURN(
      MadeStage<DenseStage> made,
      MakeDenseStage(setup, options.scheduler.token_budget, role->pool_));
  role->self_ = DescribeWorker(setup, WorkerRole::kDense, options.name,
                               std::move(made.numerics));
  DenseCore::Options core = options;
  core.numerics = role->self_.numerics;
  core.model_hash = role->self_.model_hash;
  core.prefix_caching = options.prefix_caching && setup.prefix_caching;
  role->worker_ = std::make_unique<DenseWorker>(
      std::move(core), std::move(made.stage), role->routing_,
      [pool = &role->pool_] { return pool->progress(); });
  const DenseCounters& counters = role->worker_->counters();
  auto metrics = std::make_shared<CounterCollector>(counters, kDenseMetrics);
  metrics->AddInfo(kDenseCacheConfig,
                   {{"block_size", std::to_string(kBlockTokens)},
                    {"num_blocks", std::to_string(counters.blocks)}});
  role->metrics_ = std::move(metrics);
  return role;
}

}  // namespace apollo
