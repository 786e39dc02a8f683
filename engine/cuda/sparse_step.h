#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/cuda/device_batch.h"
#include "engine/cuda/sparse_sizes.h"
#include "engine/cuda/step_memory.h"
#include "engine/expert_stage.h"

namespace apollo::cuda {

// The rows of a step of an expert stage.
class SparseStep {
 public:
  struct Slice {
    int first_row = 0;
    int rows = 0;
    int first_position = 0;
    int family = -1;
    bool failed = false;
    int layers = 0;  // Layers that count: those before the slice failed.
  };
  // Rows that are computed at a time: consecutive ones, of any slices.
  struct Piece {
    int first_row = 0;
    int rows = 0;
    DeviceBatch batch;
  };

  // Describes the slices. `memory` has room for their rows.
  SparseStep(std::span<const ExpertSlice> slices, const SparseSizes& sizes,
             std::unique_ptr<StepMemory> memory);

  int rows() const { return rows_; }
  StepMemory& memory() const { return *memory_; }
  // Ends the use of the memory.
  std::unique_ptr<StepMemory> TakeMemory() { return std::move(memory_); }
  std::vector<Slice>& slices() { return slices_; }
  const std::vector<Slice>& slices() const { return slices_; }
  std::vector<Piece>& pieces() { return pieces_; }
  // Returns the slice of a row.
  int SliceOf(int row) const;
  // Returns the parts of the slices that are in a piece.
  std::vector<BatchSlice> BatchSlices(std::span<const ExpertSlice> slices,
                                      const Piece& piece) const;

  // Marks the slice's rows as dropped from now on.
  void Fail(int slice);
  // [rows()]: 1 for rows of failed slices; empty if none failed.
  const std::vector<std::uint8_t>& dropped() const { return dropped_; }
  // Returns the dropped rows of a piece.
  int DroppedIn(const Piece& piece) const;

  // Numbers between the choices (and the replaced rows) of two layers, in the
  // device's memory and in the host's.
  std::size_t choice_stride() const { return row_stride() * top_k_; }
  std::size_t row_stride() const {
    return RoundUp(rows_, SparseSizes::kRowUnit);
  }

 private:
  int rows_ = 0;
  const int top_k_;
  std::unique_ptr<StepMemory> memory_;
  std::vector<Slice> slices_;
  std::vector<Piece> pieces_;
  std::vector<std::uint8_t> dropped_;
};

}  // namespace apollo::cuda
