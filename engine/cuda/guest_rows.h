#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <vector>

#include "common/rows.h"
#include "engine/cuda/device_rows.h"
#include "engine/cuda/stage_device.h"
#include "engine/expert_stage.h"
#include "kernels/cuda/types.h"

namespace apollo::cuda {

// The guests of a call in the memory of the device, one after the other.
class GuestBatch {
 public:
  // No guests.
  GuestBatch() = default;
  // Enqueues the copy of the guests' rows, rounded to bf16.
  static absl::StatusOr<GuestBatch> Import(std::vector<GuestRows> guests,
                                           int hidden, RowPool& pool,
                                           StageDevice& device);

  int rows() const { return static_cast<int>(experts_.size()); }
  bool empty() const { return counts_.empty(); }
  // The expert of each row. [rows()]
  const std::vector<std::int32_t>& experts() const { return experts_; }
  // [rows(), hidden]
  const Bf16* x() const { return static_cast<const Bf16*>(x_.data()); }
  float* outputs() { return static_cast<float*>(outputs_.data()); }

  // Returns the outputs of each guest.
  std::vector<Rows> Outputs() const;

 private:
  std::vector<int> counts_;  // Rows of each guest.
  std::vector<std::int32_t> experts_;
  Rows x_;        // bf16
  Rows outputs_;  // float32
};

}  // namespace apollo::cuda
