#include "engine/cuda/matrix_stager.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "common/check.h"
#include "common/status_macros.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/types.h"
#include "kernels/cuda/weight_index.h"
#include "kernels/half.h"

namespace apollo::cuda {
namespace {

void PackRow(const PackedShape& shape, int row, RowNumbers numbers,
             void* packed) {
  if (numbers.bf16 != nullptr) {
    PackBf16Rows(shape, row, 1, numbers.bf16, packed);
  } else {
    PackRows(shape, row, 1, numbers.f32, packed);
  }
}

}  // namespace

MatrixStager::~MatrixStager() {
  for (const Stage& stage : stages_) {
    if (stage.used) cudaEventSynchronize(stage.read.get());
  }
}

absl::Status MatrixStager::Pack(const std::vector<std::string>& names,
                                const PackedShape& shape, void* to) {
  PackedShape piece = shape;
  piece.outputs = kTileOutputs;
  const std::size_t tile_bytes = PackedBytes(piece);
  const int tiles = CountTiles(shape.outputs);
  const int most = static_cast<int>(
      std::clamp<std::size_t>(stage_bytes_ / tile_bytes, 1, tiles));
  auto* target = static_cast<std::byte*>(to);
  for (int tile = 0; tile < tiles; tile += most) {
    // The tiles of a piece are those of a matrix of its rows.
    const int first = tile * kTileOutputs;
    piece.outputs = std::min(most * kTileOutputs, shape.outputs - first);
    const std::size_t bytes = PackedBytes(piece);
    ASSIGN_OR_RETURN(Stage * stage, NextStage(bytes));
    void* const packed = stage->memory.as<void>();
    ClearPadding(piece, packed);
    // Of a paired matrix, half of the rows are gates, and half are ups.
    const int parts = shape.paired ? 2 : 1;
    const int count = piece.outputs / parts;
    for (int part = 0; part < parts; ++part) {
      const int from = part * (shape.outputs / parts) + first / parts;
      RETURN_IF_ERROR(source_.ReadRows(
          names, from, count, shape.format, pool_,
          [&](int row, RowNumbers numbers) {
            PackRow(piece, part * count + row - from, numbers, packed);
          }));
    }
    RETURN_IF_ERROR(Send(*stage, bytes, target));
    target += bytes;
  }
  return absl::OkStatus();
}

absl::Status MatrixStager::CopyBf16(const std::string& name, int outputs,
                                    int inputs, void* to) {
  const std::size_t row_bytes = sizeof(Bf16) * static_cast<std::size_t>(inputs);
  const int most = static_cast<int>(
      std::clamp<std::size_t>(stage_bytes_ / row_bytes, 1, outputs));
  auto* target = static_cast<std::byte*>(to);
  for (int first = 0; first < outputs; first += most) {
    const int count = std::min(most, outputs - first);
    const std::size_t bytes = static_cast<std::size_t>(count) * row_bytes;
    ASSIGN_OR_RETURN(Stage * stage, NextStage(bytes));
    Bf16* const rows = stage->memory.as<Bf16>();
    RETURN_IF_ERROR(source_.ReadRows(
        {name}, first, count, WeightFormat::kBF16, pool_,
        [&](int row, RowNumbers numbers) {
          Bf16* const out = rows + static_cast<std::size_t>(row - first) *
                                       static_cast<std::size_t>(inputs);
          if (numbers.bf16 != nullptr) {
            std::memcpy(out, numbers.bf16, row_bytes);
          } else {
            std::transform(numbers.f32, numbers.f32 + inputs, out,
                           [](float x) { return Bf16BitsFromF32(x); });
          }
        }));
    RETURN_IF_ERROR(Send(*stage, bytes, target));
    target += bytes;
  }
  return absl::OkStatus();
}

absl::Status MatrixStager::Copy(const void* data, std::size_t bytes, void* to) {
  ASSIGN_OR_RETURN(Stage * stage, NextStage(bytes));
  std::memcpy(stage->memory.as<void>(), data, bytes);
  return Send(*stage, bytes, to);
}

absl::StatusOr<MatrixStager::Stage*> MatrixStager::NextStage(
    std::size_t bytes) {
  APOLLO_CHECK(bytes > 0);
  Stage& stage = stages_[next_];
  next_ = (next_ + 1) % stages_.size();
  if (stage.used) {
    RETURN_IF_ERROR(
        CudaStatus(cudaEventSynchronize(stage.read.get()), "copying weights"));
  }
  if (stage.memory.bytes() < bytes) {
    stage.memory = PinnedBuffer();  // Not both at once.
    ASSIGN_OR_RETURN(stage.memory, AllocatePinned(bytes, "packing weights"));
  }
  if (!stage.used) {
    ASSIGN_OR_RETURN(stage.read, CreateEvent());
    stage.used = true;
  }
  return &stage;
}

absl::Status MatrixStager::Send(Stage& stage, std::size_t bytes, void* to) {
  RETURN_IF_ERROR(CopyToDevice(to, stage.memory.as<void>(), bytes, stream_));
  return CudaStatus(cudaEventRecord(stage.read.get(), stream_),
                    "copying weights");
}

}  // namespace apollo::cuda
