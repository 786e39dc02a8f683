#include "deploy/local/local_backend.h"

#include "router/cluster_status.h"

namespace apollo {

void LocalBackend::CollectStatus(
    std::function<void(std::vector<ProcessStatus>)> done) {
  const DenseCounters& counters = worker_.counters();
  DenseStatus status{.answered = true,
                     .usable = worker_.Ready(),
                     .name = self_.name,
                     .model_hash = self_.model_hash,
                     .version = self_.version,
                     .running_sequences = worker_.sequences(),
                     .queued_rows = static_cast<int>(worker_.queued_rows())};
  if (!status.usable) status.reason = "an engine makes no progress";
  status.details = WorkerDetails{
      .expert_workers = {{.info = expert_(), .linked = true}},
      .cache_blocks = counters.blocks,
      .cache_blocks_used = counters.used_blocks,
      .waiting_sequences = static_cast<int>(counters.waiting),
      .rows_computed = counters.decode_rows + counters.prompt_rows};
  done(MergeStatus({std::move(status)}));
}

}  // namespace apollo
