#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>

#include "engine/cuda/batch_plan.h"
#include "engine/cuda/device_batch.h"
#include "engine/cuda/device_weights.h"
#include "engine/cuda/stage_device.h"
#include "kernels/cuda/cache.h"
#include "kernels/cuda/memory.h"
#include "kernels/cuda/product.h"
#include "kernels/cuda/types.h"
#include "model/config/model_config.h"

namespace apollo::cuda {

// Returns the limits of a stage's batches: `rows` rows per step, `blocks`
// blocks in its cache.
BatchLimits BatchLimitsOf(const ModelConfig& config, int rows, int blocks);

// Device memory for the intermediate results of a layer, used by one layer
// after the other. The work of a layer must be enqueued before the next one
// uses it.
class LayerScratch {
 public:
  LayerScratch() = default;

  // `inner`: the width of the widest MLP that RunMlp gets.
  static std::size_t Bytes(const ModelConfig& config, const BatchLimits& limits,
                           int inner);
  static absl::StatusOr<LayerScratch> Allocate(const ModelConfig& config,
                                               const BatchLimits& limits,
                                               int inner);

  Bf16* normed = nullptr;      // [rows, hidden]
  float* qkv = nullptr;        // [rows, qkv_size]
  Bf16* q = nullptr;           // [rows, q_size]
  Bf16* mixed = nullptr;       // [rows, q_size]
  Bf16* active = nullptr;      // [rows, inner]
  float* workspace = nullptr;  // Of attention, with limits.max_slots slots.

 private:
  DeviceBuffer memory_;
};

// The first half of a layer, common to dense and sparse layers, in residual
// rows [rows, hidden]:
//   residual += output(attention(norm(residual)))
//   normed = bf16(mlp_norm(residual))
// Appends keys and values to the cache. `normed` [rows, hidden] may be
// scratch.normed. Enqueues only.
absl::Status RunAttention(const ModelConfig& config,
                          const DeviceAttention& weights,
                          const DeviceBatch& batch, const CacheLayer& cache,
                          float* residual, const LayerScratch& scratch,
                          Bf16* normed, cudaStream_t stream);

// Enqueues an MLP on `rows` rows x [rows, hidden]: out [rows, hidden] = mlp(x)
// with Epilogue::kStore, out += mlp(x) with kAdd. active: [rows, inner],
// scratch memory.
absl::Status RunMlp(const DeviceMlp& mlp, const Bf16* x, int rows, Bf16* active,
                    Epilogue epilogue, float* out, cudaStream_t stream);

}  // namespace apollo::cuda
