#include "engine/cuda/guest_rows.h"

#include <utility>

#include "common/check.h"
#include "common/status_macros.h"
#include "engine/cuda/row_import.h"

namespace apollo::cuda {

absl::StatusOr<GuestBatch> GuestBatch::Import(std::vector<GuestRows> guests,
                                              int hidden, RowPool& pool,
                                              StageDevice& device) {
  GuestBatch batch;
  std::vector<Rows> rows;
  for (GuestRows& guest : guests) {
    APOLLO_CHECK(guest.rows.width() == hidden);
    batch.counts_.push_back(guest.rows.rows());
    batch.experts_.insert(batch.experts_.end(), guest.rows.rows(),
                          guest.expert);
    rows.push_back(std::move(guest.rows));
  }
  if (batch.empty()) return batch;
  ASSIGN_OR_RETURN(batch.x_, pool.Take(batch.rows(), hidden, RowType::kBf16));
  ASSIGN_OR_RETURN(batch.outputs_,
                   pool.Take(batch.rows(), hidden, RowType::kF32));
  // The outputs are written later: until then their memory is free.
  RETURN_IF_ERROR(ImportBf16(std::move(rows), batch.outputs(),
                             static_cast<Bf16*>(batch.x_.data()), device));
  return batch;
}

std::vector<Rows> GuestBatch::Outputs() const {
  std::vector<Rows> outputs;
  int first = 0;
  for (const int count : counts_) {
    outputs.push_back(outputs_.Slice(first, count));
    first += count;
  }
  return outputs;
}

}  // namespace apollo::cuda
