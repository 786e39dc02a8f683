#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "common/rows.h"
#include "engine/cuda/device_cache.h"
#include "engine/cuda/device_rows.h"
#include "engine/cuda/device_weights.h"
#include "engine/cuda/grouped_experts.h"
#include "engine/cuda/guest_rows.h"
#include "engine/cuda/layer_attention.h"
#include "engine/cuda/sparse_sizes.h"
#include "engine/cuda/sparse_step.h"
#include "engine/cuda/stage_device.h"
#include "kernels/cuda/memory.h"
#include "model/config/model_config.h"

namespace apollo::cuda {

// The weights of the layers after the boundary: those of a dense model if it
// is one, else sparse ones.
struct LateLayers {
  std::vector<DeviceSparseLayer> sparse;
  std::vector<DeviceDenseLayer> dense;
};

// The operations of the layers after the boundary on the rows of a step and on
// guests. They only enqueue. A layer is
//
//   Attend; Route; [Gather;] RunResident; [ScatterAbsent;] Combine
//
// or, in a dense model, Attend; RunDenseMlp
//
// in this order. Guests of the layer go along with the last piece of the step
// (CanTake); others run by themselves. Called by one thread.
class SparseLayers {
 public:
  // Sizes of memory besides weights and cache.
  struct Limits {
    BatchLimits batch;     // Of a piece.
    int shared_inner = 0;  // The width of the shared expert; 0: there is none.
    int dense_inner = 0;   // That of the MLPs of a dense model; else 0.
    int mlp_inner() const { return std::max(shared_inner, dense_inner); }
  };
  static std::size_t Bytes(const ModelConfig& config, const SparseSizes& sizes,
                           const Limits& limits);
  // The arguments held by reference must outlive this object.
  static absl::StatusOr<std::unique_ptr<SparseLayers>> Create(
      const ModelConfig& config, const SparseSizes& sizes, const Limits& limits,
      LateLayers layers, DeviceRope rope, DeviceCache& cache,
      StageDevice& device);

  // Copies the slices' boundary rows and plans to the device.
  absl::Status Begin(SparseStep& step, std::vector<ExpertSlice> slices);

  // Returns the number of guests that go along with a step.
  int CanTake(const GuestBatch& guests) const;

  // `layer` is the index of the layer in the model.
  absl::Status Attend(SparseStep& step, int layer);
  // residual += the output of the layer's MLP.
  absl::Status RunDenseMlp(SparseStep& step, int layer);
  // Chooses the experts of every row, and groups rows and guests by expert.
  absl::Status Route(SparseStep& step, int layer, const GuestBatch& guests);
  // Copies the inputs of all assignments of a piece, grouped by expert, to rows
  // of the pool (bf16).
  absl::StatusOr<Rows> Gather(SparseStep& step, int layer,
                              const SparseStep::Piece& piece,
                              const GuestBatch& guests, RowPool& pool);
  absl::Status RunResident(SparseStep& step, int layer, GuestBatch& guests);
  // Copies float32 rows of the device to the outputs of choices of the step.
  // choices: [rows] in device memory.
  absl::Status ScatterAbsent(SparseStep& step, const float* rows,
                             const std::int32_t* choices, int count);
  // residual += the weighted sum of the outputs, and of the shared expert.
  absl::Status Combine(SparseStep& step, int layer);

  // Runs guests from `first` on by themselves.
  absl::Status RunGuests(int layer, GuestBatch& guests, int first);

 private:
  // Scratch memory of one operation after the other.
  struct Scratch {
    Bf16* active = nullptr;           // [piece_assignments, inner]
    float* shared = nullptr;          // [piece_rows, hidden], or null.
    std::int32_t* experts = nullptr;  // The four of RunGuests.
    std::int32_t* offsets = nullptr;
    std::int32_t* source = nullptr;
    std::int32_t* target = nullptr;
  };

  SparseLayers(const ModelConfig& config, const SparseSizes& sizes,
               const BatchLimits& batch_limits, LateLayers layers,
               DeviceRope rope, DeviceCache& cache, StageDevice& device);
  static std::size_t Divide(const SparseSizes& sizes, const Limits& limits,
                            std::byte* memory, Scratch& scratch);
  const DeviceSparseLayer& weights(int layer) const;
  const DeviceAttention& attention(int layer) const;
  // Returns the assignments of a piece, with the guests that go along.
  GroupedRows RowsOf(const SparseStep& step, int layer,
                     const SparseStep::Piece& piece,
                     const GuestBatch& guests) const;
  absl::Status RunGate(SparseStep& step, int layer,
                       const SparseStep::Piece& piece);

  const ModelConfig& config_;
  const SparseSizes sizes_;
  const BatchLimits batch_limits_;
  const LateLayers layers_;
  const DeviceRope rope_;
  DeviceCache& cache_;
  StageDevice& device_;
  LayerScratch layer_scratch_;
  DeviceBuffer memory_;
  Scratch scratch_;
};

}  // namespace apollo::cuda
