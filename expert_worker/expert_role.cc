#include "expert_worker/expert_role.h"

#include <absl/time/clock.h>

#include <string>
#include <utility>

#include "common/clock.h"
#include "common/status_macros.h"
#include "engine/cache_size.h"
#include "engine/make_stage.h"
#include "expert_worker/expert_counters.h"
#include "expert_worker/step_queue.h"
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
    const WorkerSetup& setup, const Options& options, RequestMetrics* requests,
    Tracer* tracer) {
  const ModelConfig& config = setup.model.model.config;
  std::unique_ptr<ExpertLoader> loader = MakeExpertLoader(setup);
  ASSIGN_OR_RETURN(PlacementSetup placement,
                   SetUpPlacement(options.placement, options.name, config,
                                  setup.device, loader.get()));
  placement.control.zero = absl::Now() - Clock::Real().Now();
  std::unique_ptr<ExpertRole> role(new ExpertRole(setup.threads));
  ASSIGN_OR_RETURN(
      MadeStage<ExpertStage> made,
      MakeExpertStage(setup, placement.experts, kRowsOfABatch, role->pool_));
  WorkerInfo& self = role->self_;
  self = DescribeWorker(setup, WorkerRole::kExpert, options.name,
                        std::move(made.numerics));
  self.resident = placement.experts;
  self.cache_tokens = CacheTokens(made.stage->blocks());
  const int blocks = made.stage->blocks().total();
  ExpertCore::Options core;
  core.answer_timeout = options.answer_timeout;
  core.lease = options.lease;
  core.self = self;
  core.languages = LanguageLabels(setup.families);
  core.requests = requests;
  core.tracer = tracer;
  core.prefix_caching = setup.prefix_caching;
  core.residence = std::move(placement.residence);
  core.placement = placement.control;
  core.certificate_expires = options.certificate_expires;
  role->worker_ = std::make_unique<ExpertWorker>(
      std::move(core), std::move(made.stage),
      [pool = &role->pool_] { return pool->progress(); }, Clock::Real(),
      std::move(loader));
  role->Follow(placement.file, config);
  const ExpertCounters& counters = role->worker_->counters();
  auto metrics = std::make_shared<CounterCollector>(counters, kExpertMetrics);
  metrics->AddInfo(kExpertCacheConfig,
                   {{"block_size", std::to_string(kBlockTokens)},
                    {"num_blocks", std::to_string(blocks)}});
  role->metrics_ = std::move(metrics);
  return role;
}

void ExpertRole::Follow(const std::string& file, const ModelConfig& config) {
  if (file.empty()) return;
  placement_.emplace(file, ShapeOf(config),
                     [worker = worker_.get()](const Placement& placement) {
                       worker->TakePlacement(placement);
                     });
  placement_->Start();
}

std::vector<AdminFile> ExpertRole::Files() {
  if (!placement_) return {};
  return {{"placement", [this] { return placement_->ReadNow(); }}};
}

}  // namespace apollo
