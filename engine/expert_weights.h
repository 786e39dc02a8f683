#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>

#include "common/layer_experts.h"

namespace apollo {

// The weights of one expert of one layer, ready for the stages of one device.
class ExpertWeights {
 public:
  virtual ~ExpertWeights() = default;
};

// Prepares the weights of experts for a stage that does not have them yet, so
// that they can be added between two pieces of its work. Thread-safe, and
// independent of the stage: a load takes as long as a disk does.
class ExpertLoader {
 public:
  virtual ~ExpertLoader() = default;

  // Returns the bytes of the expert's weights in the model. Does not block.
  virtual std::int64_t Bytes(LayerExpert which) const = 0;

  // Brings the weights into memory. Blocks. Returns the errors of the weight
  // source.
  virtual absl::StatusOr<std::unique_ptr<ExpertWeights>> Load(
      LayerExpert which) = 0;
};

}  // namespace apollo
