#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tools/upcycle/dense_base.h"
#include "tools/upcycle/options.h"

namespace apollo {

// A tensor of the output model.
struct PlannedTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  std::string source;       // Copied tensor of the base; empty for a gate.
  std::int64_t layer = -1;  // -1: outside the layers.
};

// Every tensor of the model in the order in which it is written: the embedding,
// the layers, the final norm, and the head unless it is tied. Names and shapes
// are those of the published format. `options` fits `base`
// (CheckUpcycleOptions).
std::vector<PlannedTensor> PlanTensors(const BaseConfig& base,
                                       const UpcycleOptions& options);

// Checks that the base has every source, readable and with the planned shape.
// Errors name the file, the tensor and both shapes.
absl::Status CheckSources(const DenseBase& base,
                          const std::vector<PlannedTensor>& plan);

}  // namespace apollo
