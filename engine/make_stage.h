#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <set>
#include <string>

#include "common/thread_pool.h"
#include "engine/dense_stage.h"
#include "engine/expert_stage.h"
#include "engine/worker_setup.h"

namespace apollo {

// A stage, and the identifier of its results (engine/numerics.h).
template <typename Stage>
struct MadeStage {
  std::unique_ptr<Stage> stage;
  std::string numerics;
};

// Load a stage on the device of the setup, and log the progress. The setup and
// the pool must outlive the stage. `max_rows`: the rows of the largest step for
// which the stage has memory from the beginning. `experts`: those to hold, each
// below the model's num_experts.
//
// Return the errors of the stage's Load. A device that fails later ends the
// process (EndOnDeviceFailure).
absl::StatusOr<MadeStage<DenseStage>> MakeDenseStage(const WorkerSetup& setup,
                                                     int max_rows,
                                                     ThreadPool& pool);
absl::StatusOr<MadeStage<ExpertStage>> MakeExpertStage(
    const WorkerSetup& setup, const std::set<int>& experts, int max_rows,
    ThreadPool& pool);

}  // namespace apollo
