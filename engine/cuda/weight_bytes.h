#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <set>
#include <span>
#include <string_view>

#include "kernels/cuda/device.h"
#include "kernels/cuda/packed_weights.h"
#include "model/config/model_config.h"
#include "model/weights/tensor_registry.h"
#include "model/weights/weight_source.h"

namespace apollo::cuda {

// Returns the shape in which the matrix of the tensors of a kind is packed: it
// keeps the format of the source (WeightSource::Shape). INVALID_ARGUMENT names
// the first tensor if the operations cannot use it: the format must be bf16,
// int8 or int4.
absl::StatusOr<PackedShape> PackedShapeOf(const WeightSource& source,
                                          std::span<const TensorInfo> tensors,
                                          WeightKind kind);

// Return the bytes of device memory of a stage's weights, after checking that
// the operations can use all of them. Errors: INVALID_ARGUMENT names what
// cannot be used, and what could; those of WeightSource::Shape.
absl::StatusOr<std::size_t> DenseStageBytes(const ModelConfig& config,
                                            const WeightSource& source);
absl::StatusOr<std::size_t> ExpertStageBytes(const ModelConfig& config,
                                             const WeightSource& source,
                                             const std::set<int>& experts);

// A part of the memory that a stage needs.
struct MemoryNeed {
  std::string_view purpose;  // "the weights"
  std::size_t bytes = 0;
};

// Returns the bytes of the device's memory that a stage leaves free: 256 MiB,
// or 2% of all if that is more. They are for what comes after loading (the
// rings and buffers of links between GPUs, and memory that grows), and for what
// the needs do not count (the runtime rounds large allocations up to 2 MiB, and
// loads kernels).
std::size_t MemoryReserve(const DeviceInfo& device);

// Returns RESOURCE_EXHAUSTED, with all sizes, if the needs and the reserve
// together exceed the device's free memory.
absl::Status CheckRoom(const DeviceInfo& device,
                       std::span<const MemoryNeed> needs);

}  // namespace apollo::cuda
