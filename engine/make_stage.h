#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>

#include "common/layer_experts.h"
#include "common/thread_pool.h"
#include "engine/dense_stage.h"
#include "engine/expert_stage.h"
#include "engine/expert_weights.h"
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
// below the model's num_experts; on a GPU, the same in all layers.
//
// Return the errors of the stage's Load. A device that fails later ends the
// process (EndOnDeviceFailure).
absl::StatusOr<MadeStage<DenseStage>> MakeDenseStage(const WorkerSetup& setup,
                                                     int max_rows,
                                                     ThreadPool& pool);
absl::StatusOr<MadeStage<ExpertStage>> MakeExpertStage(
    const WorkerSetup& setup, const LayerExperts& experts, int max_rows,
    ThreadPool& pool);

// Returns a loader of further experts for such a stage, or null if its device
// keeps those that it began with, as a GPU does. The setup must outlive the
// loader and all weights.
std::unique_ptr<ExpertLoader> MakeExpertLoader(const WorkerSetup& setup);

}  // namespace apollo
