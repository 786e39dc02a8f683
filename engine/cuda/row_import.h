#pragma once

#include <absl/status/status.h>

#include <vector>

#include "common/rows.h"
#include "engine/cuda/stage_device.h"
#include "kernels/cuda/types.h"

// Copies of rows that others pass to a stage. All rows of a call have the same
// width, a multiple of 8, and are float32 in host memory, or float32 or bf16 in
// the memory of the stage's device. Rows that are adjacent in memory are copied
// at once. The functions only enqueue; they keep the rows of the device until
// the copies have completed.
namespace apollo::cuda {

// Copies the rows one after the other to `to`, widened to float32.
absl::Status ImportF32(std::vector<Rows> rows, float* to, StageDevice& device);

// Copies the rows one after the other to `to`, rounded to bf16. staging: memory
// for as many float32 numbers, used for rows of the host.
absl::Status ImportBf16(std::vector<Rows> rows, float* staging, Bf16* to,
                        StageDevice& device);

// Keeps the rows of the device until everything enqueued so far has completed.
void KeepUntilDone(std::vector<Rows> rows, StageDevice& device);

}  // namespace apollo::cuda
