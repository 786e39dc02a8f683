#include "engine/cuda/sparse_layers.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/status_macros.h"
#include "engine/cuda/memory_layout.h"
#include "engine/cuda/row_import.h"
#include "kernels/cuda/experts.h"
#include "kernels/cuda/rows.h"

namespace apollo::cuda {

std::size_t SparseLayers::Divide(const SparseSizes& sizes, const Limits& limits,
                                 std::byte* memory, Scratch& scratch) {
  const auto rows = static_cast<std::size_t>(sizes.piece_rows);
  MemoryLayout layout(memory);
  scratch.active = layout.Array<Bf16>(sizes.piece_assignments() * sizes.inner);
  if (limits.shared_inner > 0) {
    scratch.shared = layout.Array<float>(rows * sizes.hidden);
  }
  scratch.experts = layout.Array<std::int32_t>(rows);
  scratch.offsets = layout.Array<std::int32_t>(sizes.experts + 1);
  scratch.source = layout.Array<std::int32_t>(rows);
  scratch.target = layout.Array<std::int32_t>(rows);
  return layout.bytes();
}

std::size_t SparseLayers::Bytes(const ModelConfig& config,
                                const SparseSizes& sizes,
                                const Limits& limits) {
  Scratch none;
  return Divide(sizes, limits, nullptr, none) +
         LayerScratch::Bytes(config, limits.batch, limits.mlp_inner());
}

SparseLayers::SparseLayers(const ModelConfig& config, const SparseSizes& sizes,
                           const BatchLimits& batch_limits, LateLayers layers,
                           DeviceRope rope, DeviceCache& cache,
                           StageDevice& device)
    : config_(config),
      sizes_(sizes),
      batch_limits_(batch_limits),
      layers_(std::move(layers)),
      rope_(std::move(rope)),
      cache_(cache),
      device_(device) {}

absl::StatusOr<std::unique_ptr<SparseLayers>> SparseLayers::Create(
    const ModelConfig& config, const SparseSizes& sizes, const Limits& limits,
    LateLayers layers, DeviceRope rope, DeviceCache& cache,
    StageDevice& device) {
  APOLLO_CHECK(static_cast<int>(layers.sparse.size()) == sizes.layers);
  APOLLO_CHECK(static_cast<int>(layers.sparse.size() + layers.dense.size()) ==
               config.num_layers_after());
  std::unique_ptr<SparseLayers> made(
      new SparseLayers(config, sizes, limits.batch, std::move(layers),
                       std::move(rope), cache, device));
  ASSIGN_OR_RETURN(
      made->layer_scratch_,
      LayerScratch::Allocate(config, limits.batch, limits.mlp_inner()));
  ASSIGN_OR_RETURN(made->memory_, AllocateDevice(Divide(sizes, limits, nullptr,
                                                        made->scratch_),
                                                 "the experts"));
  Divide(sizes, limits, made->memory_.as<std::byte>(), made->scratch_);
  return made;
}

const DeviceSparseLayer& SparseLayers::weights(int layer) const {
  APOLLO_CHECK(config_.IsSparse(layer) && layer < config_.num_layers);
  return layers_.sparse[layer - config_.boundary];
}

const DeviceAttention& SparseLayers::attention(int layer) const {
  if (!config_.is_dense()) return weights(layer).attention;
  return layers_.dense[layer - config_.boundary].attention;
}

absl::Status SparseLayers::Begin(SparseStep& step,
                                 std::vector<ExpertSlice> slices) {
  StepMemory& memory = step.memory();
  const HeadShape heads = HeadShapeOf(config_);
  for (std::size_t i = 0; i < step.pieces().size(); ++i) {
    SparseStep::Piece& piece = step.pieces()[i];
    const BatchPlan plan = PlanBatch(step.BatchSlices(slices, piece),
                                     heads.group(), batch_limits_.max_slots);
    piece.batch = memory.batches[i].Set(plan, rope_.get(), device_);
  }
  std::vector<std::int32_t> pinned;
  std::vector<Rows> boundary;
  for (ExpertSlice& slice : slices) {
    pinned.insert(pinned.end(), slice.boundary.rows(),
                  slice.hybrid ? slice.family : -1);
    boundary.push_back(std::move(slice.boundary));
  }
  device_.UploadTo(memory.pinned, pinned.data(),
                   pinned.size() * sizeof(pinned[0]));
  return ImportF32(std::move(boundary), memory.residual, device_);
}

int SparseLayers::CanTake(const GuestBatch& guests) const {
  return std::min(guests.rows(), sizes_.piece_rows);
}

absl::Status SparseLayers::Attend(SparseStep& step, int layer) {
  const DeviceAttention& w = attention(layer);
  const CacheLayer cache = cache_.layer(layer - config_.boundary);
  for (const SparseStep::Piece& piece : step.pieces()) {
    const std::size_t at =
        static_cast<std::size_t>(piece.first_row) * sizes_.hidden;
    RETURN_IF_ERROR(RunAttention(config_, w, piece.batch, cache,
                                 step.memory().residual + at, layer_scratch_,
                                 step.memory().normed + at, device_.stream()));
  }
  return absl::OkStatus();
}

absl::Status SparseLayers::RunDenseMlp(SparseStep& step, int layer) {
  const DeviceMlp& mlp = layers_.dense[layer - config_.boundary].mlp;
  for (const SparseStep::Piece& piece : step.pieces()) {
    const std::size_t at =
        static_cast<std::size_t>(piece.first_row) * sizes_.hidden;
    RETURN_IF_ERROR(RunMlp(mlp, step.memory().normed + at, piece.rows,
                           layer_scratch_.active, Epilogue::kAdd,
                           step.memory().residual + at, device_.stream()));
  }
  return absl::OkStatus();
}

absl::Status SparseLayers::RunGate(SparseStep& step, int layer,
                                   const SparseStep::Piece& piece) {
  StepMemory& memory = step.memory();
  const std::size_t first = piece.first_row;
  const std::size_t index = layer - config_.boundary;
  Gate gate;
  gate.options = {config_.num_experts, config_.experts_per_token,
                  config_.norm_topk_prob};
  gate.x = memory.normed + first * sizes_.hidden;
  gate.gate = weights(layer).gate.get();
  gate.rows = piece.rows;
  gate.hidden = sizes_.hidden;
  gate.pinned = memory.pinned + first;
  gate.experts =
      memory.choices + index * step.choice_stride() + first * sizes_.top_k;
  gate.weights = memory.weights + first * sizes_.top_k;
  gate.replaced = memory.replaced + index * step.row_stride() + first;
  return Run(gate, device_.stream());
}

GroupedRows SparseLayers::RowsOf(const SparseStep& step, int layer,
                                 const SparseStep::Piece& piece,
                                 const GuestBatch& guests) const {
  StepMemory& memory = step.memory();
  const std::size_t first = piece.first_row;
  const std::size_t choice = first * sizes_.top_k;
  const bool last = piece.first_row + piece.rows == step.rows();
  GroupedRows rows;
  rows.rows = piece.rows;
  rows.top_k = sizes_.top_k;
  rows.guests = last ? CanTake(guests) : 0;
  rows.x = memory.normed + first * sizes_.hidden;
  rows.experts = memory.choices +
                 (layer - config_.boundary) * step.choice_stride() + choice;
  rows.dropped = step.dropped().empty() ? nullptr : memory.dropped + first;
  rows.offsets =
      memory.offsets + first / sizes_.piece_rows * memory.offset_stride;
  rows.source = memory.source + choice;
  rows.target = memory.target + choice;
  rows.outputs = memory.outputs + choice * sizes_.hidden;
  return rows;
}

absl::Status SparseLayers::Route(SparseStep& step, int layer,
                                 const GuestBatch& guests) {
  StepMemory& memory = step.memory();
  for (const SparseStep::Piece& piece : step.pieces()) {
    RETURN_IF_ERROR(RunGate(step, layer, piece));
  }
  if (const int count = CanTake(guests); count > 0) {
    // The guests follow the last row. Their experts take the place of the next
    // layer's choices, which come later.
    const auto rows = static_cast<std::size_t>(step.rows());
    std::int32_t* const experts =
        memory.choices + (layer - config_.boundary) * step.choice_stride() +
        rows * sizes_.top_k;
    device_.UploadTo(experts, guests.experts().data(),
                     count * sizeof(std::int32_t));
    RETURN_IF_ERROR(GatherRows(guests.x(), nullptr, count, sizes_.hidden,
                               memory.normed + rows * sizes_.hidden,
                               device_.stream()));
  }
  for (const SparseStep::Piece& piece : step.pieces()) {
    RETURN_IF_ERROR(Group(RowsOf(step, layer, piece, guests), sizes_.experts,
                          device_.stream()));
  }
  return absl::OkStatus();
}

absl::StatusOr<Rows> SparseLayers::Gather(SparseStep& step, int layer,
                                          const SparseStep::Piece& piece,
                                          const GuestBatch& guests,
                                          RowPool& pool) {
  const GroupedRows rows = RowsOf(step, layer, piece, guests);
  // Positions after those of rows that have experts are not written.
  const int count = rows.assignments() - step.DroppedIn(piece) * sizes_.top_k;
  ASSIGN_OR_RETURN(Rows gathered,
                   pool.Take(count, sizes_.hidden, RowType::kBf16));
  RETURN_IF_ERROR(GatherRows(rows.x, rows.source, count, sizes_.hidden,
                             static_cast<Bf16*>(gathered.data()),
                             device_.stream()));
  return gathered;
}

absl::Status SparseLayers::RunResident(SparseStep& step, int layer,
                                       GuestBatch& guests) {
  for (const SparseStep::Piece& piece : step.pieces()) {
    RETURN_IF_ERROR(RunExperts(weights(layer).experts, sizes_.experts,
                               RowsOf(step, layer, piece, guests),
                               scratch_.active, device_.stream()));
  }
  const int count = CanTake(guests);
  if (count == 0) return absl::OkStatus();
  const std::size_t choices =
      static_cast<std::size_t>(step.rows()) * sizes_.top_k;
  return GatherRows(step.memory().outputs + choices * sizes_.hidden, nullptr,
                    count, sizes_.hidden, guests.outputs(), device_.stream());
}

absl::Status SparseLayers::ScatterAbsent(SparseStep& step, const float* rows,
                                         const std::int32_t* choices,
                                         int count) {
  return ScatterRows(rows, choices, count, sizes_.hidden, step.memory().outputs,
                     device_.stream());
}

absl::Status SparseLayers::Combine(SparseStep& step, int layer) {
  const DeviceSparseLayer& w = weights(layer);
  for (const SparseStep::Piece& piece : step.pieces()) {
    const std::size_t first = piece.first_row;
    const std::size_t choice = first * sizes_.top_k;
    CombineExperts combine;
    combine.rows = piece.rows;
    combine.hidden = sizes_.hidden;
    combine.top_k = sizes_.top_k;
    combine.weights = step.memory().weights + choice;
    combine.outputs = step.memory().outputs + choice * sizes_.hidden;
    combine.x = step.memory().normed + first * sizes_.hidden;
    combine.residual = step.memory().residual + first * sizes_.hidden;
    if (config_.shared_expert) {
      RETURN_IF_ERROR(RunMlp(w.shared, combine.x, piece.rows,
                             layer_scratch_.active, Epilogue::kStore,
                             scratch_.shared, device_.stream()));
      combine.shared = scratch_.shared;
      combine.shared_gate = w.shared_gate.get();
    }
    RETURN_IF_ERROR(Run(combine, device_.stream()));
  }
  return absl::OkStatus();
}

absl::Status SparseLayers::RunGuests(int layer, GuestBatch& guests, int first) {
  for (; first < guests.rows(); first += sizes_.piece_rows) {
    const std::size_t at = static_cast<std::size_t>(first) * sizes_.hidden;
    GroupedRows rows;
    rows.guests = std::min(sizes_.piece_rows, guests.rows() - first);
    rows.x = guests.x() + at;
    rows.experts = scratch_.experts;
    rows.offsets = scratch_.offsets;
    rows.source = scratch_.source;
    rows.target = scratch_.target;
    rows.outputs = guests.outputs() + at;
    device_.UploadTo(scratch_.experts, guests.experts().data() + first,
                     rows.guests * sizeof(std::int32_t));
    RETURN_IF_ERROR(Group(rows, sizes_.experts, device_.stream()));
    RETURN_IF_ERROR(RunExperts(weights(layer).experts, sizes_.experts, rows,
                               scratch_.active, device_.stream()));
  }
  return absl::OkStatus();
}

}  // namespace apollo::cuda
