#pragma once

#include <absl/status/statusor.h>

#include <set>

#include "common/thread_pool.h"
#include "engine/make_stage.h"
#include "engine/worker_setup.h"

namespace apollo {

// The part of engine/make_stage.h for setups with a GPU. Return the errors of
// the stage's Load, and those of OpenDevice (kernels/cuda/device.h): in a
// program without CUDA, FAILED_PRECONDITION.
absl::StatusOr<MadeStage<DenseStage>> MakeCudaDenseStage(
    const WorkerSetup& setup, int max_rows, ThreadPool& pool);
absl::StatusOr<MadeStage<ExpertStage>> MakeCudaExpertStage(
    const WorkerSetup& setup, const std::set<int>& experts, int max_rows,
    ThreadPool& pool);

}  // namespace apollo
