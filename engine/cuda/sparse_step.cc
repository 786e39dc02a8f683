#include "engine/cuda/sparse_step.h"

#include <algorithm>
#include <utility>

#include "common/check.h"

namespace apollo::cuda {

SparseStep::SparseStep(std::span<const ExpertSlice> slices,
                       const SparseSizes& sizes,
                       std::unique_ptr<StepMemory> memory)
    : top_k_(sizes.top_k), memory_(std::move(memory)) {
  for (const ExpertSlice& slice : slices) {
    APOLLO_CHECK(slice.boundary.rows() > 0 &&
                 slice.boundary.width() == sizes.hidden);
    slices_.push_back(
        {rows_, slice.boundary.rows(), slice.first_position, slice.family});
    rows_ += slice.boundary.rows();
  }
  APOLLO_CHECK(rows_ > 0 && rows_ <= memory_->rows);
  for (int first = 0; first < rows_; first += sizes.piece_rows) {
    pieces_.push_back({first, std::min(sizes.piece_rows, rows_ - first), {}});
  }
}

int SparseStep::SliceOf(int row) const {
  const auto next = std::upper_bound(
      slices_.begin(), slices_.end(), row,
      [](int r, const Slice& slice) { return r < slice.first_row; });
  return static_cast<int>(next - slices_.begin()) - 1;
}

std::vector<BatchSlice> SparseStep::BatchSlices(
    std::span<const ExpertSlice> slices, const Piece& piece) const {
  std::vector<BatchSlice> batch;
  const int end = piece.first_row + piece.rows;
  for (int i = SliceOf(piece.first_row); i < static_cast<int>(slices_.size());
       ++i) {
    const Slice& slice = slices_[i];
    if (slice.first_row >= end) break;
    const int from = std::max(slice.first_row, piece.first_row);
    const int to = std::min(slice.first_row + slice.rows, end);
    batch.push_back({slices[i].blocks,
                     slices[i].first_position + from - slice.first_row,
                     to - from});
  }
  return batch;
}

void SparseStep::Fail(int slice) {
  if (dropped_.empty()) dropped_.resize(rows_);
  slices_[slice].failed = true;
  std::fill_n(dropped_.begin() + slices_[slice].first_row, slices_[slice].rows,
              std::uint8_t{1});
}

int SparseStep::DroppedIn(const Piece& piece) const {
  if (dropped_.empty()) return 0;
  const auto first = dropped_.begin() + piece.first_row;
  return static_cast<int>(std::count(first, first + piece.rows, 1));
}

}  // namespace apollo::cuda
