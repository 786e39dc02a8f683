#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <optional>
#include <string>

#include "common/layer_experts.h"
#include "common/rows.h"
#include "engine/expert_weights.h"
#include "expert_worker/expert_residence.h"
#include "expert_worker/placement_control.h"
#include "link/expert_directory.h"
#include "model/config/model_config.h"

namespace apollo {

// The placement of a worker's experts, as its flags say it
// (expert_worker/placement_flags.h).
struct PlacementOptions {
  std::string experts = "all";
  std::string flag = "--experts";  // The flag that gave them.
  std::string placement = "fixed";
  std::optional<std::int64_t> standby_megabytes = std::nullopt;
  std::optional<std::int64_t> resident_megabytes = std::nullopt;
  absl::Duration restart_grace = PlacementRules().restart_grace;
};

// The same for a model.
struct PlacementSetup {
  LayerExperts experts;  // To begin with.
  // Without the functions that load.
  ExpertResidence::Options residence;
  PlacementControl::Options control;
  std::string file = {};  // To follow; empty: none.
};

// Returns the layers and experts of a model.
SparseShape ShapeOf(const ModelConfig& config);

// Resolves the options for a worker of that name. `loader` is null if the
// device takes no further experts. A placement file that cannot be used yet is
// not an error: the worker begins with the flag's experts. Returns
// INVALID_ARGUMENT naming the flag that is wrong, or does not fit the model or
// the device.
absl::StatusOr<PlacementSetup> SetUpPlacement(const PlacementOptions& options,
                                              const std::string& name,
                                              const ModelConfig& config,
                                              Device device,
                                              const ExpertLoader* loader);

}  // namespace apollo
